"""Lesson 05: what its explorers say, and how its exercises answer."""

import math

import numpy as np
import pytest
import torch

from flowlib.lessons import lesson_05
from flowlib.losses import squared_norm
from flowlib.mlp import VelocityMLP

STARTS = torch.special.ndtri((torch.arange(50).double() + 0.5) / 50)[:, None]


def field(x, t, m=2.0, s=0.5):
    t = t[:, None]
    return m + (s - 1) * (x - t * m) / (1 - t + t * s)


def density(x, t, m=2.0, s=0.5):
    spread = (1 - t + t * s)[:, None]
    return torch.exp(-(((x - t[:, None] * m) / spread) ** 2) / 2) / (math.sqrt(2 * math.pi) * spread)


def loss_at_times(model, ts):
    """From draws on even quantiles, which the lesson does on a grid of x."""
    t = ts.repeat_interleave(len(STARTS))
    x = (1 - t / 2)[:, None] * STARTS.repeat(len(ts), 1) + 2 * t[:, None]
    return squared_norm(model(x, t) - field(x, t)).view(len(ts), -1).mean(1)


@pytest.fixture
def stages():
    explorer = lesson_05.training_stages(
        {n: VelocityMLP(1, seed=n).double() for n in (0, 1, 10)},
        {0: 4.0, 1: 2.0, 10: 1.0},
        field,
        density,
        STARTS,
    )
    return explorer


def test_moving_bell_says_where_the_bell_is(move):
    explorer = lesson_05.moving_bell(density, field)
    explorer.controls["t"].value, explorer.controls["m"].value, explorer.controls["s"].value = 0.5, -1, 2
    assert "mean -0.50 and spread 1.50" in move.alt(explorer)
    assert "left of its mean the velocity is -2.00, one to the right 0.00" in move.alt(explorer)


def test_be_the_network_measures_the_readers_line(move):
    explorer = lesson_05.be_the_network(field, density, loss_at_times, STARTS)
    explorer.controls["a"].value, explorer.controls["b"].value = 1, 0
    assert "L_FM 1.2" in move.alt(explorer)  # (1 - m)² + (s - 1)² = 5/4, less what the quantiles leave out
    assert "mean 1.00" in move.alt(explorer)


def test_training_stages_names_the_stage(move, stages):
    stages.controls["stage"].value = 2
    assert "After 10 steps L_FM is 1." in move.alt(stages)


def test_calls_of_the_network(try_exercise):
    wrong = {20: "more than once", 40: "midpoint", 8000: "one batch", 2000: "together", 84: "21 times"}
    try_exercise(lesson_05.calls_of_the_network, [80, 80.0, torch.tensor(80)], wrong)


def test_velocity_of_a_stretch(try_exercise):
    wrong = {7: "divided by 1", 3.5: "at t m, not", -5: "widens", 5: "not s", 2: "x_0", 5 / 3: "divides by s"}
    try_exercise(lesson_05.velocity_of_a_stretch, [3, [3.0], np.float64(3)], wrong | {4: "m in front"})


def test_loss_of_a_constant_guess(try_exercise):
    wrong = {1: "mean alone", 0.25: "best constant", 4.25: "v = 0", math.sqrt(1.25): "root"}
    try_exercise(lesson_05.loss_of_a_constant_guess, [1.25, 5 / 4, torch.tensor([1.25])], wrong)


def test_best_line_is_the_least_squares_line_of_many_draws(try_exercise):
    generator = torch.Generator().manual_seed(0)
    t = (torch.arange(100_000).double() + 0.5) / 100_000
    x_0 = torch.randn(100_000, generator=generator).double()
    x_t, u = (1 - t / 2) * x_0 + 2 * t, 2 - x_0 / 2
    line = torch.linalg.lstsq(torch.stack([torch.ones_like(x_t), x_t], 1), u[:, None]).solution[:, 0]
    wrong = {(2, 0): "constant", (2, -0.5): "t = 0", (4, -1): "t = 1;", (-0.41, 2.41): "other order"}
    wrong |= {(-math.log(0.5) * 4, math.log(0.5)): "ends are right"}
    try_exercise(lesson_05.best_line, [line, (2.4, -0.4), [2.41, -0.41]], wrong)
