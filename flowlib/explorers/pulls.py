"""Lesson 06: who pulls a point, in the plane and among the digits, and how strongly."""

import math
from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits
from flowlib.explorers.base import Explorer, number, real
from flowlib.fields import posterior_weights
from flowlib.paths import LinearPath
from flowlib.plots import EXACT, MARK, image_grid
from flowlib.plots import pulls as draw_pulls

TOP = 8  # images shown


def pulls_at_a_place(data: Tensor) -> Explorer:
    """A place in the plane, the weights of the few points `data` `(n, 2)` there, and where they pull it."""

    def compute(across: float, up: float, t: float):
        x, time = torch.tensor([[across, up]]).to(data), torch.tensor([t]).to(data)
        return x[0], posterior_weights(x, time, data, LinearPath())[0], t

    def draw(figure: Figure, frame) -> str:
        x, weights, t = frame
        mean = weights @ data
        velocity = (mean - x) / (1 - t)
        ax = draw_pulls(x, data, weights, mean, ax=figure.add_subplot())
        for end, weight in zip(data.tolist(), weights.tolist()):
            away = torch.tensor(end).to(x) - x  # beyond the point, where no arrow lies
            aside = (20 * away / away.norm().clamp(min=1e-9)).tolist()
            ax.annotate(
                f"{weight:.0%}", end, aside, textcoords="offset points", ha="center", va="center", fontsize=12
            )
        ax.set(xlim=(-3, 3), ylim=(-3, 3))
        ax.set_title(f"t = {t:.2f}: velocity ({velocity[0]:.2f}, {velocity[1]:.2f})")
        shares = ", ".join(f"{weight:.0%}" for weight in weights)
        return (
            f"At ({x[0]:.1f}, {x[1]:.1f}) and t = {t:.2f} the weights of the points are {shares}; "
            f"the average velocity is ({velocity[0]:.2f}, {velocity[1]:.2f})."
        )

    return Explorer(
        compute,
        draw,
        (5.4, 4.8),
        across=real("x, left to right", 0.6, -2.5, 2.5, 0.1),
        up=real("x, bottom to top", 0.4, -2.5, 2.5, 0.1),
        t=real("t", 0.2, 0, 0.98, 0.02),
    )


def pulls_on_a_digit(digits: Digits) -> Explorer:
    """A digit mixed with noise: which of N images pull it, how strongly, and how many do at each time.

    Of image i, log w_i = -(r² ‖a - x_i‖² / 2 + r z·(a - x_i)) + constant for the digit a, the noise z and
    r = t / (1 - t): two products per digit and noise serve for all times and all N.
    """
    points = digits.images.flatten(1).double()
    times = torch.linspace(0, 0.9, 46).double()

    @lru_cache
    def gaps(digit: int, noise: int) -> tuple[Tensor, Tensor, Tensor]:
        generator = torch.Generator().manual_seed(noise)
        z = torch.randn(points.shape[1], generator=generator).double()
        away = points[digit] - points
        return z, away.square().sum(1) / 2, away @ z

    def weights(digit: int, noise: int, t: Tensor, n: int) -> Tensor:
        _, squares, products = gaps(digit, noise)
        r = (t / (1 - t))[:, None]
        return (-(r**2) * squares[:n] - r * products[:n]).softmax(1)

    @lru_cache
    def counts(digit: int, noise: int, n: int) -> Tensor:
        return effective_number(weights(digit, noise, times, n))

    def compute(digit: int, noise: int, t: float, n: int):
        z, _, _ = gaps(digit, noise)
        x_t = t * points[digit] + (1 - t) * z
        now = weights(digit, noise, torch.tensor([t]).double(), n)
        best = now[0].topk(TOP)
        images = torch.cat([x_t[None], points[best.indices], now @ points[:n]]).view(-1, 1, 16, 16)
        return images, best.values, effective_number(now).item(), counts(digit, noise, n), t, n

    def draw(figure: Figure, frame) -> str:
        images, best, many, curve, t, n = frame
        above, below = figure.subplots(2, 1, height_ratios=(1, 1.5))
        shares = [f"{w:.1%}" for w in best.tolist()]
        image_grid(images, ["x", *shares, "average"], columns=TOP + 2, ax=above)
        below.plot(times, curve.log10(), color=EXACT)
        below.plot([t], [math.log10(many)], "o", color=MARK, markersize=9)
        below.set(xlabel="t", xlim=(0, 0.9), ylim=(-0.1, 0.1 + math.log10(len(points))))
        below.set_yticks([0, 1, 2, 3], ["1", "10", "100", "1000"])  # a logarithmic axis takes 60 ms more
        below.set_title(f"t = {t:.2f}: {many:,.1f} of {n:,} images pull", loc="right")
        return (
            f"At t = {t:.2f}, {many:,.1f} of {n:,} images pull, in effect; the strongest have the weights "
            f"{', '.join(shares)}."
        )

    return Explorer(
        compute,
        draw,
        (9.4, 4.2),
        digit=number("digit", 3, 0, 9),
        noise=number("noise number", 0, 0, 50),
        t=real("t", 0.3, 0, 0.9, 0.02),
        n=number("N", len(points), 10, len(points)),
    )


def effective_number(weights: Tensor) -> Tensor:
    """exp(H) of weights `(batch, n)` with H = -Σ w log w: n for equal weights, 1 where one has them all."""
    return torch.special.entr(weights).sum(1).exp()
