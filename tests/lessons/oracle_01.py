"""What the explorers of lesson 01 are to show, and how its exercises answer."""

from fractions import Fraction

import numpy as np
import torch
from seen import Artist, Explored, Panel, View, mosaic
from tried import Exercise

from flowlib.data import load_digits
from flowlib.lessons import lesson_01
from flowlib.lessons.drawings import READY_MADE
from flowlib.plots import CLASSES, DATA, MARK

DIRECTIONS = torch.linalg.qr(torch.randn(256, 5, generator=torch.Generator().manual_seed(0)))[0]
HOUSE, THREE = READY_MADE["a house"], READY_MADE["a three"]
SHIFTED = THREE[16:] + THREE[:16]


def bars(numbers: np.ndarray, first: int = 0) -> np.ndarray:
    """A bar for each number, from the entry `first` on."""
    middle = first + np.arange(len(numbers))
    return np.column_stack([middle - 0.5, middle + 0.5, numbers])


def image_as_vector(digits, number, row):
    image = digits.images[number, 0].numpy()
    whole, part = bars(image.reshape(256)), bars(image[row], 16 * row)
    left = [Artist("image", image), Artist("box", (0, row - 0.5, 1, 1), MARK)]
    right = [Artist("stairs", whole, DATA), Artist("stairs", part, MARK)]
    return View([Panel(left, []), Panel(right, [])], [row, 16 * row, 16 * row + 15, *image[row]])


def pixel_neighbours(digits, label, row, column):
    images = digits.images[digits.labels == label, 0].double().numpy()
    away = images - images.mean(0)
    with np.errstate(invalid="ignore"):
        rho = (away * away[:, row, column, None, None]).mean(0) / images.std(0) / images[:, row, column].std()
    rho = np.nan_to_num(rho)  # a pixel that never changes goes with none
    others = np.delete(rho, 16 * row + column)
    box = Artist("box", (column - 0.5, row - 0.5, 1, 1), MARK)
    panels = [
        Panel([Artist("image", images.mean(0)), box], []),
        Panel([Artist("image", rho), box], [row, column]),
    ]
    beyond = (abs(others) > 0.5).sum()
    return View(panels, [row, column, others.min(), others.max(), beyond, 0.5])


def shadows(digits, first, second, across, up):
    points = digits.images.view(-1, 256).double().numpy()
    plane = (points - points.mean(0)) @ DIRECTIONS[:, [across - 1, up - 1]].double().numpy()
    classes = list(dict.fromkeys([first, second]))
    clouds = [plane[digits.labels.numpy() == k] for k in classes]
    artists = [
        Artist("points", cloud, colour, f"digit {k}") for k, cloud, colour in zip(classes, clouds, CLASSES)
    ]
    said = [number for k, cloud in zip(classes, clouds) for number in (k, *cloud.mean(0))]
    return View([Panel(artists, [across, up])], said)


def drawing_as_vector(digits, drawing):
    image = np.array([2 * int(level, 16) / 15 - 1 for level in drawing]).reshape(1, 16, 16)
    gaps = np.linalg.norm((image - digits.images.double().numpy()).reshape(-1, 256), axis=1)
    order = np.argsort(gaps)[:8]
    grid = mosaic(np.concatenate([image[None], digits.images[order].numpy()]), 9, titles=True)
    panels = [
        Panel([Artist("stairs", bars(image.reshape(256)), DATA)], []),
        Panel([Artist("image", grid)], [*gaps[order]]),
    ]
    return View(panels, [(image > -1).sum(), 256, -1, *digits.labels[order].tolist(), *gaps[order]])


EXPLORERS = {
    "image_as_vector": Explored(
        lambda digits: lesson_01.image_as_vector(digits.images[:3]),
        [{"number": 0, "row": 7}, {"number": 2, "row": 0}, {"number": 1, "row": 15}],
        image_as_vector,
    ),
    "pixel_neighbours": Explored(
        lesson_01.pixel_neighbours,
        [
            {"label": 0, "row": 5, "column": 5},
            {"label": 3, "row": 4, "column": 9},
            {"label": 7, "row": 0, "column": 15},
        ],
        pixel_neighbours,
    ),
    "shadows": Explored(
        lambda digits: lesson_01.shadows(digits, DIRECTIONS),
        [
            {"first": 0, "second": 9, "across": 1, "up": 2},
            {"first": 3, "second": 8, "across": 5, "up": 3},
            {"first": 4, "second": 4, "across": 2, "up": 1},
        ],
        shadows,
    ),
    "drawing_as_vector": Explored(
        lesson_01.drawing_as_vector,
        [{"drawing": THREE}, {"drawing": HOUSE}, {"drawing": SHIFTED}],
        drawing_as_vector,
    ),
}

THREES = (
    load_digits().only(3).images[:, 0, [5, 6, 5, 4], [5, 5, 6, 5]].double()
)  # a pixel, and three beside it
(_, BELOW, RIGHT, ABOVE), *_ = np.corrcoef(THREES.T)

EXERCISES = [
    Exercise(
        lesson_01.entry_of_a_pixel,
        [87, np.int64(87), Fraction(87), 5 * 16 + 7],
        {
            117: "row 7, column 5",
            88: "starts at 0",
            71: "five full rows",
            70: "counted from 1",
            82: "not 15",
            147: "28 pixels",
        },
    ),
    Exercise(
        lesson_01.distance_of_two_noises,
        [512, 2 * 256, Fraction(512), 2.0**9],
        {
            256: "two draws both stray",
            22.627: "its square",
            16: "distance to the middle",
            2: "all 256 entries",
            1024: "not four times",
        },
    ),
    Exercise(
        lesson_01.correlation_of_two_pixels,
        [BELOW, torch.corrcoef(THREES.T)[0, 1], [[BELOW]]],
        {
            0.0: "is not it",
            np.cov(THREES.T, ddof=0)[0, 1]: "this is the covariance; divide",
            np.cov(THREES.T)[0, 1]: "with n - 1",
            RIGHT: "to the right",
            ABOVE: "the one above",
        },
    ),
]
