"""Lesson 09: how many steps a solver needs, and where an image is heading."""

from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.explorers.base import Explorer, choice, number, real
from flowlib.metrics import load_judge
from flowlib.models import VelocityNet, generate
from flowlib.plots import EXACT, image_grid, paths_2d
from flowlib.solvers import Trajectory, solve_ode, time_grid
from flowlib.types import Field


def solver_steps(field: Field, data: Tensor, start: Tensor) -> Explorer:
    """Points in the plane driven along `field` by Euler's method, with a chosen number of steps."""

    def compute(steps: int):
        return solve_ode(field, start, time_grid(steps))

    def draw(figure: Figure, trajectory: Trajectory) -> str:
        ax = paths_2d(trajectory, data, color=EXACT, ax=figure.add_subplot())
        ax.set(xlim=(-3, 3), ylim=(-3, 3))
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        away, nearest = torch.cdist(trajectory.end, data).min(1)
        shares = nearest.bincount(minlength=len(data)).tolist()
        return (
            f"{len(trajectory.ts) - 1} Euler steps: the data points get {shares} of the {len(away)} points, "
            f"which end {away.mean():.2f} away on average."
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
