"""Lesson 08: what its explorers say, and how its exercises answer."""

import re

import numpy as np
import pytest
import torch

from flowlib.data import five_points
from flowlib.fields import conditional_velocity
from flowlib.lessons import lesson_08
from flowlib.lessons.checks import CheckFailed
from flowlib.paths import AffinePath, LinearPath, TrigonometricPath
from flowlib.solvers import Trajectory, time_grid

PATHS = {"line": LinearPath(), "arc": TrigonometricPath()}


def test_the_velocity_stays_the_same_on_the_line_and_not_on_the_arc(digits, move):
    explorer = lesson_08.schedules(digits, PATHS)

    def lengths(name):
        explorer.controls["name"].value = name
        for t in (0.0, 0.4, 1.0):
            explorer.controls["t"].value = t
            yield float(re.search(r"length ([\d.]+)\.", move.alt(explorer))[1])

    assert len(set(lengths("line"))) == 1
    assert len(set(lengths("arc"))) == 3


def test_switchboard_shows_the_film_and_the_scores_of_what_is_chosen(move):
    keys = [(target, sampler) for target in ("velocity", "noise") for sampler in ("up", "down")]
    films = {key: Trajectory(time_grid(8), torch.randn(9, 10, 1, 16, 16)) for key in keys}
    scores = {key: (place / 4, place + 0.5) for place, key in enumerate(keys)}
    explorer = lesson_08.switchboard(films, scores)
    assert [explorer.controls[name].options for name in ("target", "sampler")] == [
        ("velocity", "noise"),
        ("up", "down"),
    ]
    explorer.controls["target"].value, explorer.controls["sampler"].value = "noise", "down"
    assert "Target noise, sampler: down. Of 100 images 75%" in move.alt(explorer)
    assert "distance 3.5" in move.alt(explorer)


def test_a_switchboard_with_a_gap_is_refused():
    film = Trajectory(time_grid(8), torch.randn(9, 10, 1, 16, 16))
    films = {("velocity", "up"): film, ("noise", "down"): film}
    for some in (films, {}):
        with pytest.raises(ValueError, match="every target with every sampler"):
            lesson_08.switchboard(some, dict.fromkeys(some, (0.5, 1.0)))


@pytest.mark.parametrize("name", list(PATHS))
def test_both_views_start_together_part_and_end_together(move, name):
    start = torch.tensor([[0.3, 1.2]]).double()
    explorer = lesson_08.two_views(five_points().double(), PATHS, start)
    explorer.controls["name"].value = name
    apart = []
    for t in (0.0, 0.5, 0.98):
        explorer.controls["t"].value = t
        apart.append(float(re.search(r"field is ([\d.]+) away", move.alt(explorer))[1]))
    assert apart[0] == 0
    assert apart[1] > 0.05
    assert apart[2] < 0.05


def test_the_weights_of_two_views_add_up_to_one(move):
    start = torch.tensor([[0.3, 1.2], [-1.0, 0.5]]).double()
    explorer = lesson_08.two_views(five_points().double(), PATHS, start)
    explorer.controls["t"].value = 0.0
    weights = [float(w) for w in re.search(r"points: ([\d., ]+)\.", move.alt(explorer))[1].split(", ")]
    assert weights == [0.2] * 5


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
    try_exercise(lesson_08.velocity_on_the_line, [12, 12.0, [12], torch.tensor(12.0)], wrong)


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
    try_exercise(lesson_08.velocity_with_a_floor, right, wrong)


def test_heading_in_another_convention(try_exercise):
    wrong = {2.1: "our formula", 0.9: "opposite sign", -1.1: "not 1 − t", -1.5: "whole unit"}
    try_exercise(lesson_08.heading_in_another_convention, [0.1, 0.5 - 0.2 * 2, np.array([0.1])], wrong)


def test_same_picture_on_the_arc(try_exercise):
    wrong = {0.161: "digit weighs", 0.46: "noise weighs", 0.25: "another t", 0.3217: "angle", 0.795: "σ/α"}
    try_exercise(lesson_08.same_picture_on_the_arc, [0.2048, 0.205, torch.tensor([0.20483])], wrong)


def test_a_function_that_fails_says_why():
    with pytest.raises(CheckFailed, match="it stops: TypeError"):
        lesson_08.velocity_with_a_floor(lambda x: x)
    with pytest.raises(CheckFailed, match="this is a str"):
        lesson_08.velocity_with_a_floor("(x_1 - x)")
