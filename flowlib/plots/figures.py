"""What every figure shares: the lessons' look, a picture with its words, and a row of axes."""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.types import check_count, check_tensors

# All stand out on white, and from one another for colour-blind eyes: tests/test_colours.py measures it.
NOISE, DATA, EXACT, LEARNED = "#6b7280", "#c2570c", "#1d4ed8", "#166534"
CLASSES = ("#6d28d9", "#0e7490", "#be123c")  # for figures that compare classes, each with its marker
MARKERS = ("o", "^", "s")
MARK = "#86198f"  # what a control points at


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


def figure_png(figure: Figure | Axes, dpi: int = 100, crop: bool = True) -> bytes:
    """The figure as the bytes of a PNG file, with `dpi` screen pixels to the inch; closes the figure.

    `crop`: leave out empty margins, and keep what stands beyond the figure's edge; without it, the picture
    has the figure's size, and takes half the time.
    """
    whole: Any = figure.figure if isinstance(figure, Axes) else figure
    buffer = io.BytesIO()
    whole.savefig(buffer, format="png", dpi=dpi, bbox_inches="tight" if crop else None, facecolor="white")
    plt.close(whole)
    return buffer.getvalue()


def figure_html(figure: Figure | Axes, alt: str, crop: bool = True) -> str:
    """The figure as an HTML `<img>` that holds its picture and its text alternative; closes the figure."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError('a figure needs words for those who cannot see it: show(ax, alt="...")')
    picture = base64.b64encode(figure_png(figure, crop=crop)).decode()
    return f'<img src="data:image/png;base64,{picture}" alt="{html.escape(alt)}" style="max-width:100%">'


def show(figure: Figure | Axes, alt: str) -> None:
    """Display a figure in the notebook with its text alternative, and nothing else."""
    from IPython.display import HTML, display

    display(HTML(figure_html(figure, alt)))


def row(count: int, *titles: str) -> tuple[Figure, np.ndarray]:
    """A figure with `count` axes side by side, an array `(count,)`, and the titles of the first of them."""
    count = check_count("count", count)
    if count < len(titles):
        raise ValueError(f"a row needs no more titles than axes: {count=}, {titles=}")
    figure, axes = plt.subplots(1, count, figsize=(4.2 * count, 3.4), layout="constrained", squeeze=False)
    axes = axes[0]
    for ax, title in zip(axes, titles):
        ax.set_title(title)
    return figure, axes


def as_array(values: Tensor | Sequence[float] | np.ndarray) -> np.ndarray:
    """The numbers of a tensor, wherever they lie, or of a list, as matplotlib takes them.

    Raises `ValueError` where some are complex or not finite, which matplotlib would leave out without a word.
    """
    listed = isinstance(values, list | tuple | range | np.ndarray)
    numbers: Any = torch.as_tensor(values) if listed else values
    check_tensors(values=numbers)
    if numbers.is_complex():
        raise ValueError(f"a figure needs real numbers, but these are {numbers.dtype}")
    if not numbers.isfinite().all():
        raise ValueError(f"a figure needs finite numbers, but holds {numbers[~numbers.isfinite()][0].item()}")
    return numbers.detach().cpu().numpy()


def as_points(name: str, points: Tensor) -> np.ndarray:
    """Points of the plane as matplotlib takes them; `ValueError` unless finite, of the shape `(n, 2)`."""
    check_tensors(**{name: points})
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"{name} needs points of the plane, shape (n, 2), but has {tuple(points.shape)}")
    return as_array(points)


def new_axes(width: float, height: float) -> Axes:
    """The axes of a new figure of this size, in inches."""
    return plt.figure(figsize=(width, height), layout="constrained").add_subplot()
