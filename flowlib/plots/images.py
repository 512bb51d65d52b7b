"""Figures of images: one, many, one through time, and an image as a vector."""

import math
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from torch import Tensor

from flowlib.plots.figures import DATA, MARK, as_array, new_axes
from flowlib.solvers import Trajectory
from flowlib.types import check_count, check_tensors

WIDEST = 1000  # screen pixels: what a notebook shows without scrolling


def image_grid(
    images: Tensor,
    titles: Sequence | None = None,
    *,
    rows: Sequence | None = None,
    columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """Images `(n, 1, 16, 16)` in [-1, 1], paper white and ink black, `columns` in a row.

    `titles`: one short text per image, written above it; a row whose titles are all "" takes no room for
    them. `rows`: one name per row, written left of it. Values beyond [-1, 1] are clipped. Raises
    `ValueError` for other shapes, and for another number of titles or of names.
    """
    texts = [] if titles is None else [str(title) for title in titles]
    canvas, corners = _mosaic(images, columns, texts)
    if titles is not None and len(texts) != len(images):
        raise ValueError(f"{len(images)} images need as many titles, but there are {len(texts)}")
    ax = _draw_canvas(canvas, ax, _named(rows, corners, images.shape[2]))
    for (top, left), text in zip(corners, texts):
        if text:
            ax.text(left + images.shape[3] / 2, top - 1.2, text, ha="center", va="bottom", fontsize=11)
    return ax


def film_strip(
    trajectory: Trajectory,
    frames: int = 6,
    *,
    rows: Sequence | None = None,
    columns: int = 8,
    ax: Axes | None = None,
) -> Axes:
    """A trajectory of images as stills, time from left to right; each still shows all images of the batch.

    `xs`: `(time, batch, 1, 16, 16)`; the stills are `trajectory.stills(frames)`, each with `columns` images
    in a row. `rows`: one name per row, written left of the first still.
    """
    check_tensors(ts=trajectory.ts)
    check_tensors(xs=trajectory.xs)
    if not trajectory.ts.ndim == 1 <= len(trajectory.ts) == len(trajectory.xs):
        shapes = tuple(trajectory.ts.shape), tuple(trajectory.xs.shape)
        raise ValueError(f"a film strip needs ts (time,) and xs (time, batch, 1, 16, 16), but has {shapes}")
    chosen = trajectory.stills(frames)
    stills, corners = zip(*(_mosaic(trajectory.xs[k], columns) for k in chosen))
    height, width = stills[0].shape
    gap = np.full((height, 8), np.nan)
    canvas = np.hstack([part for still in stills for part in (still, gap)][:-1])
    ax = _draw_canvas(canvas, ax, _named(rows, corners[0], trajectory.xs.shape[3]))
    for i, k in enumerate(chosen):
        ax.text(i * (width + 8) + width / 2, -1.5, f"t = {trajectory.ts[k]:.2f}", ha="center", va="bottom")
    return ax


def signed_image(values: Tensor, ax: Axes | None = None, limit: float | None = None) -> Axes:
    """One signed number per pixel, `(16, 16)`: purple below zero, white at zero, orange above.

    `limit`: the number with the fullest colour, by default the largest there is. Raises `ValueError` for
    other shapes and numbers that are not finite.
    """
    numbers = as_array(values)
    if numbers.ndim != 2 or not numbers.size:
        raise ValueError(f"a signed image needs the shape (height, width), but has {numbers.shape}")
    if limit is not None and not 0 < limit < math.inf:
        raise ValueError(f"limit needs a number above 0, but is {limit}")
    ax = ax or new_axes(3.4, 3)
    limit = limit or np.abs(numbers).max() or 1.0
    picture = ax.imshow(numbers, cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.figure.colorbar(picture, ax=ax, shrink=0.85)
    ax.set(xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
    return ax


def mark_pixel(ax: Axes, row: int, column: int) -> None:
    """Draw a frame around one pixel of an image shown with one unit per pixel."""
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=MARK, linewidth=2.5))


def vector(image: Tensor, row: int | None = None, ax: Axes | None = None) -> Axes:
    """An image `(1, 16, 16)` as the 256 numbers of its vector, one bar each; `row` picks out 16 of them."""
    check_tensors(image=image)
    if image.numel() != 256 or (row is not None and row not in range(16)):
        raise ValueError(f"vector needs an image of 256 pixels, row 0 to 15, but got {image.numel()}, {row=}")
    numbers = as_array(image.flatten())
    ax = ax or new_axes(9, 2.2)
    ax.stairs(numbers, np.arange(len(numbers) + 1) - 0.5, baseline=-1, fill=True, color=DATA)
    if row is not None:
        row = int(row)
        chosen = np.arange(16 * row, 16 * row + 17)
        ax.stairs(numbers[16 * row : 16 * row + 16], chosen - 0.5, baseline=-1, fill=True, color=MARK)
    ax.set(xlim=(-0.5, len(numbers) - 0.5), ylim=(-1, 1), xlabel="entry k of the vector", ylabel="value")
    ax.set_xticks(range(0, 257, 32))
    return ax


def _mosaic(
    images: Tensor, columns: int, titles: Sequence[str] = ()
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Images on one canvas, NaN between them and where titles go; and their top left corners."""
    check_tensors(images=images)
    if images.ndim != 4 or images.shape[1] != 1 or not images.numel():
        raise ValueError(
            f"images need the shape (n, 1, height, width) with n > 0, but have {tuple(images.shape)}"
        )
    columns = min(check_count("columns", columns), len(images))
    height, width = images.shape[2:]
    corners, bottom = [], 0
    for first in range(0, len(images), columns):
        top = bottom + (8 if any(titles[first : first + columns]) else 2)
        bottom = top + height
        corners += [(top, (width + 2) * i + 1) for i in range(min(columns, len(images) - first))]
    canvas = np.full((bottom, columns * (width + 2)), np.nan)
    for (top, left), image in zip(corners, as_array(images[:, 0])):
        canvas[top : top + height, left : left + width] = image
    return canvas, corners


def _named(names: Sequence | None, corners: list[tuple[int, int]], height: int) -> dict[float, str]:
    """The names of rows by where they go, half-way down the images; `ValueError` for another number."""
    tops = sorted({top for top, _ in corners})
    if names is not None and len(names) != len(tops):
        raise ValueError(
            f"rows needs a name for each row of images, {len(tops)}, but has {len(names)}; columns= says how "
            "many images go in a row"
        )
    return {top + (height - 1) / 2: str(name) for top, name in zip(tops, names if names is not None else [])}


def _draw_canvas(canvas: np.ndarray, ax: Axes | None, names: dict[float, str]) -> Axes:
    """Show a canvas, with names left of it at the heights that they stand for.

    On a figure of its own, each pixel is a whole number of screen pixels wide, and the names have room.
    """
    alone = ax is None
    ax = ax or plt.figure(dpi=100).add_axes((0, 0, 1, 1))
    ax.imshow(canvas, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    edge, aside = ax.get_yaxis_transform(), {"ha": "right", "va": "center", "fontsize": 11}
    for y, name in names.items():
        ax.annotate(name, (0, y), (-4, 0), edge, "offset points", **aside)
    if alone:
        height, width = canvas.shape
        beside = max((text.get_window_extent().width + 8 for text in ax.texts), default=0)
        scale = max(1, min(5, (WIDEST - beside) // width))
        figure: Any = ax.figure
        figure.set_size_inches((beside + width * scale) / 100, height * scale / 100)
        ax.set_position((beside / (beside + width * scale), 0, width * scale / (beside + width * scale), 1))
    return ax
