"""Lesson 03: what its explorers say, and how its exercises answer."""

import numpy as np
import pytest
import torch

from flowlib.fields import linear_field
from flowlib.lessons import lesson_03
from flowlib.lessons.checks import CheckFailed

TURN = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
FIELDS = {"rotation": linear_field(TURN), "sink": linear_field(-torch.eye(2, dtype=torch.float64))}


def circle(x_0, t):
    return torch.stack([t.cos(), t.sin()], dim=1) * x_0.norm(dim=1, keepdim=True)


def test_drifting_point_starts_where_it_is_put_and_tells_its_velocity(move):
    explorer = lesson_03.drifting_point(FIELDS)
    for name, value in {"x": 1.0, "y": 2.0, "t": 0.0}.items():
        explorer.controls[name].value = value
    assert move.alt(explorer).endswith("the point is at [1.0, 2.0], its velocity is [-2.0, 1.0].")


def test_the_area_of_the_square_is_that_of_the_flow(move):
    explorer = lesson_03.mapped_lattice(FIELDS)
    for name, t, factor in (("rotation", 1.0, "1.00"), ("sink", 0.0, "1.00"), ("sink", 1.0, "0.14")):  # e^-2
        explorer.controls["name"].value, explorer.controls["t"].value = name, t
        assert f"has {factor} times" in move.alt(explorer)


def test_the_solver_is_measured_against_the_exact_end(move):
    start = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    explorer = lesson_03.solver_against_exact(FIELDS["rotation"], circle, start)
    explorer.controls["method"].value, explorer.controls["steps"].value = "rk4", 64
    assert "256 evaluations" in move.alt(explorer)
    assert float(move.alt(explorer).split("is ")[1].split()[0]) < 1e-8


def test_end_of_a_ride(try_exercise):
    wrong = {2: "where did it start", 5: "velocity of the last moment", -1: "first moment", 0.5: "half-way"}
    try_exercise(lesson_03.end_of_a_ride, [1, 1.0, torch.tensor([[1.0]]), np.array([1])], wrong)


def test_two_euler_steps(try_exercise):
    wrong = {
        (1, 0.5): "this is one step",
        (1, 1): "ask the field again",
        (0, 2): "size 1/2",
        (0.75, -1): "clockwise",
        (0.5403, 0.8415): "exact end",
    }
    right = [[0.75, 1], torch.tensor([[0.75, 1.0]]), np.array([0.75, 1])]
    try_exercise(lesson_03.two_euler_steps, right, wrong)


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
    try_exercise(lesson_03.flow_between_times, right, wrong)


def test_a_function_that_returns_nothing_is_told_so():
    with pytest.raises(CheckFailed, match="NoneType"):
        lesson_03.flow_between_times(lambda x, s, t: None)


def test_order_of_a_method(try_exercise):
    wrong = {
        4: "to a quarter",
        16: "as a power of the step",
        1: "order 1",
        -2: "not negative",
        0.5: "way round",
    }
    try_exercise(lesson_03.order_of_a_method, [2, 2.0, np.log(16) / np.log(4)], wrong)
