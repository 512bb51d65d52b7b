"""Lesson 08: schedules of a path, conventions that go together or do not, and two views of one particle."""

import math
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits
from flowlib.fields import marginal_field, posterior_mean, posterior_weights
from flowlib.lessons.checks import check_answer, check_function
from flowlib.lessons.explorer import Explorer, choice, number, real
from flowlib.paths import AffinePath
from flowlib.plots import DATA, EXACT, MARK, NOISE, film_strip, image_grid, pulls
from flowlib.solvers import Trajectory, solve_ode, time_grid

LAST = 0.98  # where the exact field of a few points is followed to; at 1 it does not exist
SLIDER_STEPS = 49  # of 0.02 each, from 0 to `LAST`: so many of the grid, too


def schedules(digits: Digits, paths: dict[str, AffinePath]) -> Explorer:
    """One digit and one noise on a chosen path: x_t, its velocity, the two weights and their ratio."""
    grid = time_grid(100)
    noise = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))

    def compute(name: str, digit: int, t: float):
        path, time = paths[name], torch.tensor([t])
        images = torch.cat(path.sample(noise, digits.only(digit).images[:1], time))
        alphas, sigmas = path.alpha(grid), path.sigma(grid)
        return SimpleNamespace(
            name=name, digit=digit, t=t, images=images, speed=images[1].norm().item(),
            weights=(path.alpha(time).item(), path.sigma(time).item()), alphas=alphas, sigmas=sigmas,
            ratio=2 * (alphas / sigmas)[1:-1].log10(),
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
        image_grid(frame.images, [f"x at t = {frame.t:.2f}", "velocity"], ax=left)
        middle.plot(grid, frame.alphas, color=DATA, label="α")
        middle.plot(grid, frame.sigmas, "--", color=NOISE, label="σ")
        middle.plot([frame.t] * 2, frame.weights, "o", color=MARK)
        middle.set(title="weights", ylim=(-0.02, 1.02), yticks=[0, 0.5, 1])
        middle.legend(loc="center left")
        right.plot(grid[1:-1], frame.ratio, color=EXACT)
        right.set(title="log₁₀ of α²/σ²", ylim=(-4, 4), yticks=[-3, 0, 3])
        for ax in (middle, right):
            ax.axvline(frame.t, color=MARK, linewidth=1)
            ax.set(xlabel="t", xlim=(0, 1), xticks=[0, 0.5, 1])
        alpha, sigma = frame.weights
        return (
            f"Path {frame.name}, digit {frame.digit}, t = {frame.t:.2f}: {alpha:.2f} of the digit, "
            f"{sigma:.2f} of the noise. The velocity has length {frame.speed:.1f}."
        )

    return Explorer(
        compute,
        draw,
        (10, 2.9),
        name=choice("path", list(paths)),
        digit=choice("digit", [3, 0, 1, 2, 4, 5, 6, 7, 8, 9]),
        t=real("t", 0.3, 0, 1, 0.02),
    )


def switchboard(
    films: dict[tuple[str, str], Trajectory], scores: dict[tuple[str, str], tuple[float, float]]
) -> Explorer:
    """What comes out when a network learned one target and a sampler takes its answer for a velocity.

    `films`: a trajectory of a few images for each (target, sampler); `scores`: its accuracy and its Fréchet
    distance. Raises `ValueError` where a pair of a target and a sampler has no film or no score.
    """
    targets, samplers = (list(dict.fromkeys(key[place] for key in films)) for place in (0, 1))
    pairs = [(target, sampler) for target in targets for sampler in samplers]
    if not pairs or not films.keys() == scores.keys() == set(pairs):
        raise ValueError("switchboard needs a film and a score for every target with every sampler")

    def compute(target: str, sampler: str):
        film = films[target, sampler]
        return target, sampler, film, film.end.std().item(), scores[target, sampler]

    def draw(figure: Figure, frame) -> str:
        target, sampler, film, spread, (read, far) = frame
        ax = film_strip(film, frames=6, columns=2, ax=figure.add_subplot())
        ax.set_title(f"read right {read:.0%}, Fréchet distance {far:.0f}", pad=24)
        return (
            f"Target {target}, sampler: {sampler}. Of 100 images {read:.0%} are read right; Fréchet "
            f"distance {far:.1f}; standard deviation of the pixels shown {spread:.1f}."
        )

    return Explorer(
        compute,
        draw,
        (9.6, 4.4),
        target=choice("target learned", targets),
        sampler=choice("sampler", samplers),
    )


def two_views(data: Tensor, paths: dict[str, AffinePath], start: Tensor) -> Explorer:
    """One noise in the plane: its trajectory in the field of all `data`, and the pair with the same two ends.

    `data`: `(n, 2)`; `start`: the noises to choose from, `(batch, 2)`. All in one dtype.
    """

    @lru_cache
    def both(name: str) -> tuple[Trajectory, Tensor]:
        path, grid = paths[name], time_grid(SLIDER_STEPS, end=LAST)
        fine = time_grid(4 * SLIDER_STEPS, end=LAST)
        followed = solve_ode(marginal_field(data, path), start, fine, "rk4")
        x_1 = data[_ends(followed, data, path)]
        pairs = torch.stack([path.sample(start, x_1, t.expand(len(start)))[0] for t in grid])
        return Trajectory(grid, followed.xs[::4]), pairs  # (time, batch, 2) both

    def compute(name: str, particle: int, t: float):
        trajectory, pairs = both(name)
        k = round(t / LAST * SLIDER_STEPS)
        x, on_pair = trajectory.xs[k, particle], pairs[k, particle]
        weights = posterior_weights(x[None], trajectory.ts[k : k + 1], data, paths[name])[0]
        return SimpleNamespace(
            name=name, t=t, x=x, on_pair=on_pair, weights=weights, apart=(on_pair - x).norm(),
            followed=trajectory.xs[:, particle], pair=pairs[:, particle],
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        ax = pulls(frame.x, data, frame.weights, ax=figure.add_subplot())
        ax.plot(*frame.pair.T, "--", color=NOISE, label="the pair")
        ax.plot(*frame.followed.T, color=EXACT, label="the field")
        ax.plot(*frame.on_pair[:, None], "o", color=NOISE, markersize=10)
        ax.set(xlim=(-3, 3), ylim=(-3, 3), title=f"t = {frame.t:.2f}")
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        shares = ", ".join(f"{weight:.2f}" for weight in frame.weights.tolist())
        return (
            f"Path {frame.name}, t = {frame.t:.2f}: the particle of the field is {frame.apart:.2f} away from "
            f"that of the pair with its two ends. Weights of the data points: {shares}."
        )

    return Explorer(
        compute,
        draw,
        (6.6, 4.4),
        name=choice("path", list(paths)),
        particle=number("particle", 0, 0, len(start) - 1),
        t=real("t", 0.5, 0, LAST, 0.02),
    )


def _ends(trajectory: Trajectory, data: Tensor, path: AffinePath) -> Tensor:
    """Which data point each trajectory is heading for when it stops, `(batch,)`."""
    t = trajectory.ts[-1].expand(len(trajectory.end))
    return torch.cdist(posterior_mean(trajectory.end, t, data, path), data).argmin(1)


# The answers of the exercises


def velocity_on_the_line(answer: Any) -> None:
    """Exercise 1: (x_1 - x)/(1 - t) for x = 1, t = 3/4, x_1 = 4."""
    x, t, x_1 = 1.0, 0.75, 4.0
    mistakes = {
        "this is the way that is left; a velocity is the way over the time that is left": x_1 - x,
        "this divides by t, the time that has passed; what counts is the time that is left": (x_1 - x) / t,
        "this leads away from the data": (x - x_1) / (1 - t),
        "this multiplies by the time that is left; divide by it": (x_1 - x) * (1 - t),
    }
    check_answer("Exercise 1", answer, (x_1 - x) / (1 - t), mistakes)


def velocity_with_a_floor(answer: Any) -> None:
    """Exercise 2: a function of x, t, x_1, the conditional velocity of α_t = t, σ_t = 1 - 0.9 t."""
    x, t, x_1 = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.6, 0.95], [2.0, 1.0, -0.5]], dtype=torch.float64)
    keep = 0.9  # 1 - σ_min
    sigma, away = 1 - keep * t, x - t * x_1
    mistakes = {
        "this is the line that ends at σ = 0; here σ_1 is 0.1": (x_1 - x) / (1 - t),
        "σ is right, but its derivative is −0.9, not −1": x_1 - away / sigma,
        "the derivative of σ is −0.9; this has it positive": x_1 + keep * away / sigma,
        "the noise is (x − t x_1)/σ; here the division by σ is missing": x_1 - keep * away,
        "this subtracts x where x − t x_1 belongs": x_1 - keep * x / sigma,
    }
    check_function("Exercise 2", answer, (x, t, x_1), x_1 - keep * away / sigma, mistakes)


def heading_in_another_convention(answer: Any) -> None:
    """Exercise 3: noise at t = 1, x_t = (1 - t) x_1 + t x_0, answer v of x_0 - x_1: the data is x - t v."""
    x, t, v = 0.5, 0.2, 2.0
    mistakes = {
        "this is our formula, x + (1 − t) v. There, t = 1 is noise: it points to the noise": x + (1 - t) * v,
        "this leads to the data for the opposite sign of v": x + t * v,
        "the time left to the data is t there, not 1 − t": x - (1 - t) * v,
        "this goes a whole unit of time, but only t = 0.2 is left to the data": x - v,
    }
    check_answer("Exercise 3", answer, x - t * v, mistakes)


def same_picture_on_the_arc(answer: Any) -> None:
    """Exercise 4: the t at which the arc has the ratio α/σ that the line has at t = 1/4, within 0.001."""
    mistakes = {
        "here the digit weighs the same on both; what counts is α/σ": 2 / math.pi * math.asin(0.25),
        "here the noise weighs the same on both; what counts is α/σ": 2 / math.pi * math.acos(0.75),
        "this is α/σ on the line; which t gives it on the arc?": 1 / 3,
        "the arc needs another t, or it would be the line": 0.25,
        "this is πt/2, the angle; solve it for t": math.atan(1 / 3),
        "this is the angle in degrees; t runs from 0 to 1": math.degrees(math.atan(1 / 3)),
        "this has σ/α for α/σ": 2 / math.pi * math.atan(3),
    }
    check_answer("Exercise 4", answer, 2 / math.pi * math.atan(1 / 3), mistakes, tol=5e-3)
