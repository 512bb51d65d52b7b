"""Lesson 07: what its explorers say, and how its exercises answer."""

import re

import numpy as np
import pytest
import torch

from flowlib.fields import marginal_field, velocity_variance
from flowlib.lessons import lesson_07
from flowlib.paths import LinearPath

POINTS = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
TIMES = (torch.arange(20).double() + 0.5) / 21


@pytest.fixture
def by_time():
    guesses = {"v = 0": lambda x, t: 0 * x, "u": marginal_field(POINTS, LinearPath())}
    return lesson_07.losses_at_each_time(guesses, POINTS, TIMES)


def numbers(words):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", words)]


def test_at_the_average_the_answer_costs_the_gap_and_nothing_more(move):
    explorer = lesson_07.regressor(POINTS)
    explorer.controls["t"].value, explorer.controls["x"].value = 0.0, 0.0
    explorer.controls["v"].value = 0.5  # at t = 0 every pair is as likely: the mean of the data
    *_, cfm, fm, average, gap = numbers(move.alt(explorer))
    assert (cfm, fm, average, gap) == (1.5, 0.0, 0.5, 1.5)


def test_the_exact_field_pays_the_gap_alone(move, by_time):
    by_time.controls["name"].value = "u"
    _, fm, gap, cfm, *_ = numbers(move.alt(by_time))
    assert fm == 0.0
    assert cfm == gap > 0


def test_the_gap_does_not_depend_on_the_guess(move, by_time):
    gap = numbers(move.alt(by_time))[2]
    by_time.controls["name"].value = "u"
    assert numbers(move.alt(by_time))[2] == gap


def test_best_answer_and_its_loss(try_exercise):
    right = [[1, 3], (1.0, 3.0), np.array([1, 3]), torch.tensor([1.0, 3.0])]
    wrong = {(2, 4): "plain average", (1, 3**0.5): "standard deviation", (1, 0): "not zero", 1: "both"}
    try_exercise(lesson_07.best_answer_and_its_loss, right, wrong)


def test_floor_at_the_start(try_exercise, digits):
    points = digits.only(3).images.flatten(1).double()
    x, t = torch.randn(1, 256, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    total = points.var(0, correction=0).sum().item()
    right = [total, float(f"{total:.4g}"), velocity_variance(x, t, points, LinearPath())]
    wrong = {total + 256: "noise is known", total / 256: "one pixel", points.var(0).sum().item(): "n − 1"}
    try_exercise(lesson_07.floor_at_the_start, right, wrong)


def test_best_answer_for_absolute_error(try_exercise):
    wrong = {-0.91: "the mean", -0.9054: "the mean", 4: "smaller weight", 1: "half-way", 1.092: "loss at"}
    try_exercise(lesson_07.best_answer_for_absolute_error, [-2, -2.0, torch.tensor(-2)], wrong)


def test_second_moment_of_a_square_root(try_exercise):
    wrong = {5: "without its sign", 100: "squared as well", -5: "takes the square"}
    try_exercise(lesson_07.second_moment_of_a_square_root, [25, 25.0, 1 / (4 * (1 - 0.99))], wrong)
