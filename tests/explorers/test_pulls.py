import pytest
import torch

from flowlib import explorers
from flowlib.data import five_points
from flowlib.explorers.pulls import effective_number
from flowlib.fields import posterior_weights
from flowlib.paths import LinearPath


def test_pulls_at_a_place_follows_its_controls(move):
    move.every(explorers.pulls_at_a_place(five_points().double()))


def test_pulls_on_a_digit_follows_its_controls(move, digits):
    move.every(explorers.pulls_on_a_digit(digits))


def test_pulls_on_a_digit_shows_the_posterior_weights(move, digits):
    explorer = explorers.pulls_on_a_digit(digits)
    explorer.controls["digit"].value, explorer.controls["t"].value, explorer.controls["n"].value = (
        7,
        0.36,
        800,
    )
    data = digits.images.double()
    z = torch.randn(256, generator=torch.Generator().manual_seed(0)).double().view(1, 1, 16, 16)
    t = torch.tensor([0.36]).double()
    weights = posterior_weights(0.36 * data[7:8] + 0.64 * z, t, data[:800], LinearPath())
    words = move.alt(explorer)
    assert f"{effective_number(weights).item():,.1f} of 800" in words
    for weight in weights[0].topk(8).values:
        assert f"{weight:.1%}" in words


def test_effective_number_counts_equal_weights():
    weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
    assert effective_number(weights).tolist() == pytest.approx([4, 2, 1])
