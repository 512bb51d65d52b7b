"""Lesson 04: what its explorers say, and how its exercises answer."""

import math
import re

import numpy as np
import pytest
import torch

from flowlib.lessons import lesson_04
from flowlib.lessons.checks import CheckFailed
from flowlib.lessons.lesson_04 import ITERATED, LABORATORY, NEIGHBOURS


@pytest.mark.parametrize("name", list(LABORATORY))
@pytest.mark.parametrize("x_0", [-0.64, 0.0, 0.5, 1.6])
def test_every_solution_in_the_laboratory_starts_at_its_start_and_solves_its_field(name, x_0):
    field, solution, _, _ = LABORATORY[name]
    for leave in (0.0, 0.35, 0.9):
        ts = torch.linspace(0, 0.99, 67, dtype=torch.float64)

        def place(t, leave=leave):
            return solution(x_0, t, leave)

        x, slope = torch.func.jvp(place, (ts,), (torch.ones_like(ts),))
        assert x[0].item() == pytest.approx(x_0, abs=1e-12)
        exists = x.isfinite()
        assert exists[0] and (name == "x²" or exists.all())
        assert (slope - field(x[:, None], ts)[:, 0])[exists].abs().max() < 1e-10


def test_the_laboratory_tells_where_a_solution_waits_where_it_ends_and_what_euler_does(move):
    lab = lesson_04.existence_lab()
    assert move.alt(lab) == (
        "Field 2√|x|: the marked solution from 0 is at 0.00 at t = 0.40. Euler ends at 0.00."
    )
    lab.controls["name"].value, lab.controls["x_0"].value, lab.controls["c"].value = "x²", 2.0, 0.45
    assert "from 2 is at 20.00 at t = 0.45. Euler leaves the picture." in move.alt(lab)
    lab.controls["c"].value = 0.6
    assert "does not exist at t = 0.60" in move.alt(lab)
    lab.controls["x_0"].value, lab.controls["c"].value = 1.0, 1.0
    assert "does not exist at t = 1.00. Euler ends at 11.11." in move.alt(lab)
    lab.controls["x_0"].value, lab.controls["c"].value = 2.0, 0.6
    lab.controls["name"].value = list(LABORATORY)[2]
    assert "is at 1.40 at t = 0.60. Euler ends at 1.00." in move.alt(lab)


@pytest.mark.parametrize("name", list(ITERATED))
def test_the_fields_to_iterate_have_the_lipschitz_constant_they_are_listed_with(name):
    field, lipschitz, _ = ITERATED[name]
    assert steepest(field) == pytest.approx(lipschitz, rel=1e-3)


@pytest.mark.parametrize("name", list(NEIGHBOURS))
def test_the_neighbours_fields_have_the_lipschitz_constant_of_the_slider(name):
    assert steepest(lambda x, t: NEIGHBOURS[name](x, t, 2.5)) == pytest.approx(2.5, rel=1e-3)


def steepest(field):
    """The largest slope between neighbouring places, at any of some times."""
    x = torch.linspace(-3, 3, 6001, dtype=torch.float64)[:, None]
    times = torch.linspace(0, 1, 9, dtype=torch.float64)
    return max((field(x, t.expand(len(x))).diff(dim=0) / x.diff(dim=0)).abs().max() for t in times)


@pytest.mark.parametrize("name", list(ITERATED))
def test_iterates_reach_the_solution(move, name):
    explorer = lesson_04.picard_iteration()
    explorer.controls["name"].value, explorer.controls["k"].value = name, 20
    gap = float(re.search(r"is (\S+)\.$", move.alt(explorer))[1])
    _, lipschitz, start = ITERATED[name]
    most = (abs(start) * lipschitz + 2) / lipschitz
    assert gap <= most * math.exp(lipschitz) * lipschitz**21 / math.factorial(21)


def test_the_distance_of_two_starts_stays_between_the_bounds(move):
    explorer = lesson_04.nearby_starts()
    for name in NEIGHBOURS:
        explorer.controls["name"].value = name
        factor, low, high = map(
            float, re.search(r"factor (\S+); .* are (\S+) and (\S+)\.$", move.alt(explorer)).groups()
        )
        assert 0.99 * low <= factor <= 1.01 * high
        if name == "L x":
            assert factor == pytest.approx(math.exp(3), rel=1e-2)


def test_where_two_lines_cross(try_exercise):
    right = [(1 / 3, 4 / 3), [0.3333, 1.3333], torch.tensor([1 / 3, 4 / 3]), np.array([1 / 3, 4 / 3])]
    wrong = {(4 / 3, 1 / 3): r"asks for \(t, x\)", 1 / 3: "place is missing", (0.5, 2.0): "met before"}
    try_exercise(lesson_04.where_two_lines_cross, right, wrong)


def test_smallest_lipschitz_constant(try_exercise):
    try_exercise(
        lesson_04.smallest_lipschitz_constant,
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
    try_exercise(lesson_04.second_picard_iterate, right, wrong)
    with pytest.raises(CheckFailed, match="a function is needed"):
        lesson_04.second_picard_iterate(2.5)


def test_largest_distance_of_neighbours(try_exercise):
    right = [0.01 * math.exp(2), 0.0739, torch.tensor(0.01 * math.e**2)]
    try_exercise(
        lesson_04.largest_distance_of_neighbours, right, {0.03: "so does the rate", math.e**2: "factor"}
    )
