"""The exercises of lesson 01."""

from typing import Any

import torch

from flowlib.checks import check_answer
from flowlib.data import load_digits


def entry_of_a_pixel(answer: Any) -> None:
    """Exercise 1: the entry of the vector that holds pixel (5, 7)."""
    where = torch.zeros(16, 16)
    where[5, 7] = 1
    right = where.flatten().argmax()
    mistakes = {
        "this is row 7, column 5: a whole row of 16 is counted for each row above, not for each column": 16
        * 7
        + 5,
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
    correlation, covariance = torch.corrcoef(pixels.T), torch.cov(pixels.T, correction=0)
    mistakes = {
        "this is the covariance; divide by both spreads to get the correlation": covariance[one, below],
        "this goes with pixel (5, 6), the one to the right; the one below is 16 entries on": correlation[
            one, one + 1
        ],
        "this goes with pixel (4, 5), the one above; rows are counted downwards": correlation[one, one - 16],
        "this is the covariance (with n - 1); divide by both spreads": torch.cov(pixels.T)[one, below],
        "this is the whole matrix of the two pixels; its entry [0, 1] is the correlation": correlation[
            [[one], [below]], [one, below]
        ],
    }
    check_answer("Exercise 3", answer, correlation[one, below], mistakes, tol=1e-3)
