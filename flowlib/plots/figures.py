"""What every figure shares: the lessons' look, a picture with its words, and a row of axes."""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

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
    """Set matplotlib for a lesson: type that reads at the back of a hall, quiet axes.

    All else becomes matplotlib's own default, whatever style, font or LaTeX was set; the backend stays.
    """
    ours = {
        "font.size": 12,
        "axes.titlesize": 13,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "lines.linewidth": 2,
        "image.cmap": "gray_r",
    }
    plt.style.use(["default", ours])


def figure_png(figure: Figure | Axes, dpi: int = 100, crop: bool = True) -> bytes:
    """The figure as the bytes of a PNG file, with `dpi` screen pixels to the inch; closes the figure.

    The paper is the figure's own, as its text was coloured for it; a transparent one becomes white. `crop`:
    leave out empty margins, and keep what stands beyond the figure's edge; without it, the picture has the
    figure's size, and takes half the time.
    """
    whole: Any = figure.figure if isinstance(figure, Axes) else figure
    paper = whole.get_facecolor()
    box, paper = "tight" if crop else None, paper if paper[3] == 1 else "white"
    buffer = io.BytesIO()
    whole.savefig(buffer, format="png", dpi=dpi, bbox_inches=box, facecolor=paper, transparent=False)
    plt.close(whole)
    return buffer.getvalue()


def figure_html(figure: Figure | Axes, alt: str, crop: bool = True) -> str:
    """The figure as an HTML `<img>` that holds its picture and its text alternative; closes the figure."""
    return _views(figure, alt, crop)["text/html"]


def show(figure: Figure | Axes, alt: str) -> None:
    """Display a figure in the notebook with its text alternative, and nothing else.

    JupyterLab and nbconvert read the words in HTML only; LaTeX, PDF and mail take the PNG file.
    """
    from IPython.display import display

    display(_Shown(_views(figure, alt)))


class _Shown(NamedTuple):
    """A figure by MIME type: a notebook gets all of it, another Python prints its words."""

    views: dict[str, str]

    def __repr__(self) -> str:
        return self.views["text/plain"]

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        return self.views, {"image/png": {"alt": repr(self)}}


def _views(figure: Figure | Axes, alt: str, crop: bool = True) -> dict[str, str]:
    """A figure by MIME type, for every kind of viewer; closes the figure."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError('a figure needs words for those who cannot see it: show(ax, alt="...")')
    png = base64.b64encode(figure_png(figure, crop=crop)).decode()
    img = f'<img src="data:image/png;base64,{png}" alt="{html.escape(alt)}" style="max-width:100%">'
    return {"text/html": img, "image/png": png, "text/plain": alt}


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
