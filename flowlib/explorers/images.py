"""Lesson 01: an image as a vector, its pixels' neighbours, and the shadows of clouds of images."""

from functools import lru_cache

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits
from flowlib.explorers.base import Explorer, choice, number
from flowlib.plots import MARK, clouds, mark_pixel, signed_image, vector


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
        compute, draw, (10, 2.6), number=number("image", 0, 0, len(images) - 1), row=number("row", 7, 0, 15)
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
        label=choice("digit", digits.labels.unique().tolist()),
        row=number("row", 5, 0, 15),
        column=number("column", 5, 0, 15),
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
        first=choice("one digit", classes),
        second=choice("another digit", classes[::-1]),
        across=number("left to right", 1, 1, directions.shape[1]),
        up=number("bottom to top", 2, 1, directions.shape[1]),
    )
