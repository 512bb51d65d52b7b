"""What an explorer shows, read from matplotlib's artists and from its words, and what it should show."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection
from matplotlib.colors import to_hex
from matplotlib.image import AxesImage
from matplotlib.lines import AxLine, Line2D
from matplotlib.patches import Polygon, Rectangle, StepPatch
from matplotlib.quiver import Quiver
from matplotlib.text import Annotation
from matplotlib.ticker import FixedLocator, FuncFormatter

from flowlib.data import Digits
from flowlib.lessons.explorer import Explorer

NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?%?")


class Artist(NamedTuple):
    """Something drawn: its kind and its numbers in data coordinates; its colour, and its name in a legend.

    "line" (n, 2) · "axline" (x, y, slope) · "image" (height, width), NaN where nothing is · "box" (x, y,
    width, height) · "stairs" (n, 3): from, to, height · "band" (n, 3): x, one edge, the other · "polygon" and
    "points" (n, 2) · "segments" (n, 2), one after the other · "arrows" (n, 4): foot and way · "pull" (5,):
    foot, head, and width of the line · "xticks" and "yticks" (n,): places whose marks are words, as the name.

    What is expected leaves out a colour or name that says nothing there.
    """

    kind: str
    numbers: Any
    colour: str | None = None
    name: str | None = None


class Panel(NamedTuple):
    """What one of the axes shows, in the order of drawing, and the numbers in its title, texts and labels."""

    artists: list[Artist]
    said: list[float]


class View(NamedTuple):
    """What an explorer shows: its axes, without colour bars, and the numbers of its text alternative."""

    panels: list[Panel]
    said: list[float]


class Explored(NamedTuple):
    """An explorer, settings of its controls to try, and what is to be seen at each of them.

    `expected(digits, **values)` calculates it without the code of the explorer, from the values of all
    controls.
    """

    make: Callable[[Digits], Explorer]
    settings: list[dict]
    expected: Callable[..., View]


def hold(explorer: Explorer, expected: View) -> None:
    """Assert that the explorer shows what is expected."""
    axes = [ax for ax in explorer.figure.axes if ax.get_label() != "<colorbar>"]
    assert len(axes) == len(expected.panels)
    for ax, panel in zip(axes, expected.panels):
        artists = list(_artists(ax))
        assert [artist.kind for artist in artists] == [artist.kind for artist in panel.artists]
        for artist, should in zip(artists, panel.artists):
            _hold_artist(artist, should)
        _hold_said(" · ".join(_texts(ax)), panel.said)
    _hold_said(" · ".join(text.get_text() for text in explorer.figure.texts), [])
    _hold_said(explorer.alt, expected.said)


def mosaic(images: np.ndarray, columns: int, titles: bool = False) -> np.ndarray:
    """Images `(n, 1, h, w)` in rows of `columns` as a grid shows them: NaN around them, and for titles."""
    n, _, h, w = images.shape
    rows, above = -(-n // columns), 8 if titles else 2
    canvas = np.full((rows * (h + above), min(columns, n) * (w + 2)), np.nan)
    for i, image in enumerate(np.asarray(images)[:, 0]):
        top, left = (h + above) * (i // columns) + above, (w + 2) * (i % columns) + 1
        canvas[top : top + h, left : left + w] = image
    return canvas


def _hold_artist(artist: Artist, should: Artist) -> None:
    numbers, wanted = np.asarray(artist.numbers, float), np.asarray(should.numbers, float)
    assert numbers.shape == wanted.shape, f"{artist.kind}: {numbers.shape} for {wanted.shape}"
    np.testing.assert_allclose(numbers, wanted, rtol=1e-4, atol=1e-4, err_msg=artist.kind)
    assert should.colour in (None, artist.colour), artist
    assert should.name in (None, artist.name), artist


def _hold_said(text: str, numbers: list[float]) -> None:
    shown = NUMBER.findall(text)
    assert len(shown) == len(numbers), f"{text!r} has {len(shown)} numbers, not {numbers}"
    for word, number in zip(shown, numbers):
        assert _rounded(word, float(number)), f"{word} for {number} in {text!r}"


def _rounded(word: str, number: float) -> bool:
    """Whether a number as it is written, such as −1,234.5, 1.2e-03 or 46%, is this number, rounded."""
    plain = word.replace("−", "-").replace(",", "").removesuffix("%")
    digits, _, power = plain.partition("e")
    step = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    return abs(float(plain) - number * (100 if word.endswith("%") else 1)) <= 0.501 * step


def _texts(ax: Axes) -> Iterator[str]:
    yield from (ax.get_title(loc=where) for where in ("left", "center", "right"))
    yield from (text.get_text() for text in ax.texts)
    yield from (ax.get_xlabel(), ax.get_ylabel())


def _artists(ax: Axes) -> Iterator[Artist]:
    for child in ax.get_children():
        if child is not ax.patch and (artist := _read(child)):
            kind, numbers, colour = artist
            name = str(child.get_label())
            colour = None if colour is None else to_hex(colour)
            yield Artist(kind, numbers, colour, None if name.startswith("_") else name)
    for kind, axis in (("xticks", ax.xaxis), ("yticks", ax.yaxis)):
        places, words = axis.get_major_locator(), axis.get_major_formatter()
        if isinstance(places, FixedLocator) and isinstance(words, FuncFormatter):
            yield Artist(kind, places.locs, None, " ".join(f"{words(place)}" for place in places.locs))


def _read(child) -> tuple[str, Any, Any] | None:
    if isinstance(child, AxLine):
        return "axline", (*child.get_xy1(), child.get_slope()), child.get_color()
    if isinstance(child, Line2D):
        return "line", child.get_xydata(), child.get_color()
    if isinstance(child, AxesImage):
        return "image", np.ma.filled(child.get_array().astype(float), np.nan), None
    if isinstance(child, StepPatch):
        data = child.get_data()
        return "stairs", np.stack([data.edges[:-1], data.edges[1:], data.values], 1), child.get_facecolor()
    if isinstance(child, Rectangle):
        colour = child.get_facecolor() if child.get_fill() else child.get_edgecolor()
        return "box", (*child.get_xy(), child.get_width(), child.get_height()), colour
    if isinstance(child, Polygon):
        return "polygon", child.get_xy(), child.get_facecolor()
    if isinstance(child, FillBetweenPolyCollection):
        points = child.get_paths()[0].vertices
        n = (len(points) - 3) // 2
        one, other = points[1 : n + 1], points[n + 2 : 2 * n + 2][::-1]
        return "band", np.column_stack([one, other[:, 1]]), child.get_facecolor()[0]
    if isinstance(child, Quiver):
        ways = np.stack([child.U, child.V], 1) / child.scale
        return "arrows", np.column_stack([child.XY, ways]), child.get_facecolor()[0]
    if isinstance(child, LineCollection):
        return "segments", np.concatenate(child.get_segments()), child.get_color()[0]
    if isinstance(child, PathCollection):
        edge, face = child.get_edgecolor(), child.get_facecolor()
        return "points", child.get_offsets(), face[0] if len(face) else edge[0]
    if isinstance(child, Annotation) and child.arrow_patch:
        return (
            "pull",
            (*child.xyann, *child.xy, child.arrow_patch.get_linewidth()),
            child.arrow_patch.get_facecolor(),
        )
    return None
