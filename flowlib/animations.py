"""A trajectory of images as one self-contained player: a string of HTML that needs no kernel and no network.

The player holds the solver's states and draws a straight line between two of them, which is what an Euler
step is. A state's pixel is one byte that counts 1/32, so that [-4, 4) fits and noise keeps its size; what
is stored is the difference to the state before, since a flow changes little from one to the next, and
DEFLATE's Huffman code shortens that to about two bits a pixel. `player.js` undoes it in the browser.
"""

import base64
import html
import io
import json
import math
import zlib
from dataclasses import dataclass, field
from importlib import resources
from itertools import count
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from flowlib.files import write_atomically

LEVELS = 32  # stored steps per unit of pixel value: off by at most 1/64, which no eye sees
POSTER = 8  # the poster shows at most so many images at so many times
_numbers = count(1)  # of the players made so far

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ display: flex; justify-content: center; margin: 48px 24px; font-family: system-ui, sans-serif; }}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


@dataclass(frozen=True)
class Player:
    """A player as a piece of HTML: a notebook displays it, `save` makes a page of it."""

    html: str = field(repr=False)
    title: str = ""

    def _repr_html_(self) -> str:
        return self.html

    def save(self, path: str | Path) -> None:
        """Write a complete page to `path`, whole or not at all, for any browser, offline."""
        page = _PAGE.format(title=html.escape(self.title or "Trajectory"), body=self.html)
        write_atomically(path, page.encode())


def trajectory_player(
    trajectory, captions=None, columns: int = 8, title: str = "", alt: str | None = None, seconds: float = 3.0
) -> Player:
    """A player for `trajectory`: play, pause, a slider for t, space, the arrows, Home and End.

    `trajectory` has `ts` `(time,)`, rising or falling throughout, and `xs` `(time, batch, 1, height, width)`
    or `(time, batch, height, width)`: -1 is white paper, 1 black ink, what lies beyond is clipped to them
    for the eye (beyond ±4 in the file, too). `captions`: one short text per image. `alt`: the words for
    those who cannot see it, by default made from the arrays. One run takes `seconds`.
    It starts still, at the last state, and plays when asked. Where scripts do not run, a poster stands.
    Raises `ValueError` for other shapes, values that are not finite, or a wrong number of captions.
    """
    ts, xs = _checked(trajectory)
    if captions is not None:
        captions = [str(text) for text in (captions.tolist() if hasattr(captions, "tolist") else captions)]
        if len(captions) != xs.shape[1]:
            raise ValueError(f"{xs.shape[1]} images need as many captions, but there are {len(captions)}")
    if columns < 1 or columns != int(columns):
        raise ValueError(f"columns is the number of images in a row, 1 or more, but is {columns}")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds is how long one run takes, more than 0, but is {seconds}")

    states = np.clip(np.rint(xs * LEVELS), -128, 127).astype(np.int8)
    packed = _pack(states)
    alt = _words(ts, xs.shape[1], captions) if alt is None else alt
    film = {
        "states": base64.b64encode(packed).decode(),
        "ts": ts.tolist(),
        "width": xs.shape[3],
        "height": xs.shape[2],
        "columns": int(columns),
        "captions": captions,
        "title": title,
        "alt": alt,
        "seconds": float(seconds),
    }
    name = f"flow-{next(_numbers)}-{zlib.crc32(packed):08x}"
    script = resources.files("flowlib").joinpath("player.js").read_text("utf-8").strip()
    data = json.dumps(film).replace("<", "\\u003c")  # no text of the user's can end the script
    poster, stills = _poster(ts, states)
    heading = f"<p><strong>{html.escape(title)}</strong></p>\n" if title else ""
    return Player(
        f'<div id="{name}">\n{heading}<img src="data:image/png;base64,{base64.b64encode(poster).decode()}" '
        f'alt="{html.escape(alt)}" style="max-width:100%">\n<p>{stills}</p>\n</div>\n'
        f'<script>\n{script}("{name}", {data});\n</script>',
        title,
    )


def _checked(trajectory) -> tuple[np.ndarray, np.ndarray]:
    """The times `(time,)` and the states `(time, batch, height, width)` as arrays, or a `ValueError`."""
    ts, xs = (torch.as_tensor(values).detach().cpu() for values in (trajectory.ts, trajectory.xs))
    if not (xs.ndim == 4 or (xs.ndim == 5 and xs.shape[2] == 1)) or not xs.numel():
        raise ValueError(
            "xs needs the shape (time, batch, 1, height, width), one grey image per time and point, but has "
            f"{tuple(xs.shape)}; vectors of 256 become images with xs.view(*xs.shape[:2], 1, 16, 16)"
        )
    if ts.shape != xs.shape[:1]:
        raise ValueError(f"ts needs one time per state, shape ({len(xs)},), but has shape {tuple(ts.shape)}")
    gaps = ts.double().diff()
    if not len(gaps) or not gaps.isfinite().all() or not ((gaps > 0).all() or (gaps < 0).all()):
        raise ValueError(f"ts needs at least two times that rise or fall throughout, but is {ts.tolist()}")
    finite = xs.isfinite().flatten(1).all(1)
    if not finite.all():
        raise ValueError(
            f"xs needs finite numbers, but has others at t = {ts[~finite][0]:g}; try smaller steps"
        )
    return ts.double().numpy(), xs.float().numpy().reshape(len(xs), xs.shape[1], *xs.shape[-2:])


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
    return words + (f"; captions: {', '.join(captions)}" if captions else "")


def _poster(ts: np.ndarray, states: np.ndarray, gap: int = 6) -> tuple[bytes, str]:
    """A film strip of the first images as a PNG, one row per image, and its caption."""
    wanted = np.linspace(ts[0], ts[-1], min(POSTER, len(ts)))
    chosen = np.unique(np.abs(ts[:, None] - wanted).argmin(0))
    strip = states[chosen, :POSTER].swapaxes(0, 1).astype(np.float32) / LEVELS  # (image, time, height, width)
    zoom = max(1, 48 // states.shape[-1])  # screen pixels per pixel
    grey = np.clip(127.5 - 127.5 * strip, 0, 255).astype(np.uint8).repeat(zoom, 2).repeat(zoom, 3)
    grey = np.pad(grey, [(0, 0), (0, 0), (0, gap), (0, gap)], constant_values=255)
    images, times, height, width = grey.shape
    picture = grey.swapaxes(1, 2).reshape(images * height, times * width)[:-gap, :-gap]
    rows = f"{images} of {states.shape[1]} images" if images < states.shape[1] else "Each image"
    return _png(picture), f"{rows}, one a row, from t = {ts[0]:.2f} (left) to t = {ts[-1]:.2f} (right)."


def _png(grey: np.ndarray) -> bytes:
    """Bytes `(height, width)` as a grey PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()
