import re

import pytest
import torch

from flowlib import explorers
from flowlib.fields import marginal_field
from flowlib.paths import LinearPath

POINTS = torch.tensor([[-1.0], [0.5], [2.0]], dtype=torch.float64)
TIMES = (torch.arange(20).double() + 0.5) / 21


@pytest.fixture
def by_time():
    guesses = {"v = 0": lambda x, t: 0 * x, "u": marginal_field(POINTS, LinearPath())}
    return explorers.losses_at_each_time(guesses, POINTS, TIMES)


def numbers(words):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", words)]


def test_regressor_follows_its_controls(move):
    move.every(explorers.regressor(POINTS))


def test_at_the_average_the_answer_costs_the_gap_and_nothing_more(move):
    explorer = explorers.regressor(POINTS)
    explorer.controls["t"].value, explorer.controls["x"].value = 0.0, 0.0
    explorer.controls["v"].value = 0.5  # at t = 0 every pair is as likely: the mean of the data
    *_, cfm, fm, average, gap = numbers(move.alt(explorer))
    assert (cfm, fm, average, gap) == (1.5, 0.0, 0.5, 1.5)


def test_losses_at_each_time_follow_their_controls(move, by_time):
    move.every(by_time)


def test_the_exact_field_pays_the_gap_alone(move, by_time):
    by_time.controls["name"].value = "u"
    _, fm, gap, cfm, *_ = numbers(move.alt(by_time))
    assert fm == 0.0
    assert cfm == gap > 0


def test_the_gap_does_not_depend_on_the_guess(move, by_time):
    gap = numbers(move.alt(by_time))[2]
    by_time.controls["name"].value = "u"
    assert numbers(move.alt(by_time))[2] == gap
