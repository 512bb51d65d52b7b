import re

import torch

from flowlib import explorers
from flowlib.gaussians import NO_CLASS, ClassGaussians


def test_blend_follows_its_controls_and_its_words_are_the_density_of_what_is_shown(move, digits):
    gaussians = ClassGaussians().double()
    gaussians.fit(digits)
    real = digits.images[:60]
    explorer = explorers.blend(
        real, {"blank": -torch.ones_like(real), "black": torch.ones_like(real)}, gaussians
    )
    explorer.controls["share"].value = 0.5
    move.every(explorer)
    explorer.controls["other"].value, explorer.controls["image"].value = "blank", 7
    explorer.controls["share"].value = 0.25
    half = 0.75 * real[7:8] - 0.25
    expected = gaussians.log_density(half, torch.tensor([NO_CLASS])).item()
    assert f"log-density {expected:.0f}," in move.alt(explorer)


def test_finite_sample_follows_its_controls(move, digits):
    move.every(explorers.finite_sample(digits))


def test_the_errors_of_finite_samples_are_as_large_as_expected(move, digits):
    explorer = explorers.finite_sample(digits)
    for count in (10, 1000):
        explorer.controls["count"].value = count
        numbers = re.search(r"off by (.*); √\(V / N\) is (.*)\.$", move.alt(explorer))
        errors, expected = torch.tensor([float(e) for e in numbers[1].split(", ")]), float(numbers[2])
        assert abs((errors.square().mean() / expected**2) - 1) < 0.5
