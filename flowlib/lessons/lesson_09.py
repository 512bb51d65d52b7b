"""Lesson 09: how many steps a solver needs, where an image is heading, and a drawing as a start."""

from functools import lru_cache, partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.gaussians import NO_CLASS
from flowlib.lessons.checks import check_answer
from flowlib.lessons.drawings import image_of, noised
from flowlib.lessons.explorer import Explorer, choice, drawing, number, real
from flowlib.metrics import load_judge
from flowlib.models import VelocityNet, generate
from flowlib.plots import EXACT, image_grid, paths_2d
from flowlib.solvers import Trajectory, solve_ode, time_grid
from flowlib.types import Field


def solver_steps(field: Field, data: Tensor, start: Tensor) -> Explorer:
    """Points in the plane driven along `field` by Euler's method, with a chosen number of steps."""

    def compute(steps: int):
        trajectory = solve_ode(field, start, time_grid(steps))
        away, nearest = torch.cdist(trajectory.end, data).min(1)
        return steps, trajectory, nearest.bincount(minlength=len(data)).tolist(), away.mean().item()

    def draw(figure: Figure, frame) -> str:
        steps, trajectory, shares, away = frame
        ax = paths_2d(trajectory, data, color=EXACT, ax=figure.add_subplot())
        ax.set(xlim=(-3, 3), ylim=(-3, 3))
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return (
            f"{steps} Euler steps: the data points get {shares} of the {sum(shares)} points, "
            f"which end {away:.2f} away on average."
        )

    return Explorer(compute, draw, (6.6, 4.4), steps=number("Euler steps", 1, 1, 50))


def heading(model: VelocityNet, steps: int = 20) -> Explorer:
    """One noise on its way: x_t, the velocity there, and where it is heading."""

    @lru_cache
    def trajectory(label: int, noise: int) -> Trajectory:
        return generate(model, torch.tensor([label]), steps, seed=noise)

    @torch.no_grad()
    def compute(label: int, noise: int, t: float):
        k = round(t * steps)
        time, x = trajectory(label, noise).ts[k].float(), trajectory(label, noise).xs[k]
        v = model(x, time.expand(1), label=torch.tensor([label]))
        images = torch.cat([x, v, model.path.endpoint(x, v, time.expand(1))]).cpu()
        reads = load_judge()(images[[0, 2]].clamp(-1, 1)).argmax(1).tolist()
        return t, label, images, reads

    def draw(figure: Figure, frame) -> str:
        t, label, images, reads = frame
        image_grid(images, [f"x at t = {t:.2f}", "velocity v", "heading for"], ax=figure.add_subplot())
        return (
            f"Class {label} at t = {t:.2f}: the judge reads x as a {reads[0]}, "
            f"and where it is heading as a {reads[1]}."
        )

    return Explorer(
        compute,
        draw,
        (7.2, 3),
        label=choice("digit", list(range(10))),
        noise=number("noise number", 0, 0, 50),
        t=real("t", 0, 0, 1, 1 / steps),
    )


def finished_drawing(model: VelocityNet, steps: int = 25) -> Explorer:
    """A drawing, noised to x_t = t drawing + (1 - t) noise, and what the field of `model` makes of x_t.

    Source: Meng et al. 2021, arXiv:2108.01073, there with a diffusion model.
    """

    @torch.no_grad()
    def compute(drawing: str, label: str | int, noise: int, t: float):
        k = round(t * steps)
        image = image_of(drawing)
        told = torch.tensor([NO_CLASS if label == "any" else label])
        x_t = noised(image, noise, k / steps, model.path).to(next(model.parameters()))
        end = solve_ode(partial(model, label=told), x_t, time_grid(steps)[k:]).end.cpu()
        reads = load_judge()(torch.cat([image, end.clamp(-1, 1)])).argmax(1).tolist()
        return torch.cat([image, x_t.cpu(), end]), reads, (image - end).norm().item(), label, t

    def draw(figure: Figure, frame) -> str:
        images, reads, far, label, t = frame
        image_grid(images, ["drawn", f"x at t = {t:.2f}", "finished"], ax=figure.add_subplot())
        return (
            f"From t = {t:.2f}, told {label}: the judge reads the drawing as a {reads[0]}, and what becomes "
            f"of it, {far:.1f} away, as a {reads[1]}."
        )

    return Explorer(
        compute,
        draw,
        (7.2, 2.7),
        drawing=drawing("drawing"),
        label=choice("digit", ["any", *range(10)]),
        noise=number("noise number", 0, 0, 50),
        t=real("t", 0.4, 0, 1 - 1 / steps, 1 / steps),
    )


# The answers of the exercises


def target_of_a_pair(answer: Any) -> None:
    """Exercise 1: the velocity x_1 - x_0 for x_0 = (3, -1), x_1 = (-1, 1)."""
    x_0, x_1 = torch.tensor([3.0, -1.0]), torch.tensor([-1.0, 1.0])
    mistakes = {
        "this is x_0 − x_1, which leads from the digit back to the noise": x_0 - x_1,
        "this is x_0 + x_1, the slip with the bracket: the velocity is a difference": x_0 + x_1,
        "this is where the point is at t = 1/2; the question is how fast it moves": (x_0 + x_1) / 2,
        "this is half the way; the velocity covers the whole way in one unit of time": (x_1 - x_0) / 2,
        "this is the end x_1, not the velocity towards it": x_1,
    }
    check_answer("Exercise 1", answer, x_1 - x_0, mistakes)


def where_a_pixel_is_heading(answer: Any) -> None:
    """Exercise 2: x_t + (1 - t) v for x_t = 0.2, t = 0.6, v = 1.5."""
    x, t, v = 0.2, 0.6, 1.5
    mistakes = {
        "this goes on for t, the time that has passed; what counts is the time that is left": x + t * v,
        "this goes on for a whole unit of time, but 0.6 of it is over": x + v,
        "this runs backwards: the velocity points to the data": x - (1 - t) * v,
        "this is the way that is left; where does it start?": (1 - t) * v,
    }
    check_answer("Exercise 2", answer, x + (1 - t) * v, mistakes)


def end_of_51_steps(answer: Any) -> None:
    """Exercise 3: 51 steps of 1/50 end at 1.02."""
    mistakes = {
        "50 steps would end there; these are 51": 1.0,
        "49 steps would end there; these are 51": 0.98,
        "this is the number of steps; each of them has the size 1/50": 51,
    }
    check_answer("Exercise 3", answer, 51 / 50, mistakes)
