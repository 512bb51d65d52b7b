import math

import numpy as np
import pytest
import torch

from flowlib import exercises
from flowlib.checks import CheckFailed


def test_where_two_lines_cross(try_exercise):
    right = [(1 / 3, 4 / 3), [0.3333, 1.3333], torch.tensor([1 / 3, 4 / 3]), np.array([1 / 3, 4 / 3])]
    wrong = {(4 / 3, 1 / 3): r"asks for \(t, x\)", 1 / 3: "place is missing", (0.5, 2.0): "met before"}
    try_exercise(exercises.where_two_lines_cross, right, wrong)


def test_smallest_lipschitz_constant(try_exercise):
    try_exercise(
        exercises.smallest_lipschitz_constant,
        [7, 7.0, torch.tensor(7)],
        {6: "at which t", 3: "chain", 8: "hint"},
    )


def test_second_picard_iterate(try_exercise):
    right = [
        lambda t: 1 + t**2 + t**4 / 2,
        lambda t: 1 + t * t * (1 + t * t / 2),
        lambda t: math.fsum([1, t**2, t**4 / 2]),
        np.poly1d([0.5, 0, 1, 0, 1]),
    ]
    wrong = {
        (lambda t: 1 + t**2): "first iterate",
        (lambda t: torch.exp(t**2)): "the solution",
        (lambda t: 1 + t + t**2 / 2): "the field is 2 t x",
        (lambda t: t): "not it",
    }
    try_exercise(exercises.second_picard_iterate, right, wrong)
    with pytest.raises(CheckFailed, match="a function is needed"):
        exercises.second_picard_iterate(2.5)


def test_largest_distance_of_neighbours(try_exercise):
    right = [0.01 * math.exp(2), 0.0739, torch.tensor(0.01 * math.e**2)]
    try_exercise(
        exercises.largest_distance_of_neighbours, right, {0.03: "so does the rate", math.e**2: "factor"}
    )
