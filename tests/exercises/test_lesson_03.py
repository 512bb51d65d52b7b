import numpy as np
import pytest
import torch

from flowlib import exercises
from flowlib.checks import CheckFailed


def test_end_of_a_ride(try_exercise):
    wrong = {2: "where did it start", 5: "velocity of the last moment", -1: "first moment", 0.5: "half-way"}
    try_exercise(exercises.end_of_a_ride, [1, 1.0, torch.tensor([[1.0]]), np.array([1])], wrong)


def test_two_euler_steps(try_exercise):
    wrong = {
        (1, 0.5): "this is one step",
        (1, 1): "ask the field again",
        (0, 2): "size 1/2",
        (0.75, -1): "clockwise",
        (0.5403, 0.8415): "exact end",
    }
    right = [[0.75, 1], torch.tensor([[0.75, 1.0]]), np.array([0.75, 1])]
    try_exercise(exercises.two_euler_steps, right, wrong)


def test_flow_between_times(try_exercise):
    wrong = {
        (lambda x, s, t: x + t**3): "starts at time 0",
        (lambda x, s, t: x + (t - s) ** 3): "depends on the clock",
        (lambda x, s, t: x + s**3 - t**3): "from t to s",
        (lambda x, s, t: t**3 - s**3): "add where it starts",
        (lambda x, s, t: x + t**2 - s**2): "flow of 2t",
        (lambda x, s: x): "TypeError",
        0.5: "a function is needed",
    }
    right = [lambda x, s, t: x + t**3 - s**3, lambda x, s, t: x + (t - s) * (t * t + t * s + s * s)]
    try_exercise(exercises.flow_between_times, right, wrong)


def test_a_function_that_returns_nothing_is_told_so():
    with pytest.raises(CheckFailed, match="NoneType"):
        exercises.flow_between_times(lambda x, s, t: None)


def test_order_of_a_method(try_exercise):
    wrong = {
        4: "to a quarter",
        16: "as a power of the step",
        1: "order 1",
        -2: "not negative",
        0.5: "way round",
    }
    try_exercise(exercises.order_of_a_method, [2, 2.0, np.log(16) / np.log(4)], wrong)
