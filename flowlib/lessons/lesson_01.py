"""Lesson 01: an image as a vector, a drawing as one, pixels' neighbours, the shadows of clouds of images."""

from functools import lru_cache
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import Digits, load_digits
from flowlib.lessons.checks import check_answer
from flowlib.lessons.drawings import image_of
from flowlib.lessons.explorer import Explorer, choice, drawing, number
from flowlib.metrics import nearest_neighbours
from flowlib.plots import MARK, clouds, image_grid, mark_pixel, signed_image, vector

TOP = 8  # digits shown beside a drawing


def image_as_vector(images: Tensor) -> Explorer:
    """One image `(n, 1, 16, 16)` beside its 256 numbers; a row of pixels is marked in both."""

    def compute(number: int, row: int):
        return images[number], row, range(16 * row, 16 * row + 16), images[number, 0, row].tolist()

    def draw(figure: Figure, frame) -> str:
        image, row, entries, values = frame
        left, right = figure.subplots(1, 2, width_ratios=(1, 3))
        left.imshow(image[0].numpy(), vmin=-1, vmax=1, cmap="gray_r")
        left.set_axis_off()
        left.axhspan(row - 0.5, row + 0.5, fill=False, edgecolor=MARK, linewidth=2)
        vector(image, row, ax=right)
        numbers = ", ".join(f"{v:.1f}" for v in values)
        return f"Row {row} of the image is entries {entries[0]} to {entries[-1]} of the vector: {numbers}."

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
        of_pixel = correlations[16 * row + column]
        others = torch.cat([of_pixel[: 16 * row + column], of_pixel[16 * row + column + 1 :]])
        strong = (others.abs() > 0.5).sum()
        return mean, of_pixel.view(16, 16), (row, column), (others.min(), others.max(), strong)

    def draw(figure: Figure, frame) -> str:
        mean, correlation, pixel, (lowest, highest, strong) = frame
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.2))
        left.imshow(mean[0].numpy(), cmap="gray_r", vmin=-1, vmax=1)
        left.set(title="the mean image", xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
        signed_image(correlation, ax=right, limit=1)
        right.set_title(f"correlation with pixel {pixel}")
        for ax in (left, right):
            mark_pixel(ax, *pixel)
        return (
            f"Correlation of pixel {pixel} with all others: from {lowest:.2f} to {highest:.2f}; "
            f"{strong} of them beyond 0.5 in size."
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
        shown = {f"digit {k}": plane[digits.labels == k] for k in dict.fromkeys((first, second))}
        return shown, {name: cloud.mean(0).tolist() for name, cloud in shown.items()}, across, up

    def draw(figure: Figure, frame) -> str:
        shown, centres, across, up = frame
        ax = clouds(shown, ax=figure.add_subplot())
        ax.set(
            xlabel=f"along direction {across}", ylabel=f"along direction {up}", xlim=(-14, 14), ylim=(-14, 14)
        )
        places = [f"{name} around ({x:.1f}, {y:.1f})" for name, (x, y) in centres.items()]
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


def drawing_as_vector(digits: Digits) -> Explorer:
    """A drawing as a vector of 256 numbers, and the digits nearest to it."""

    def compute(drawing: str):
        image = image_of(drawing)
        (distances,), (nearest,) = nearest_neighbours(image, digits.images, TOP)
        labels, ink = digits.labels[nearest].tolist(), (image > -1).sum()
        return image, torch.cat([image, digits.images[nearest]]), distances, labels, ink

    def draw(figure: Figure, frame) -> str:
        image, grid, distances, labels, ink = frame
        above, below = figure.subplots(2, 1, height_ratios=(1, 1))
        vector(image[0], ax=above)
        far = [f"{d:.1f}" for d in distances]
        image_grid(grid, ["drawn", *far], columns=TOP + 1, ax=below)
        return (
            f"{ink} of the 256 numbers are above −1. The nearest digits are labelled "
            f"{', '.join(map(str, labels))}; their distances are {', '.join(far)}."
        )

    return Explorer(compute, draw, (9.4, 3.6), drawing=drawing("drawing"))


# The answers of the exercises


def entry_of_a_pixel(answer: Any) -> None:
    """Exercise 1: the entry of the vector that holds pixel (5, 7)."""
    where = torch.zeros(16, 16)
    where[5, 7] = 1
    right = where.flatten().argmax()
    mistakes = {
        "this is row 7, column 5: 16 are counted for each row above, not for each column": 16 * 7 + 5,
        "counting starts at 0, so the first pixel is entry 0": right + 1,
        "the rows above are counted from 1 here: five full rows stand above row 5": 16 * 4 + 7,
        "row and column are counted from 1 here; the first of each is 0": 16 * 4 + 6,
        "an image has 16 pixels in a row, not 15": 15 * 5 + 7,
        "the full MNIST image has 28 pixels in a row, ours has 16": 28 * 5 + 7,
    }
    check_answer("Exercise 1", answer, right, mistakes)


def distance_of_two_noises(answer: Any) -> None:
    """Exercise 2: the expected squared distance of two draws from N(0, I) in 256 dimensions."""
    mistakes = {
        "this is the total variance V, the squared distance to the middle; two draws both stray": 256,
        "this is the distance, about; the question asks for its square": 512**0.5,
        "this is the distance to the middle, about; the question is the squared distance of two draws": 16,
        "this holds for one entry; the squares of all 256 entries add up": 2,
        "the variances add up, not the spreads: twice 256, not four times": 1024,
    }
    check_answer("Exercise 2", answer, 512, mistakes, tol=1e-3)


def correlation_of_two_pixels(answer: Any) -> None:
    """Exercise 3: the correlation of pixels (5, 5) and (6, 5) over the bundled threes."""
    pixels = load_digits().only(3).images.flatten(1).double()
    one, below = 16 * 5 + 5, 16 * 6 + 5
    rho, covariance = torch.corrcoef(pixels.T), torch.cov(pixels.T, correction=0)
    both = rho[[[one], [below]], [one, below]]
    mistakes = {
        "this is the covariance; divide by both spreads to get the correlation": covariance[one, below],
        "this goes with pixel (5, 6), the one to the right; the one below is 16 on": rho[one, one + 1],
        "this goes with pixel (4, 5), the one above; rows are counted downwards": rho[one, one - 16],
        "this is the covariance (with n - 1); divide by both spreads": torch.cov(pixels.T)[one, below],
        "this is the whole matrix of the two pixels; its entry [0, 1] is the correlation": both,
    }
    check_answer("Exercise 3", answer, rho[one, below], mistakes, tol=1e-3)
