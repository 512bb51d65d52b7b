"""Trajectories of images as one self-contained player: a string of HTML that needs no kernel and no network.

The player holds the solver's states and draws a straight line between two of them, which is what an Euler
step is. A state's pixel is one byte that counts 1/32, so that [-4, 4) fits and noise keeps its size; what
is stored is the difference to the state before, since a flow changes little from one to the next, and
a training at one t even less; DEFLATE's Huffman code shortens that to about two bits a pixel.
`player.js` undoes it in the browser.
"""

import base64
import html
import io
import json
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib import resources
from itertools import count, groupby
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from flowlib.files import write_atomically
from flowlib.solvers import Trajectory
from flowlib.types import check_count, check_grid, check_tensors

LEVELS = 32  # stored steps per unit of pixel value: off by at most 1/64, which no eye sees
POSTER = 8  # the poster shows at most so many images at so many times
_numbers = count(1)  # of the players made so far

_PAGE = """<!doctype html>
<html lang="en"><head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ display: flex; justify-content: center; margin: 48px 24px; font-family: system-ui, sans-serif; }}
</style>
</head><body>
<main>{body}</main>
</body></html>
"""


@dataclass(frozen=True)
class Player:
    """A player as a piece of HTML: a notebook displays it, `save` makes a page of it."""

    html: str = field(repr=False)
    title: str
    alt: str = field(repr=False)
    poster: str = field(repr=False)  # a PNG file, base64

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """The player, and for viewers without HTML its poster and its words."""
        views = {"text/html": self.html, "image/png": self.poster, "text/plain": self.alt}
        return views, {"image/png": {"alt": self.alt}}

    def save(self, path: str | Path) -> None:
        """Write a complete page to the file `path`, whole or not at all, for any browser, offline."""
        if Path(path).is_dir():
            raise ValueError(f'save needs the name of a file, "player.html", but {str(path)!r} is a folder')
        page = _PAGE.format(title=html.escape(self.title or "Trajectory"), body=self.html)
        write_atomically(path, page.encode())


class _Film(NamedTuple):
    """What a player shows: states `xs` `(time, step, batch, height, width)`, and a poster with its words."""

    ts: np.ndarray
    xs: np.ndarray
    steps: list[int] | None
    captions: list[str] | None
    poster: np.ndarray  # (rows, columns, height, width)
    words: str


def trajectory_player(
    trajectory: Trajectory,
    captions: Iterable | None = None,
    *,
    columns: int = 8,
    title: str = "",
    alt: str | None = None,
    seconds: float = 3.0,
) -> Player:
    """A player for `trajectory`: play, pause, a slider for t, space, the arrows, Home and End.

    It starts still, at the last state, and plays when asked. Where scripts do not run, a poster stands.

    - `trajectory`: `ts` `(time,)`, rising or falling throughout, and `xs` `(time, batch, 1, height, width)`
      or `(time, batch, height, width)`: -1 is white paper, 1 black ink, what lies beyond is clipped to them
      for the eye (beyond ±4 in the file, too)
    - `captions`: one short text per image
    - `columns`: how many images go in a row; `title`: written above all
    - `alt`: the words for those who cannot see it, by default made from the arrays
    - `seconds`: how long one run takes

    Raises `ValueError` for other shapes, values that are not finite, or a wrong number of captions.
    """
    ts, xs = _checked(trajectory)
    captions = _as_words(captions, xs.shape[1])
    alt = _words(ts, xs.shape[1], captions) if alt is None else alt
    poster = xs[trajectory.stills(POSTER), :POSTER].swapaxes(0, 1)
    words = f"one a row, from t = {ts[0]:.2f} (left) to t = {ts[-1]:.2f} (right)"
    return _player(_Film(ts, xs[:, None], None, captions, poster, words), columns, title, alt, seconds)


def training_player(
    trajectories: dict[int, Trajectory],
    captions: Iterable | None = None,
    *,
    columns: int = 8,
    title: str = "",
    alt: str | None = None,
    seconds: float = 6.0,
) -> Player:
    """A player with two sliders, training step and t, for `{step: trajectory}`; it plays along the training.

    Such trajectories, of the same noises at the same times after more and more steps, are what
    `Snapshots.up_to_now` gives; all else is as in `trajectory_player`. Between two steps nothing is drawn
    in. Raises `ValueError` also for fewer than two steps and for trajectories of different times or shapes.
    """
    if not isinstance(trajectories, dict) or not all(isinstance(step, Integral) for step in trajectories):
        raise ValueError("training_player needs {step: trajectory}, such as snapshots.up_to_now()")
    steps = sorted(map(int, trajectories))
    if len(steps) < 2:
        raise ValueError(f"training_player needs trajectories at two steps or more, but has them at {steps}")
    grids, films = zip(*(_checked(trajectories[step]) for step in steps))
    for step, grid, film in zip(steps, grids, films):
        if film.shape != films[0].shape or (grid != grids[0]).any():
            raise ValueError(
                f"all trajectories need the same times and shape, but those at steps {steps[0]} and {step} "
                f"have {films[0].shape} and {film.shape}, or other times; use one grid and as many labels"
            )
    ts, xs = grids[0], np.stack(films, axis=1)  # (time, step, batch, height, width)
    captions, ends = _as_words(captions, xs.shape[2]), xs[-1]
    if alt is None:
        gaps = np.abs(ends - ends[-1]).mean((1, 2, 3))
        told = ", ".join(f"{gaps[k]:.2f} at step {steps[k]:,}" for k in _spread(len(steps) - 1, 4))
        alt = _words(ts, xs.shape[2], captions) + f"; at {len(steps)} moments of a training. At the last t, "
        alt += f"the mean pixel differs from that of the last step, {steps[-1]:,}, by {told}"
    chosen = _spread(len(steps), POSTER)
    words = f"one a column, at t = {ts[-1]:.2f}; a row for each of the training steps "
    words += ", ".join(f"{steps[k]:,}" for k in chosen)
    return _player(_Film(ts, xs, steps, captions, ends[chosen, :POSTER], words), columns, title, alt, seconds)


def _player(film: _Film, columns: int, title: str, alt: str, seconds: float) -> Player:
    """The player of a film; the rest is as in `trajectory_player`."""
    columns = check_count("columns", columns)
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is how long one run takes, more than 0, but is {seconds}")
    if not str(alt).strip():
        raise ValueError('a player needs words for those who cannot see it: alt="..."')
    batch, height, width = film.xs.shape[2:]
    packed = _pack(_as_bytes(film.xs).reshape(-1, batch, height, width))
    data = {"states": base64.b64encode(packed).decode(), "ts": film.ts.tolist(), "steps": film.steps}
    data |= {"width": width, "height": height, "columns": columns, "seconds": float(seconds)}
    data |= {"captions": film.captions, "title": title, "alt": alt}
    name = f"flow-{next(_numbers)}-{zlib.crc32(packed):08x}"
    script = resources.files("flowlib").joinpath("player.js").read_text("utf-8").strip()
    data = json.dumps(data).replace("<", "\\u003c")  # no text of the user's can end the script
    poster = base64.b64encode(_png(_as_bytes(film.poster))).decode()
    shown = f"{POSTER} of {batch} images" if batch > POSTER else "Each image"
    heading = f"<p><strong>{html.escape(title)}</strong></p>\n" if title else ""
    img = f'<img src="data:image/png;base64,{poster}" alt="{html.escape(alt)}" style="max-width:100%">'
    page = f'<div id="{name}">\n{heading}{img}\n<p>{shown}, {film.words}.</p>\n</div>\n'
    page += f'<script>\n{script}("{name}", {data});\n</script>'
    return Player(page, title, alt, poster)


def _checked(trajectory: Trajectory) -> tuple[np.ndarray, np.ndarray]:
    """The times `(time,)` and the states `(time, batch, height, width)` as arrays, or a `ValueError`."""
    check_tensors(xs=trajectory.xs)
    xs = trajectory.xs.detach().cpu()
    if not (xs.ndim == 4 or (xs.ndim == 5 and xs.shape[2] == 1)) or not xs.numel():
        raise ValueError(
            "xs needs the shape (time, batch, 1, height, width), one grey image per time and point, but has "
            f"{tuple(xs.shape)}; vectors of 256 become images with xs.view(*xs.shape[:2], 1, 16, 16)"
        )
    ts = check_grid(trajectory.ts).detach().cpu()
    if ts.shape != xs.shape[:1]:
        raise ValueError(f"ts needs one time per state, shape ({len(xs)},), but has shape {tuple(ts.shape)}")
    finite = xs.isfinite().flatten(1).all(1)
    if not finite.all():
        raise ValueError(
            f"xs needs finite numbers, but has others at t = {ts[~finite][0]:g}; try smaller steps"
        )
    return ts.numpy(), xs.float().numpy().reshape(len(xs), xs.shape[1], *xs.shape[-2:])


def _as_words(captions: Iterable | None, batch: int) -> list[str] | None:
    """The captions as texts, one per image, or a `ValueError`."""
    if captions is None:
        return None
    captions = [str(text) for text in (captions.tolist() if hasattr(captions, "tolist") else captions)]
    if len(captions) != batch:
        raise ValueError(f"{batch} images need as many captions, but there are {len(captions)}")
    return captions


def _as_bytes(xs: np.ndarray) -> np.ndarray:
    """Pixel values as signed bytes that count 1/32."""
    return np.clip(np.rint(xs * LEVELS), -128, 127).astype(np.int8)


def _spread(count: int, most: int) -> list[int]:
    """At most `most` of the places 0 to `count` - 1, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int)).tolist()


def _pack(states: np.ndarray) -> bytes:
    """Signed bytes `(time, ...)` as a zlib stream of what changed from each state to the next, modulo 256."""
    changes = np.diff(states, axis=0, prepend=np.zeros_like(states[:1]))
    packer = zlib.compressobj(strategy=zlib.Z_HUFFMAN_ONLY)  # searching noise for repeats is ten times slower
    return packer.compress(changes.tobytes()) + packer.flush()


def _words(ts: np.ndarray, batch: int, captions: list[str] | None) -> str:
    """What the player shows, for a reader who cannot see it."""
    names = {0.0: "noise at t = 0", 1.0: "data at t = 1"}
    start, end = (names.get(float(t), f"t = {t:.2f}") for t in (ts[0], ts[-1]))
    words = f"{batch} image{'s' if batch > 1 else ''}, from {start} to {end}; {len(ts)} states"
    runs = [(len([*run]), caption) for caption, run in groupby(captions or [])]
    told = ", ".join(caption if times == 1 else f"{times} × {caption}" for times, caption in runs)
    return words + (f"; captions: {told}" if told else "")


def _png(cells: np.ndarray, gap: int = 6) -> bytes:
    """The signed bytes `(rows, columns, height, width)` of images as a PNG file, one beside the other."""
    zoom = max(1, 48 // cells.shape[-1])  # screen pixels per pixel
    shades = 127.5 - 127.5 * cells.astype(np.float32) / LEVELS
    grey = np.clip(shades, 0, 255).astype(np.uint8).repeat(zoom, 2).repeat(zoom, 3)
    grey = np.pad(grey, [(0, 0), (0, 0), (0, gap), (0, gap)], constant_values=255)
    rows, columns, height, width = grey.shape
    picture = grey.swapaxes(1, 2).reshape(rows * height, columns * width)[:-gap, :-gap]
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
