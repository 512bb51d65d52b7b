import numpy as np
import pytest
import torch

from flowlib import exercises
from flowlib.checks import CheckFailed
from flowlib.fields import conditional_velocity
from flowlib.paths import AffinePath


class Floored(AffinePath):
    """α = t, σ = 1 - 0.9 t."""

    def alpha(self, t):
        return t

    def sigma(self, t):
        return 1 - 0.9 * t

    def d_alpha(self, t):
        return torch.ones_like(t)

    def d_sigma(self, t):
        return torch.full_like(t, -0.9)


def test_velocity_on_the_line(try_exercise):
    wrong = {3: "way that is left", 4.0: "divides by t", -12: "away from", 0.75: "multiplies"}
    try_exercise(exercises.velocity_on_the_line, [12, 12.0, [12], torch.tensor(12.0)], wrong)


def test_velocity_with_a_floor(try_exercise):
    right = [
        lambda x, t, x_1: (x_1 - 0.9 * x) / (1 - 0.9 * t),
        lambda x, t, x_1: x_1 - 0.9 / (1 - 0.9 * t) * (x - t * x_1),
        lambda x, t, x_1: conditional_velocity(x, t, x_1, Floored()),
        lambda x, t, x_1: (x_1.numpy() - 0.9 * x.numpy()) / (1 - 0.9 * t.numpy()),
    ]
    wrong = {
        lambda x, t, x_1: (x_1 - x) / (1 - t): "ends at σ = 0",
        lambda x, t, x_1: x_1 - (x - t * x_1) / (1 - 0.9 * t): "not −1",
        lambda x, t, x_1: x_1 + 0.9 * (x - t * x_1) / (1 - 0.9 * t): "has it positive",
        lambda x, t, x_1: x_1 - 0.9 * (x - t * x_1): "division by σ",
        lambda x, t, x_1: x_1 - 0.9 * x / (1 - 0.9 * t): "subtracts x",
        lambda x, t, x_1: x_1 - x: "not it",
        lambda x, t, x_1: None: "NoneType",
        12: "function",
    }
    try_exercise(exercises.velocity_with_a_floor, right, wrong)


def test_heading_in_another_convention(try_exercise):
    wrong = {2.1: "our formula", 0.9: "opposite sign", -1.1: "not 1 − t", -1.5: "whole unit"}
    try_exercise(exercises.heading_in_another_convention, [0.1, 0.5 - 0.2 * 2, np.array([0.1])], wrong)


def test_same_picture_on_the_arc(try_exercise):
    wrong = {0.161: "digit weighs", 0.46: "noise weighs", 0.25: "another t", 0.3217: "angle", 0.795: "σ/α"}
    try_exercise(exercises.same_picture_on_the_arc, [0.2048, 0.205, torch.tensor([0.20483])], wrong)


def test_a_function_that_fails_says_why():
    with pytest.raises(CheckFailed, match="it stops: TypeError"):
        exercises.velocity_with_a_floor(lambda x: x)
    with pytest.raises(CheckFailed, match="this is a str"):
        exercises.velocity_with_a_floor("(x_1 - x)")
