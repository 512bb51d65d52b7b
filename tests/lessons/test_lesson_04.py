"""Lesson 04: the solutions of its laboratory, and the Lipschitz constants that it names."""

import pytest
import torch

from flowlib.lessons.lesson_04 import LABORATORY, NEIGHBOURS


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


@pytest.mark.parametrize("name", list(NEIGHBOURS))
def test_the_neighbours_fields_have_the_lipschitz_constant_of_the_slider(name):
    """By the slopes between neighbouring places, at some times."""
    x = torch.linspace(-3, 3, 6001, dtype=torch.float64)[:, None]
    times = torch.linspace(0, 1, 9, dtype=torch.float64)
    u = torch.stack([NEIGHBOURS[name](x, t.expand(len(x)), 2.5) for t in times])
    assert (u.diff(dim=1) / x.diff(dim=0)).abs().max().item() == pytest.approx(2.5, rel=1e-3)
