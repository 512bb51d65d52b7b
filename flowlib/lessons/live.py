"""A training that is watched while it runs: its loss, and what a few fixed noises become."""

import math
import os
import threading
import time

import ipywidgets as widgets
from IPython.display import HTML, DisplayHandle
from matplotlib.figure import Figure

from flowlib.lessons.snapshots import Snapshots, labels_in_turn
from flowlib.models import generate
from flowlib.plots import EXACT, curve, figure_html, image_grid
from flowlib.training import Progress, Training

REDRAW = 1.5  # seconds between two pictures
MOST = "FLOWLIB_LIVE_SECONDS"  # the variable of the environment that caps every budget of seconds


def watch(
    training: Training,
    steps: int | None = None,
    seconds: float | None = None,
    *,
    floor: float | None = None,
    snapshots: Snapshots | None = None,
) -> None:
    """Run a training and show, while it runs, its loss and what ten fixed noises become.

    The button **Stop** ends it early: `training.model` is usable at any moment, and running `watch` on the
    same training again goes on. The notebook's own interrupt (■) or Ctrl-C does the same, and works
    everywhere; the button needs a notebook that hears of a click while a cell runs, such as JupyterLab 4.4
    with ipykernel 7.

    - `steps` or `seconds`: the budget, as in `Training.run`; where the variable FLOWLIB_LIVE_SECONDS is set,
      for a class in a hurry or a test, no training here takes more seconds than it says
    - `floor`: what the expected loss cannot fall below, the mean of `velocity_variance` over t and x_t,
      drawn as a line under the curve
    - `snapshots`: takes those that are due

    Raises `ValueError` without a budget, for a floor that is negative or not finite, and for a cap that is
    not a number above 0.
    """
    seconds = _capped(steps, seconds)
    if floor is not None and not 0 <= floor < math.inf:
        raise ValueError(f"floor needs a finite number, at least 0, but is {floor}")
    labels = labels_in_turn(training, 10).sort().values
    losses, next_picture, pressed = [], 0.0, threading.Event()
    button = widgets.Button(description="Stop", icon="stop", tooltip="Stop the training: its model is usable")
    button.on_click(lambda _: pressed.set())
    # This thread trains; ipykernel 7.4 would send a click to it, for it made the button, and not to another.
    vars(button.comm).pop("_reply_subshell_id", None)
    place, screen = DisplayHandle(), DisplayHandle()
    place.display(button)
    screen.display(HTML(""))

    def show(progress: Progress, note: str) -> None:
        figure = Figure(figsize=(10, 2.6), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.3))
        steps_done, values = zip(*losses)
        curve(steps_done, values, ax=left).set(xlabel="step", ylabel="loss", ylim=(0, None))
        below = ""
        if floor is not None:
            left.axhline(floor, color=EXACT)
            words, across = f"exact floor {floor:.1f}", left.get_yaxis_transform()
            left.text(1, floor, words, color=EXACT, ha="right", va="bottom", transform=across)
            below = f", over an exact floor of {floor:.1f}"
        image_grid(generate(training.model, labels, steps=10).end.cpu(), columns=5, ax=right)
        alt = f"Loss against step, now {progress.loss:.0f}{below}; "
        alt += f"ten samples, classes {labels.unique().tolist()}."
        speed = progress.images / progress.seconds
        note = note or f"{progress.seconds * (1 / progress.fraction - 1):.0f} s left"
        screen.update(
            HTML(
                f'<progress value="{progress.fraction:.3f}" aria-label="training"></progress> step '
                f"{progress.step:,} · loss {progress.loss:.1f} · {speed:,.0f} images/s · {note}<br>"
                + figure_html(figure, alt)
            )
        )

    progress = None
    try:
        for progress in training.run(steps, seconds):
            losses.append((progress.step, progress.loss))
            if snapshots is not None:
                snapshots.take()
            if time.monotonic() >= next_picture:
                show(progress, "")
                next_picture = time.monotonic() + REDRAW
            if pressed.is_set():
                raise KeyboardInterrupt
        note = "done"
    except KeyboardInterrupt:
        note = "stopped by hand; the model is usable"
    finally:
        place.update(HTML(""))  # no dead button stays, nor is one stored
        button.close()
    if progress:
        show(progress, note)
    else:
        screen.update(
            HTML(f"Nothing to do: {training.step:,} steps are done, and budgets count from step 0.")
        )


def _capped(steps: int | None, seconds: float | None) -> float | None:
    """The budget of seconds, at most the cap that is set; `None` where there is neither."""
    if not (cap := os.environ.get(MOST)) or (steps is None and seconds is None):
        return seconds
    try:
        most = float(cap)
    except ValueError:
        most = math.nan
    if not most > 0:
        raise ValueError(f"{MOST} needs a number of seconds above 0, but is {cap!r}")
    return most if seconds is None else min(seconds, most)
