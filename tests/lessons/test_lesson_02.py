"""Lesson 02: what its explorers say, and how its exercises answer."""

import re

import numpy as np
import torch

from flowlib.gaussians import NO_CLASS, ClassGaussians
from flowlib.lessons import lesson_02


def test_the_words_of_blend_are_the_density_of_what_is_shown(move, digits):
    gaussians = ClassGaussians().double()
    gaussians.fit(digits)
    real = digits.images[:60]
    explorer = lesson_02.blend(
        real, {"blank": -torch.ones_like(real), "black": torch.ones_like(real)}, gaussians
    )
    explorer.controls["other"].value, explorer.controls["image"].value = "blank", 7
    explorer.controls["share"].value = 0.25
    half = 0.75 * real[7:8] - 0.25
    expected = gaussians.log_density(half, torch.tensor([NO_CLASS])).item()
    assert f"log-density {expected:.0f}," in move.alt(explorer)


def test_the_errors_of_finite_samples_are_as_large_as_expected(move, digits):
    explorer = lesson_02.finite_sample(digits)
    for count in (10, 1000):
        explorer.controls["count"].value = count
        numbers = re.search(r"off by (.*); √\(V / N\) is (.*)\.$", move.alt(explorer))
        errors, expected = torch.tensor([float(e) for e in numbers[1].split(", ")]), float(numbers[2])
        assert abs((errors.square().mean() / expected**2) - 1) < 0.5


def test_density_and_probability(try_exercise):
    right = [[10, 0.3], (10.0, 0.03 / 0.1), np.array([10, 0.3])]
    wrong = {(1, 0.3): "may be above 1", (0.3, 10): "order", (10, 0.5): "between 0 and 0.05"}
    try_exercise(lesson_02.density_and_probability, right, wrong)


def test_images_for_a_smaller_error(try_exercise):
    wrong = {200: "under a root", 750: "with the 50", 16: "how many times"}
    try_exercise(lesson_02.images_for_a_smaller_error, [800, 800.0, 50 * 16], wrong)


def test_root_of_a_covariance(try_exercise):
    C = torch.tensor([[9.0, 3.0], [3.0, 5.0]])
    values, axes = torch.linalg.eigh(C)
    symmetric = axes * values.sqrt() @ axes.T
    right = [[[3, 0], [1, 2]], torch.linalg.cholesky(C), symmetric, -symmetric.numpy(), axes * values.sqrt()]
    wrong = {
        ((9, 3), (3, 5)): "this is C itself",
        ((3, 1), (0, 2)): "this is Lᵀ",
        ((3, 3**0.5), (3**0.5, 5**0.5)): "root of each entry",
        ((3, 0), (0, 5**0.5)): "independent",
        ((1, 0), (0, 1)): "not it",
        3: "shape",
        "cholesky": "a number or a tensor",
    }
    try_exercise(lesson_02.root_of_a_covariance, right, wrong)


def test_peak_above_the_shell(try_exercise):
    wrong = {256: "factor 1/2", -128: "positive", 8: "squared distance"}
    try_exercise(lesson_02.peak_above_the_shell, [128, 128.0, torch.tensor(128)], wrong)
