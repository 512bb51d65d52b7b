"""What moves in the lessons: a picture under sliders and drop-down lists, which follows them.

An explorer has three parts. `compute(**values)` makes a frame from the values of the controls and is
cached; `draw(figure, frame)` draws it and returns its text alternative; the controls are widgets by name.
"""

from collections.abc import Callable
from functools import lru_cache

import ipywidgets as widgets
import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits
from flowlib.metrics import load_judge
from flowlib.models import VelocityNet, generate
from flowlib.plots import (
    EXACT,
    MARK,
    clouds,
    figure_html,
    image_grid,
    mark_pixel,
    paths_2d,
    signed_image,
    vector,
)
from flowlib.solvers import Trajectory, solve_ode, time_grid
from flowlib.types import Field


class Explorer(widgets.VBox):
    """Controls above a picture that follows them.

    `compute(**values) -> frame`; `draw(figure, frame) -> alt`; `size` in inches; `controls`: a widget with
    a `value` per name. Setting a control's `value` from code is the same as moving it by hand.
    """

    def __init__(self, compute: Callable, draw: Callable, size: tuple[float, float], **controls):
        self.controls, self.picture = controls, widgets.HTML()
        frame_of = lru_cache(maxsize=64)(compute)

        def refresh(_change=None) -> None:
            figure = Figure(figsize=size, layout="constrained")
            alt = draw(figure, frame_of(**{name: control.value for name, control in controls.items()}))
            self.picture.value = figure_html(figure, alt)

        for control in controls.values():
            control.style.description_width = "8em"
            control.layout.width = "32em"
            control.observe(refresh, names="value")
        refresh()
        super().__init__([*controls.values(), self.picture])


def _number(name: str, value: int, low: int, high: int) -> widgets.IntSlider:
    return widgets.IntSlider(value=value, min=low, max=high, description=name)


def _choice(name: str, options: list) -> widgets.Dropdown:
    return widgets.Dropdown(options=options, value=options[0], description=name)


def image_as_vector(images: Tensor) -> Explorer:
    """One image `(n, 1, 16, 16)` beside its 256 numbers; a row of pixels is marked in both."""

    def compute(number: int, row: int):
        return images[number], row

    def draw(figure: Figure, frame) -> str:
        image, row = frame
        left, right = figure.subplots(1, 2, width_ratios=(1, 3))
        left.imshow(image[0].numpy(), vmin=-1, vmax=1, cmap="gray_r")
        left.set_axis_off()
        left.axhspan(row - 0.5, row + 0.5, fill=False, edgecolor=MARK, linewidth=2)
        vector(image, row, ax=right)
        numbers = ", ".join(f"{v:.1f}" for v in image[0, row])
        return f"Row {row} of the image is entries {16 * row} to {16 * row + 15} of the vector: {numbers}."

    return Explorer(
        compute, draw, (10, 2.6), number=_number("image", 0, 0, len(images) - 1), row=_number("row", 7, 0, 15)
    )


def pixel_neighbours(digits: Digits) -> Explorer:
    """How every pixel goes with a chosen one: its correlation over all images of one class."""

    @lru_cache
    def of_class(label: int) -> tuple[Tensor, Tensor]:
        images = digits.only(label).images
        correlations = torch.corrcoef(images.flatten(1).T).nan_to_num(0.0)  # 0 for a pixel that never changes
        return images.mean(0), correlations

    def compute(label: int, row: int, column: int):
        mean, correlations = of_class(label)
        return mean, correlations[16 * row + column], row, column

    def draw(figure: Figure, frame) -> str:
        mean, correlation, row, column = frame
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
        left.imshow(mean[0].numpy(), cmap="gray_r", vmin=-1, vmax=1)
        left.set(title="the mean image", xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
        signed_image(correlation.view(16, 16), ax=right, limit=1)
        right.set_title(f"correlation with pixel ({row}, {column})")
        for ax in (left, right):
            mark_pixel(ax, row, column)
        others = correlation.clone()
        others[16 * row + column] = 0
        return (
            f"Correlation of pixel ({row}, {column}) with all others: from {others.min():.2f} "
            f"to {others.max():.2f}; {(others.abs() > 0.5).sum()} of them beyond 0.5 in size."
        )

    return Explorer(
        compute,
        draw,
        (8, 3.6),
        label=_choice("digit", digits.labels.unique().tolist()),
        row=_number("row", 5, 0, 15),
        column=_number("column", 5, 0, 15),
    )


def shadows(digits: Digits, directions: Tensor) -> Explorer:
    """Two classes seen along two of the `directions` `(256, k)`: the same clouds, another shadow."""
    classes = digits.labels.unique().tolist()
    points = digits.images.flatten(1)
    along = (points - points.mean(0)) @ directions  # (n, k)

    def compute(first: int, second: int, across: int, up: int):
        plane = along[:, [across - 1, up - 1]]
        return {f"digit {k}": plane[digits.labels == k] for k in dict.fromkeys((first, second))}, across, up

    def draw(figure: Figure, frame) -> str:
        points, across, up = frame
        ax = clouds(points, ax=figure.add_subplot())
        ax.set(
            xlabel=f"along direction {across}", ylabel=f"along direction {up}", xlim=(-14, 14), ylim=(-14, 14)
        )
        places = [f"{name} around ({c[:, 0].mean():.1f}, {c[:, 1].mean():.1f})" for name, c in points.items()]
        return f"Two clouds of points: {', '.join(places)}."

    return Explorer(
        compute,
        draw,
        (6.5, 4.6),
        first=_choice("one digit", classes),
        second=_choice("another digit", classes[::-1]),
        across=_number("left to right", 1, 1, directions.shape[1]),
        up=_number("bottom to top", 2, 1, directions.shape[1]),
    )


def solver_steps(field: Field, data: Tensor, start: Tensor) -> Explorer:
    """Points in the plane driven along `field` by Euler's method, with a chosen number of steps."""

    def compute(steps: int):
        return solve_ode(field, start, time_grid(steps))

    def draw(figure: Figure, trajectory: Trajectory) -> str:
        ax = paths_2d(trajectory, data, color=EXACT, ax=figure.add_subplot())
        ax.set(xlim=(-3, 3), ylim=(-3, 3))
        ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
        away, nearest = torch.cdist(trajectory.end, data).min(1)
        shares = nearest.bincount(minlength=len(data)).tolist()
        return (
            f"{len(trajectory.ts) - 1} Euler steps: the data points get {shares} of the {len(away)} points, "
            f"which end {away.mean():.2f} away on average."
        )

    return Explorer(compute, draw, (6.6, 4.4), steps=_number("Euler steps", 1, 1, 50))


def heading(model: VelocityNet, steps: int = 20) -> Explorer:
    """One noise on its way: x_t, the velocity there, and where it is heading."""

    @lru_cache
    def trajectory(label: int, noise: int) -> Trajectory:
        return generate(model, torch.tensor([label]), steps, seed=noise)

    @torch.no_grad()
    def compute(label: int, noise: int, t: float):
        k = round(t * steps)
        time, x = trajectory(label, noise).ts[k].float(), trajectory(label, noise).xs[k]
        v = model(x, time.expand(1), label=torch.tensor([label]))
        images = torch.cat([x, v, model.path.endpoint(x, v, time.expand(1))]).cpu()
        reads = load_judge()(images[[0, 2]].clamp(-1, 1)).argmax(1).tolist()
        return t, label, images, reads

    def draw(figure: Figure, frame) -> str:
        t, label, images, reads = frame
        image_grid(images, [f"x at t = {t:.2f}", "velocity v", "heading for"], ax=figure.add_subplot())
        return (
            f"Class {label} at t = {t:.2f}: the judge reads x as a {reads[0]}, "
            f"and where it is heading as a {reads[1]}."
        )

    return Explorer(
        compute,
        draw,
        (7.2, 3),
        label=_choice("digit", list(range(10))),
        noise=_number("noise number", 0, 0, 50),
        t=widgets.FloatSlider(value=0, min=0, max=1, step=1 / steps, description="t", readout_format=".2f"),
    )
