"""Lesson 02: how likely an image is while it changes, and what a dataset of N images knows."""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits
from flowlib.gaussians import NO_CLASS, ClassGaussians
from flowlib.lessons.checks import check_answer
from flowlib.lessons.explorer import Explorer, choice, number, real
from flowlib.metrics import load_judge
from flowlib.plots import DATA, EXACT, MARK, image_grid

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)  # of a dataset, from one image up
REDRAWS = 4  # datasets drawn at once
LOWEST = -9500  # log-density that is still on the axis


def blend(originals: Tensor, others: dict[str, Tensor], gaussians: ClassGaussians) -> Explorer:
    """A real digit on its way to something else, with two opinions on it: the judge's and a Gaussian's.

    `originals` `(n, 1, 16, 16)`; `others`: by name, what each of them can turn into, of the same shape.
    """

    def log_density(images: Tensor) -> Tensor:
        return gaussians.log_density(images, torch.full((len(images),), NO_CLASS))

    rates = log_density(originals)
    bins = torch.histogram(_squeezed(rates).float(), 40)
    ticks = _squeezed(torch.tensor([-1e4, -1e3, -100, 0, 100])).tolist()

    def compute(image: int, other: str, share: float):
        x = (1 - share) * originals[image] + share * others[other][image]
        with torch.no_grad():
            read = load_judge()(x[None]).softmax(1)[0]
        rate = log_density(x[None])
        return SimpleNamespace(
            images=torch.stack([originals[image], x, others[other][image]]),
            read=read.tolist(),
            sure=read.max().item(),
            digit=read.argmax().item(),
            rate=rate.item(),
            place=_squeezed(rate.clamp(min=LOWEST)).item(),
            higher=(rates < rate - 1e-6).double().mean().item(),  # a digit is not above itself
        )

    def draw(figure: Figure, frame) -> str:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1, 1.3))
        image_grid(frame.images, ["real", "now", "other"], ax=left)
        middle.bar(range(10), frame.read, color=MARK)
        middle.set(ylim=(0, 1), xticks=range(10), xlabel="the judge reads")
        middle.set_title(f"{frame.sure:.0%} sure: {frame.digit}", fontsize=12)
        right.stairs(bins.hist, bins.bin_edges, fill=True, color=DATA)
        right.axvline(frame.place, color=MARK)
        right.set_xticks(ticks, ["−10,000", "−1,000", "−100", "0", "100"])
        right.set(xlim=(ticks[0], 3), yticks=[], xlabel="log-density; orange: real digits")
        right.set_title(f"{frame.rate:,.0f}".replace("-", "−"), fontsize=12)
        return (
            f"The judge reads {frame.digit} and is {frame.sure:.0%} sure; log-density {frame.rate:.0f}, "
            f"higher than that of {frame.higher:.0%} of the real digits."
        )

    return Explorer(
        compute,
        draw,
        (10, 2.8),
        image=number("image", 0, 0, 50),
        other=choice("turn it into", list(others)),
        share=real("how far", 0, 0, 1, 0.05),
    )


def finite_sample(digits: Digits) -> Explorer:
    """What N draws know of the mean: the mean images of four datasets of N draws, and their errors.

    The draws come from `digits` itself, each digit equally likely and the same one may come twice; so the
    true mean is known, and the expected error is √(V / N) to the last digit.
    """

    @lru_cache
    def of_class(label: str) -> tuple[Tensor, Tensor, float]:
        points = (digits if label == "any" else digits.only(int(label))).images.flatten(1)
        return points, points.mean(0), points.var(0, correction=0).sum().item() ** 0.5

    def compute(label: str, count: int, redraw: int):
        points, mean, spread = of_class(label)
        generator = torch.Generator().manual_seed(redraw)
        rows = torch.randint(len(points), (REDRAWS, count), generator=generator)
        means = torch.stack([points[dataset].mean(0) for dataset in rows])
        errors = (means - mean).norm(dim=1).tolist()
        return SimpleNamespace(
            count=count,
            means=means.view(-1, 1, 16, 16),
            errors=errors,
            expected=spread / count**0.5,
            line=np.log10([(n, spread / n**0.5) for n in (SIZES[0], SIZES[-1])]),
            dots=np.log10([(count, error) for error in errors]),  # axes with such a scale are slow to draw
        )

    def draw(figure: Figure, frame) -> str:
        left, right = figure.subplots(1, 2, width_ratios=(1.6, 1))
        off = [f"{error:.2f}" for error in frame.errors]
        image_grid(frame.means, [f"off by {error}" for error in off], columns=REDRAWS, ax=left)
        right.plot(*frame.line.T, color=EXACT, label="√(V / N)")
        right.plot(*frame.dots.T, "o", color=MARK, label="four datasets")
        right.set_xticks(range(4), ["1", "10", "100", "1,000"])
        right.set_yticks(range(-1, 2), ["0.1", "1", "10"])
        right.set(ylim=(-1.4, 1.3), xlabel="N, images in the dataset")
        right.set_title("distance to the true mean", fontsize=12)
        right.legend(fontsize=10)
        return (
            f"N = {frame.count}: the means of four datasets are off by {', '.join(off)}; "
            f"√(V / N) is {frame.expected:.2f}."
        )

    return Explorer(
        compute,
        draw,
        (9.6, 3),
        label=choice("digit", ["3", "any", *(str(k) for k in range(10) if k != 3)]),
        count=widgets.SelectionSlider(options=SIZES, value=1, description="N"),
        redraw=number("draw again", 0, 0, 20),
    )


def _squeezed(values: Tensor) -> Tensor:
    """Where a log-density stands on the axis: evenly near 0, like a logarithm far away, on both sides.

    (An axis of matplotlib with such a scale is slower to draw.)
    """
    return (values / 50).asinh()


# The answers of the exercises


def density_and_probability(answer: Any) -> None:
    """Exercise 1: the density of U[0, 0.1], and its probability between 0.02 and 0.05."""
    width, part = 0.1, 0.05 - 0.02
    mistakes = {
        "a density may be above 1: its area, height times width, must be 1": [1.0, part / width],
        "this is the width 0.1, not the height that gives the area 1": [width, part / width],
        "the density is right; the probability is the area from 0.02 to 0.05: height times width": [
            1 / width,
            part,
        ],
        "the density is right; this is the share between 0 and 0.05": [1 / width, 0.05 / width],
        "the numbers are right, their order is not: the density first": [part / width, 1 / width],
    }
    check_answer("Exercise 1", answer, [1 / width, part / width], mistakes)


def images_for_a_smaller_error(answer: Any) -> None:
    """Exercise 2: a fourth of the standard error of 50 images needs 16 times as many."""
    mistakes = {
        "four times as many images halve the error: N stands under a root": 50 * 4,
        "the root goes the other way: more images are needed, by the square": 50 * 2,
        "so many more are needed; with the 50 it makes": 750,
        "this is how many times as many": 16,
    }
    check_answer("Exercise 2", answer, 800, mistakes)


def root_of_a_covariance(answer: Any) -> None:
    """Exercise 3: any L with L Lᵀ = C; what is compared is L Lᵀ."""
    C = torch.tensor([[9.0, 3.0], [3.0, 5.0]], dtype=torch.float64)
    root = torch.linalg.cholesky(C)
    entries = C.sqrt()
    mistakes = {
        "this is C itself; a matrix L is needed whose product L Lᵀ is C": C @ C.T,
        "this is the root of each entry; the product L Lᵀ must be C": entries @ entries.T,
        "this is Lᵀ: L x_0 has the covariance L Lᵀ, not Lᵀ L": root.T @ root,
        "the spreads alone leave the two numbers independent": torch.diag(C.diagonal()),
    }
    try:
        given = answer.detach() if isinstance(answer, Tensor) else np.array(answer, dtype=np.float64)
        L = torch.as_tensor(given).double().squeeze()
    except (TypeError, ValueError, RuntimeError):
        L = None
    given = L @ L.T if L is not None and L.shape == (2, 2) else answer
    check_answer("Exercise 3", given, C, mistakes)


def peak_above_the_shell(answer: Any) -> None:
    """Exercise 4: log N(0; 0, I) - log N(x; 0, I) with ‖x‖ = 16."""
    mistakes = {
        "the first term has the factor 1/2": 256,
        "the squared distance counts, not the distance": 8,
        "this is the distance; the log-density falls by half its square": 16,
        "the peak is the higher one: the difference is positive": -128,
    }
    check_answer("Exercise 4", answer, 128, mistakes)
