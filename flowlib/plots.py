"""Static figures. Each function draws on `ax` (a new one if `ax=None`) and returns it.

Colours mean the same in every lesson: noise grey, data orange, the exact field blue, the learned field
green. Time runs from left to right. End a figure with `show(ax, alt=...)`, which asks for its words.
"""

import base64
import html
import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from flowlib.solvers import Trajectory

NOISE, DATA, EXACT, LEARNED = "#6b7280", "#c2570c", "#1d4ed8", "#15803d"  # 3:1 or more on white
CLASSES = ("#6d28d9", "#0e7490", "#be123c")  # for figures that compare classes, each with its marker
MARKERS = ("o", "^", "s")
MARK = "#a21caf"  # what a control points at
WIDEST = 1000  # screen pixels: what a notebook shows without scrolling


def style() -> None:
    """Set matplotlib's defaults for a lesson: type that reads at the back of a hall, quiet axes."""
    plt.rcParams.update(
        {
            "figure.dpi": 100,
            "savefig.dpi": 100,
            "font.size": 12,
            "axes.titlesize": 13,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "legend.frameon": False,
            "lines.linewidth": 2,
            "image.cmap": "gray_r",
        }
    )


def figure_png(figure: Figure | Axes, dpi: int = 100) -> bytes:
    """The figure as the bytes of a PNG file, with `dpi` screen pixels to the inch; closes the figure."""
    figure = figure.figure if isinstance(figure, Axes) else figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight", facecolor="white")
    plt.close(figure)
    return buffer.getvalue()


def figure_html(figure: Figure | Axes, alt: str) -> str:
    """The figure as an HTML `<img>` that holds its picture and its text alternative; closes the figure."""
    if not alt.strip():
        raise ValueError('a figure needs words for those who cannot see it: show(ax, alt="...")')
    picture = base64.b64encode(figure_png(figure)).decode()
    return f'<img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}" style="max-width:100%">'


def show(figure: Figure | Axes, alt: str) -> None:
    """Display a figure in the notebook with its text alternative, and nothing else."""
    from IPython.display import HTML, display

    display(HTML(figure_html(figure, alt)))


def image_grid(
    images: Tensor, titles: Sequence | None = None, columns: int = 8, ax: Axes | None = None
) -> Axes:
    """Images `(n, 1, 16, 16)` in [-1, 1], paper white and ink black, `columns` in a row.

    `titles`: one short text per image, written above it. Values beyond [-1, 1] are clipped.
    """
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"{len(images)} images need as many titles, but there are {len(titles)}")
    canvas, corners = _mosaic(images, columns, above=2 if titles is None else 8)
    ax = _draw_canvas(canvas, ax)
    for (top, left), title in zip(corners, titles if titles is not None else []):
        ax.text(left + images.shape[3] / 2, top - 1.2, str(title), ha="center", va="bottom", fontsize=11)
    return ax


def film_strip(trajectory: Trajectory, frames: int = 6, columns: int = 8, ax: Axes | None = None) -> Axes:
    """A trajectory of images as stills, time from left to right; each still shows all images of the batch."""
    if frames < 2:
        raise ValueError(f"a film strip needs 2 frames or more, but frames is {frames}")
    chosen = np.unique(np.linspace(0, len(trajectory.ts) - 1, frames).round().astype(int)).tolist()
    frames = len(chosen)
    stills = [_mosaic(trajectory.xs[k], columns, above=1)[0] for k in chosen]
    height, width = stills[0].shape
    gap = 8
    canvas = np.full((height, frames * (width + gap) - gap), np.nan)
    lefts = [i * (width + gap) for i in range(frames)]
    for left, still in zip(lefts, stills):
        canvas[:, left : left + width] = still
    ax = _draw_canvas(canvas, ax)
    for left, k in zip(lefts, chosen):
        ax.text(left + width / 2, -1.5, f"t = {trajectory.ts[k]:.2f}", ha="center", va="bottom")
    return ax


def signed_image(values: Tensor, ax: Axes | None = None, limit: float | None = None) -> Axes:
    """One signed number per pixel, `(16, 16)`: purple below zero, white at zero, orange above."""
    ax = ax or _axes(3.4, 3)
    limit = limit or values.abs().max().item() or 1.0
    picture = ax.imshow(_array(values), cmap="PuOr_r", vmin=-limit, vmax=limit, interpolation="nearest")
    ax.figure.colorbar(picture, ax=ax, shrink=0.85)
    ax.set(xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
    return ax


def row(count: int, *titles: str) -> tuple[Figure, np.ndarray]:
    """A figure with `count` axes side by side, each with its title."""
    figure, axes = plt.subplots(1, count, figsize=(4.2 * count, 3.4), layout="constrained")
    for ax, title in zip(axes, titles):
        ax.set_title(title)
    return figure, axes


def mark_pixel(ax: Axes, row: int, column: int) -> None:
    """Draw a frame around one pixel of an image shown with one unit per pixel."""
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=MARK, linewidth=2.5))


def vector(image: Tensor, row: int | None = None, ax: Axes | None = None) -> Axes:
    """An image `(1, 16, 16)` as the 256 numbers of its vector, one bar each; `row` picks out 16 of them."""
    ax = ax or _axes(9, 2.2)
    numbers = _array(image.flatten())
    colours = [MARK if row is not None and k // 16 == row else DATA for k in range(len(numbers))]
    ax.bar(range(len(numbers)), numbers + 1, bottom=-1, width=1, color=colours)
    ax.set(xlim=(-0.5, len(numbers) - 0.5), ylim=(-1, 1), xlabel="entry k of the vector", ylabel="value")
    ax.set_xticks(range(0, 257, 32))
    return ax


def clouds(points: dict[str, Tensor], ax: Axes | None = None) -> Axes:
    """Point clouds `(n, 2)` by name, each with its colour and its marker."""
    if len(points) > len(CLASSES):
        raise ValueError(f"clouds draws at most {len(CLASSES)} clouds, but got {len(points)}")
    ax = ax or _axes(6, 4.5)
    for (name, cloud), colour, marker in zip(points.items(), CLASSES, MARKERS):
        ax.scatter(*_array(cloud).T, s=14, color=colour, marker=marker, alpha=0.5, linewidths=0, label=name)
    ax.legend(markerscale=1.6)
    return ax


def paths_2d(trajectory: Trajectory, data: Tensor, color: str = LEARNED, ax: Axes | None = None) -> Axes:
    """Trajectories of points in the plane, from grey starts to their ends; `data` `(n, 2)` as diamonds."""
    ax = ax or _axes(5, 4.5)
    across, up = _array(trajectory.xs).transpose(2, 0, 1)
    ax.plot(across, up, color=color, linewidth=1, alpha=0.7)
    ax.scatter(across[0], up[0], s=14, color=NOISE, zorder=3, label="t = 0, noise")
    ax.scatter(across[-1], up[-1], s=14, color=DATA, zorder=4, label="t = 1")
    ax.scatter(*_array(data).T, s=110, marker="D", facecolors="none", edgecolors=DATA, zorder=5, label="data")
    ax.set_aspect("equal")
    return ax


def curve(x, y, label: str | None = None, color: str = LEARNED, ax: Axes | None = None) -> Axes:
    """One line, with a name for the legend."""
    ax = ax or _axes(6, 3)
    ax.plot(x, y, color=color, label=label)
    if label:
        ax.legend()
    return ax


def _mosaic(images: Tensor, columns: int, above: int) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Images on one canvas, NaN between them, `above` empty lines over each; and their top left corners."""
    if images.ndim != 4 or images.shape[1] != 1 or not len(images):
        raise ValueError(
            f"images need the shape (n, 1, height, width) with n > 0, but have {tuple(images.shape)}"
        )
    columns = min(columns, len(images))
    height, width = images.shape[2:]
    down, across = height + above, width + 2
    canvas = np.full((-(-len(images) // columns) * down, columns * across), np.nan)
    corners = [(down * (i // columns) + above, across * (i % columns) + 1) for i in range(len(images))]
    for (top, left), image in zip(corners, _array(images[:, 0])):
        canvas[top : top + height, left : left + width] = image
    return canvas, corners


def _draw_canvas(canvas: np.ndarray, ax: Axes | None) -> Axes:
    """Show a canvas so that, on a figure of its own, each pixel is a whole number of screen pixels wide."""
    if ax is None:
        height, width = canvas.shape
        scale = max(1, min(5, WIDEST // width))
        figure = plt.figure(figsize=(width * scale / 100, height * scale / 100), dpi=100)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(canvas, cmap="gray_r", vmin=-1, vmax=1, interpolation="nearest")
    ax.set_axis_off()
    return ax


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _axes(width: float, height: float) -> Axes:
    return plt.figure(figsize=(width, height), layout="constrained").add_subplot()
