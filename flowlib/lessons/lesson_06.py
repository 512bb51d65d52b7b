"""Lesson 06: who pulls a point, in the plane and among the digits, and how strongly."""

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits
from flowlib.fields import log_likelihood, posterior_weights
from flowlib.lessons.checks import check_answer, check_function
from flowlib.lessons.drawings import image_of, noised
from flowlib.lessons.explorer import Explorer, drawing, number, real
from flowlib.paths import LinearPath
from flowlib.plots import EXACT, MARK, image_grid
from flowlib.plots import pulls as draw_pulls

TOP = 8  # images shown


def pulls_at_a_place(data: Tensor) -> Explorer:
    """A place in the plane, the weights of the few points `data` `(n, 2)` there, and where they pull it."""

    def compute(across: float, up: float, t: float):
        x, time = torch.tensor([[across, up]]).to(data), torch.tensor([t]).to(data)
        weights = posterior_weights(x, time, data, LinearPath())[0]
        x, mean = x[0], weights @ data
        return x, t, weights, mean, (mean - x) / (1 - t)

    def draw(figure: Figure, frame) -> str:
        x, t, weights, mean, velocity = frame
        ax = draw_pulls(x, data, weights, mean, ax=figure.add_subplot())
        shares, way = [f"{weight:.0%}" for weight in weights], f"({velocity[0]:.2f}, {velocity[1]:.2f})"
        asides = 20 * torch.nn.functional.normalize(data - x)  # beyond the point, where no arrow lies
        for end, share, aside in zip(data.tolist(), shares, asides.tolist()):
            ax.annotate(share, end, aside, textcoords="offset points", ha="center", va="center", fontsize=12)
        ax.set(xlim=(-3, 3), ylim=(-3, 3), title=f"t = {t:.2f}: velocity {way}")
        return (
            f"At ({x[0]:.1f}, {x[1]:.1f}) and t = {t:.2f} the weights of the points are {', '.join(shares)}; "
            f"the average velocity is {way}."
        )

    return Explorer(
        compute,
        draw,
        (5.4, 4.8),
        across=real("x, across", 0.6, -2.5, 2.5, 0.1),
        up=real("x, upwards", 0.4, -2.5, 2.5, 0.1),
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

    def logs(digit: int, noise: int, t: Tensor, n: int) -> Tensor:
        _, squares, products = gaps(digit, noise)
        r = (t / (1 - t))[:, None]
        return -(r**2) * squares[:n] - r * products[:n]

    @lru_cache
    def powers(digit: int, noise: int, n: int) -> Tensor:
        return effective_number(logs(digit, noise, times, n).softmax(1)).log10()

    def compute(digit: int, noise: int, t: float, n: int):
        z, _, _ = gaps(digit, noise)
        x_t = (t * points[digit] + (1 - t) * z)[None]
        pull = _strongest(x_t, points[:n], logs(digit, noise, torch.tensor([t]).double(), n))
        return t, n, pull, powers(digit, noise, n), math.log10(pull.many)

    def draw(figure: Figure, frame) -> str:
        t, n, pull, curve, power = frame
        above, below = figure.subplots(2, 1, height_ratios=(1, 1.5))
        _draw_strongest(pull, above)
        below.plot(times, curve, color=EXACT)
        below.plot([t], [power], "o", color=MARK, markersize=9)
        below.set(xlabel="t", xlim=(0, 0.9), ylim=(-0.1, 0.1 + math.log10(len(points))))
        below.set_yticks([0, 1, 2, 3], ["1", "10", "100", "1000"])  # a logarithmic axis takes 60 ms more
        below.set_title(f"t = {t:.2f}: {pull.many:,.1f} of {n:,} images pull", loc="right")
        return (
            f"At t = {t:.2f}, {pull.many:,.1f} of {n:,} images pull, in effect; the strongest have the "
            f"weights {', '.join(pull.shares)}."
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


def pulls_on_a_drawing(digits: Digits) -> Explorer:
    """A drawing mixed with noise: the images that pull it, how strongly, and their average."""
    points = digits.images.flatten(1).double()

    def compute(drawing: str, noise: int, t: float):
        x_t = noised(image_of(drawing).double(), noise, t, LinearPath()).flatten(1)
        logs = log_likelihood(x_t, torch.tensor([t]).to(x_t), points, LinearPath())
        return t, _strongest(x_t, points, logs)

    def draw(figure: Figure, frame) -> str:
        t, pull = frame
        ax = _draw_strongest(pull, figure.add_subplot())
        ax.set_title(f"t = {t:.2f}: {pull.many:,.1f} of {len(points):,} images pull", loc="right", pad=4)
        return (
            f"At t = {t:.2f}, {pull.many:,.1f} of {len(points):,} images pull the drawing, in effect; the "
            f"strongest have the weights {', '.join(pull.shares)}."
        )

    return Explorer(
        compute,
        draw,
        (9.4, 1.8),
        drawing=drawing("drawing"),
        noise=number("noise number", 0, 0, 50),
        t=real("t", 0.3, 0, 0.9, 0.02),
    )


def _strongest(x_t: Tensor, points: Tensor, logs: Tensor) -> SimpleNamespace:
    """What is drawn of the pulls at `x_t` `(1, 256)` with the logarithms of weights `logs` `(1, n)`.

    The images with the largest weights, in this order, between the place and the average of all; and how
    many pull, in effect. Of equal weights the first of `points` `(n, 256)` come first, as all at t = 0.
    """
    weights, best = logs.softmax(1), logs[0].argsort(descending=True, stable=True)[:TOP]
    images = torch.cat([x_t, points[best], weights @ points]).view(-1, 1, 16, 16)
    shares = [f"{weight:.1%}" for weight in weights[0, best]]
    return SimpleNamespace(images=images, shares=shares, many=effective_number(weights).item())


def _draw_strongest(pull: SimpleNamespace, ax: Axes) -> Axes:
    return image_grid(pull.images, ["x", *pull.shares, "average"], columns=TOP + 2, ax=ax)


# The answers of the exercises


def velocity_to_one_point(answer: Any) -> None:
    """Exercise 1: (x_1 - x)/(1 - t) for x_1 = (2, -1), x = (1, 1), t = 3/4."""
    x_1, x, t = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 1.0]), 0.75
    mistakes = {
        "this is the way that is left; the velocity is this way over the time that is left": x_1 - x,
        "this divides by the time that has passed; what counts is the time that is left": (x_1 - x) / t,
        "this multiplies by 1 − t; a shorter time needs a larger velocity": (x_1 - x) * (1 - t),
        "this points away from x_1: the velocity leads from x to x_1": (x - x_1) / (1 - t),
        "this is the noise x_0; the velocity is x_1 − x_0": (x - t * x_1) / (1 - t),
    }
    check_answer("Exercise 1", answer, (x_1 - x) / (1 - t), mistakes)


def weight_of_one_point(answer: Any) -> None:
    """Exercise 2: the weight of the data point 3, of 3 and 0, at x = 1 and t = 1/3."""
    near, far = 1.0, math.exp(-1.125)  # the noises are 0 and 1.5
    height = 1 / (math.sqrt(2 * math.pi) * 2 / 3)
    narrow = math.exp(-1 / (2 * 2 / 3))
    mistakes = {
        "this is the weight of the data point 0": far / (near + far),
        "this is p_t(x | x_1), a height; divide it by the sum of both heights": height * near,
        "this is e to the 0, the height without its factor; divide it by the sum of both": near,
        "this is p_t(x), the denominator": height * (near + far) / 2,
        "the spread 1 − t stands squared in the exponent": near / (near + narrow),
        "the bump of x_1 stands around t·x_1, not around x_1": math.exp(-4.5) / (math.exp(-4.5) + far),
        "these are equal shares; the nearer bump must count for more": 0.5,
    }
    check_answer("Exercise 2", answer, near / (near + far), mistakes, tol=5e-3)


def weights_of_unequal_points(answer: Any) -> None:
    """Exercise 3: a function `(x, t, data, p_data)`, Bayes' weights where p_data is not equal."""
    generator = torch.Generator().manual_seed(0)
    x, data = torch.randn(6, 2, generator=generator).double(), torch.randn(4, 2, generator=generator).double()
    t, p_data = torch.linspace(0, 0.8, 6).double(), torch.tensor([0.1, 0.2, 0.3, 0.4]).double()
    likelihood = log_likelihood(x, t, data, LinearPath()).exp()
    mistakes = {
        "p_data plays no part yet; an end that is drawn more often is more likely": likelihood,
        "these are p_t(x | x_1) p_data(x_1), not yet divided by their sum over x_1": likelihood * p_data,
        "p_data divides here; it should multiply p_t(x | x_1)": likelihood / p_data,
    }
    mistakes = {
        hint: value if "not yet" in hint else value / value.sum(1, keepdim=True)
        for hint, value in mistakes.items()
    }
    mistakes["multiply by p_data first, then divide by the sum: these do not add up to 1"] = (
        likelihood / likelihood.sum(1, keepdim=True) * p_data
    )
    mistakes["divide by the sum over the data points, not over the places x"] = (
        likelihood * p_data / (likelihood * p_data).sum(0)
    )
    right = likelihood * p_data / (likelihood * p_data).sum(1, keepdim=True)
    check_function("Exercise 3", answer, (x, t, data, p_data), right, mistakes)


def field_of_a_widening_cloud(answer: Any) -> None:
    """Exercise 4: a function of x `(n, 1)`, t `(n,)`: the field x / (1 + t) that carries N(0, (1 + t)²)."""
    x, t = torch.tensor([[-1.0], [0.5], [2.0]]).double(), torch.tensor([0.0, 0.4, 1.0]).double()
    growth = 1 + t[:, None]
    mistakes = {
        "from x_0 = 1 this field leads to e, not to 2; how fast does (1 + t) x_0 move, said by x and t?": x,
        "this has the sign of a cloud that shrinks": -x / growth,
        "x = (1 + t) x_0, so x_0 is x divided by 1 + t": x * growth,
        "this is every x at every t, (n, n); with t[:, None] each x meets its own t": x / (1 + t),
    }
    check_function("Exercise 4", answer, (x, t), x / growth, mistakes)
