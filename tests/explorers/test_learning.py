import math

import pytest
import torch

from flowlib import explorers
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
    explorer = explorers.training_stages(
        {n: VelocityMLP(1, seed=n).double() for n in (0, 1, 10)},
        {0: 4.0, 1: 2.0, 10: 1.0},
        field,
        density,
        STARTS,
    )
    return explorer


def test_moving_bell_follows_its_controls_and_says_where_the_bell_is(move):
    explorer = explorers.moving_bell(density, field)
    move.every(explorer)
    explorer.controls["t"].value, explorer.controls["m"].value, explorer.controls["s"].value = 0.5, -1, 2
    assert "mean -0.50 and spread 1.50" in move.alt(explorer)
    assert "left of its mean the velocity is -2.00, one to the right 0.00" in move.alt(explorer)


def test_be_the_network_follows_its_controls_and_measures_the_readers_line(move):
    explorer = explorers.be_the_network(field, density, loss_at_times, STARTS)
    move.every(explorer)
    explorer.controls["a"].value, explorer.controls["b"].value = 1, 0
    assert "L_FM 1.2" in move.alt(explorer)  # (1 - m)² + (s - 1)² = 5/4, less what the quantiles leave out
    assert "mean 1.00" in move.alt(explorer)


def test_training_stages_follows_its_controls_and_names_the_stage(move, stages):
    move.every(stages)
    stages.controls["stage"].value = 2
    assert "After 10 steps L_FM is 1." in move.alt(stages)
