"""Figures of points: clouds, fields and trajectories in the plane, and numbers against time."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor

from flowlib.plots.figures import (
    CLASSES,
    DATA,
    EXACT,
    LEARNED,
    MARK,
    MARKERS,
    NOISE,
    as_array,
    as_points,
    new_axes,
)
from flowlib.solvers import Trajectory
from flowlib.types import Field, check_count, check_finite, evaluate


def clouds(points: dict[str, Tensor], ax: Axes | None = None) -> Axes:
    """Point clouds `(n, 2)` by name, each with its colour and its marker."""
    if not 1 <= len(points) <= len(CLASSES):
        raise ValueError(f"clouds draws 1 to {len(CLASSES)} clouds, but got {len(points)}")
    places = {name: as_points(f"the cloud {name!r}", cloud) for name, cloud in points.items()}
    ax = ax or new_axes(6, 4.5)
    for (name, cloud), colour, marker in zip(places.items(), CLASSES, MARKERS):
        ax.scatter(*cloud.T, s=14, color=colour, marker=marker, alpha=0.5, linewidths=0, label=name)
    ax.legend(markerscale=1.6)
    return ax


def paths_2d(
    trajectory: Trajectory, data: Tensor | None = None, color: str = LEARNED, ax: Axes | None = None
) -> Axes:
    """Trajectories of points in the plane, from grey starts to their ends; `data` `(n, 2)` as diamonds.

    `ts`: `(time,)`, `xs`: `(time, batch, 2)`.
    """
    ts, xs = as_array(trajectory.ts), as_array(trajectory.xs)
    if xs.ndim != 3 or xs.shape[2] != 2 or not len(xs) or ts.shape != xs.shape[:1]:
        raise ValueError(
            f"paths_2d needs trajectories in the plane, ts (time,) and xs (time, batch, 2), "
            f"but has {ts.shape} and {xs.shape}"
        )
    if data is not None:
        as_points("data", data)
    ax = ax or new_axes(5, 4.5)
    across, up = xs.transpose(2, 0, 1)
    ax.plot(across, up, color=color, linewidth=1, alpha=0.7)
    ax.scatter(across[0], up[0], s=14, color=NOISE, zorder=3, label="t = 0, noise")
    ax.scatter(across[-1], up[-1], s=14, color=DATA, zorder=4, label=f"t = {ts[-1]:g}")
    if data is not None:
        diamonds(data, ax)
    ax.margins(0.08)  # room for a diamond at the rim
    ax.set_aspect("equal")
    return ax


def curve(
    x: Tensor | Sequence[float],
    y: Tensor | Sequence[float],
    label: str | None = None,
    color: str = LEARNED,
    ax: Axes | None = None,
) -> Axes:
    """One line through x and y, two lists or tensors of one length, with a name for the legend."""
    xs, ys = as_array(x), as_array(y)
    if xs.shape[:1] != ys.shape[:1]:
        raise ValueError(f"a curve needs as many x as y, but they have the shapes {xs.shape} and {ys.shape}")
    ax = ax or new_axes(6, 3)
    ax.plot(xs, ys, color=color, label=label)
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

    The arrows of one figure have their lengths in proportion; the longest spans 0.85 of a gap. Raises
    `ValueError` for a `count` below 2, a `span` not above 0, and velocities of another shape or not finite.
    """
    count = check_count("count", count, least=2)
    _check_span(span)
    places = torch.linspace(-span, span, count, dtype=torch.float64)
    x = torch.cartesian_prod(places, places)  # (count², 2)
    with torch.no_grad():
        u = evaluate(field, x, torch.full((len(x),), t, dtype=torch.float64))
    if not u.isfinite().all():
        raise ValueError(f"the field is not finite everywhere on the square at t = {t:g}")
    ax = ax or new_axes(5, 4.5)
    longest = u.norm(dim=1).max().item() or 1.0
    scale = longest / (0.85 * 2 * span / (count - 1))
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


def lattice(
    flow: Callable[[Tensor], Tensor],
    span: float = 2.0,
    cells: int = 8,
    color: str = EXACT,
    ax: Axes | None = None,
) -> Axes:
    """What a map of the plane, such as ψ_t, makes of the lattice of `cells`² squares on [-span, span]².

    `flow` takes points `(n, 2)` to points `(n, 2)`. Grey: the lattice before; in `color`: its image. One
    square is filled, before and after: the one whose lower left corner is (0, 0), where `cells` is even.
    Raises `ValueError` for `cells` below 1, a `span` not above 0 and a flow that changes the shape.
    """
    cells = check_count("cells", cells)
    _check_span(span)
    along = torch.linspace(-span, span, 10 * cells + 1, dtype=torch.float64)
    upright = torch.stack([torch.stack([c.expand_as(along), along], dim=1) for c in along[::10]])
    lines = torch.cat([upright, upright.flip(2)])  # (2 cells + 2, 10 cells + 1, 2)
    low, high = cells // 2, cells // 2 + 1
    side = slice(10 * low, 10 * high + 1)
    bottom, right, top, left = (lines[i, side] for i in (cells + 1 + low, high, cells + 1 + high, low))
    square = torch.cat([bottom, right, top.flip(0), left.flip(0)])
    points = torch.cat([lines.flatten(0, 1), square])
    with torch.no_grad():
        images = flow(points)
    check_finite(**{"what flow gave": images})
    if images.shape != points.shape:
        raise ValueError(f"flow takes points (n, 2) to points (n, 2), but gave {tuple(images.shape)}")
    ax = ax or new_axes(5, 4.5)
    after = images[: -len(square)].view_as(lines), images[-len(square) :]
    for (grid, filled), colour, width in (((lines, square), NOISE, 0.7), (after, color, 1.2)):
        ax.add_collection(LineCollection([*as_array(grid)], colors=colour, linewidths=width))
        ax.fill(*as_array(filled).T, color=colour, alpha=0.45)
    ax.autoscale_view()
    ax.set_aspect("equal")
    return ax


def log_log(lines: dict[str, tuple[Tensor, Tensor]], ax: Axes | None = None) -> Axes:
    """Up to four lines (x, y) by name, both axes logarithmic: y = C x^p is straight, and p is its slope."""
    looks = list(zip((*CLASSES, "black"), (*MARKERS, "D")))
    if len(lines) > len(looks):
        raise ValueError(f"log_log draws at most {len(looks)} lines, but got {len(lines)}")
    drawn = {name: (as_array(x), as_array(y)) for name, (x, y) in lines.items()}
    ax = ax or new_axes(5, 3.8)
    for (name, (x, y)), (colour, marker) in zip(drawn.items(), looks):
        look = {"color": colour, "marker": marker, "markersize": 5, "linewidth": 1.5}
        ax.loglog(x, y, label=name, **look)
    ax.minorticks_off()
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return ax


def against_time(trajectory: Trajectory, color: str = LEARNED, ax: Axes | None = None, **line: Any) -> Axes:
    """Trajectories of numbers, `xs` `(time, batch, 1)`: x upwards, t from left to right."""
    ts, xs = as_array(trajectory.ts), as_array(trajectory.xs)
    if xs.ndim != 3 or xs.shape[2] != 1 or ts.shape != xs.shape[:1]:
        raise ValueError(
            f"against_time needs trajectories of numbers, ts (time,) and xs (time, batch, 1), "
            f"but has {ts.shape} and {xs.shape}"
        )
    ax = ax or new_axes(5, 3.4)
    ax.plot(ts, xs[:, :, 0], color=color, **line)
    ax.set(xlabel="t", ylabel="x")
    return ax


def pulls(
    x: Tensor, ends: Tensor, weights: Tensor | None = None, mean: Tensor | None = None, ax: Axes | None = None
) -> Axes:
    """At a place `x` `(2,)`: an arrow to each of `ends` `(n, 2)`, as thick as its weight, and one to `mean`.

    An arrow's length is the way that is left, which on the linear path is 1 - t times the velocity.
    `weights`: `(n,)`; without them all arrows are alike. Raises `ValueError` where these shapes do not fit.
    """
    as_points("ends", ends)
    shares = torch.ones(len(ends)) / 2 if weights is None else weights
    check_finite(x=x)
    check_finite(weights=shares)
    check_finite(mean=x if mean is None else mean)
    if x.shape != (2,) or shares.shape != ends.shape[:1] or (mean is not None and mean.shape != (2,)):
        raise ValueError(
            f"pulls needs x and mean (2,) and a weight for each of {len(ends)} ends: x has {tuple(x.shape)}, "
            f"mean {None if mean is None else tuple(mean.shape)}, weights {tuple(shares.shape)}"
        )
    ax = ax or new_axes(5, 4.5)
    shafts = [(end, DATA, 0.5 + 7 * share, 3) for end, share in zip(ends, shares.tolist())]
    shafts += [] if mean is None else [(mean, EXACT, 3, 4)]
    for end, color, width, layer in shafts:
        style = {"arrowstyle": "-|>", "color": color, "linewidth": width, "shrinkA": 0, "shrinkB": 0}
        style["mutation_scale"] = 10 + 2 * width
        ax.annotate("", tuple(end.tolist()), tuple(x.tolist()), arrowprops=style, zorder=layer)
    diamonds(ends, ax)
    ax.scatter(*x.tolist(), s=60, color=MARK, zorder=6, label="x")
    ax.set_aspect("equal")
    return ax


def diamonds(data: Tensor, ax: Axes) -> None:
    """Draw data points `(n, 2)` as open diamonds. Raises `ValueError` for another shape."""
    ax.scatter(
        *as_points("data", data).T,
        s=110,
        marker="D",
        facecolors="none",
        edgecolors=DATA,
        zorder=5,
        label="data",
    )


def _check_span(span: float) -> None:
    if not 0 < span < math.inf:
        raise ValueError(f"span needs a number above 0, but is {span}")
