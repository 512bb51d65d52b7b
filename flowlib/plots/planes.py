"""Figures of points: clouds, fields and trajectories in the plane, and numbers against time."""

import torch
from matplotlib.axes import Axes
from torch import Tensor

from flowlib.plots.figures import CLASSES, DATA, EXACT, LEARNED, MARKERS, NOISE, as_array, new_axes
from flowlib.solvers import Trajectory
from flowlib.types import Field


def clouds(points: dict[str, Tensor], ax: Axes | None = None) -> Axes:
    """Point clouds `(n, 2)` by name, each with its colour and its marker."""
    if len(points) > len(CLASSES):
        raise ValueError(f"clouds draws at most {len(CLASSES)} clouds, but got {len(points)}")
    ax = ax or new_axes(6, 4.5)
    for (name, cloud), colour, marker in zip(points.items(), CLASSES, MARKERS):
        ax.scatter(*as_array(cloud).T, s=14, color=colour, marker=marker, alpha=0.5, linewidths=0, label=name)
    ax.legend(markerscale=1.6)
    return ax


def paths_2d(trajectory: Trajectory, data: Tensor, color: str = LEARNED, ax: Axes | None = None) -> Axes:
    """Trajectories of points in the plane, from grey starts to their ends; `data` `(n, 2)` as diamonds."""
    ax = ax or new_axes(5, 4.5)
    across, up = as_array(trajectory.xs).transpose(2, 0, 1)
    ax.plot(across, up, color=color, linewidth=1, alpha=0.7)
    ax.scatter(across[0], up[0], s=14, color=NOISE, zorder=3, label="t = 0, noise")
    ax.scatter(across[-1], up[-1], s=14, color=DATA, zorder=4, label="t = 1")
    ax.scatter(
        *as_array(data).T, s=110, marker="D", facecolors="none", edgecolors=DATA, zorder=5, label="data"
    )
    ax.set_aspect("equal")
    return ax


def curve(x, y, label: str | None = None, color: str = LEARNED, ax: Axes | None = None) -> Axes:
    """One line, with a name for the legend."""
    ax = ax or new_axes(6, 3)
    ax.plot(x, y, color=color, label=label)
    if label:
        ax.legend()
    return ax


def arrows(
    field: Field,
    t: float = 0.0,
    span: float = 3.0,
    count: int = 15,
    color: str = EXACT,
    ax: Axes | None = None,
) -> Axes:
    """A field of the plane at time `t`: one arrow at each of `count`² places in [-span, span]².

    The arrows of one figure have their lengths in proportion; the longest is as long as two places are apart.
    """
    ax = ax or new_axes(5, 4.5)
    places = torch.linspace(-span, span, count, dtype=torch.float64)
    x = torch.cartesian_prod(places, places)  # (count², 2)
    with torch.no_grad():
        u = field(x, torch.full((len(x),), t, dtype=torch.float64))
    longest = u.norm(dim=1).max().item() or 1.0
    scale = longest / (2 * span / (count - 1))
    ax.quiver(
        *as_array(x).T,
        *as_array(u).T,
        angles="xy",
        scale_units="xy",
        scale=scale,
        color=color,
        width=4e-3,
    )
    ax.set_aspect("equal")
    return ax


def against_time(trajectory: Trajectory, color: str = LEARNED, ax: Axes | None = None, **line) -> Axes:
    """Trajectories of numbers, `xs` `(time, batch, 1)`: x upwards, t from left to right."""
    ax = ax or new_axes(5, 3.4)
    ax.plot(as_array(trajectory.ts), as_array(trajectory.xs.flatten(1)), color=color, **line)
    ax.set(xlabel="t", ylabel="x")
    return ax
