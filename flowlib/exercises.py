"""The exercises of the lessons: each function takes a reader's answer and says whether it is right.

`...` counts as not attempted. A wrong answer raises `CheckFailed`, with the usual mistake named where it
is one. The right answers are computed here, from the same data.
"""

from typing import Any

import torch

from flowlib.checks import check_answer
from flowlib.data import load_digits


def entry_of_a_pixel(answer: Any) -> None:
    """Lesson 01, exercise 1: the entry of the vector that holds pixel (5, 7)."""
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
    """Lesson 01, exercise 2: the expected squared distance of two draws from N(0, I) in 256 dimensions."""
    mistakes = {
        "this is the total variance V, the squared distance to the middle; two draws both stray": 256,
        "this is the distance, about; the question asks for its square": 512**0.5,
        "this is the distance to the middle, about; the question is the squared distance of two draws": 16,
        "this holds for one entry; the squares of all 256 entries add up": 2,
        "the variances add up, not the spreads: twice 256, not four times": 1024,
    }
    check_answer("Exercise 2", answer, 512, mistakes, tol=1e-3)


def correlation_of_two_pixels(answer: Any) -> None:
    """Lesson 01, exercise 3: the correlation of pixels (5, 5) and (6, 5) over the bundled threes."""
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


def target_of_a_pair(answer: Any) -> None:
    """Lesson 09, exercise 1: the velocity x_1 - x_0 for x_0 = (3, -1), x_1 = (-1, 1)."""
    x_0, x_1 = torch.tensor([3.0, -1.0]), torch.tensor([-1.0, 1.0])
    mistakes = {
        "this is x_0 − x_1, which leads from the digit back to the noise": x_0 - x_1,
        "this is x_0 + x_1, the slip with the bracket: the velocity is a difference": x_0 + x_1,
        "this is where the point is at t = 1/2; the question is how fast it moves": (x_0 + x_1) / 2,
        "this is half the way; the velocity covers the whole way in one unit of time": (x_1 - x_0) / 2,
        "this is the end x_1, not the velocity towards it": x_1,
    }
    check_answer("Exercise 1", answer, x_1 - x_0, mistakes)


def where_a_pixel_is_heading(answer: Any) -> None:
    """Lesson 09, exercise 2: x_t + (1 - t) v for x_t = 0.2, t = 0.6, v = 1.5."""
    x, t, v = 0.2, 0.6, 1.5
    mistakes = {
        "this goes on for t, the time that has passed; what counts is the time that is left": x + t * v,
        "this goes on for a whole unit of time, but 0.6 of it is over": x + v,
        "this runs backwards: the velocity points to the data": x - (1 - t) * v,
        "this is the way that is left; where does it start?": (1 - t) * v,
    }
    check_answer("Exercise 2", answer, x + (1 - t) * v, mistakes)


def end_of_51_steps(answer: Any) -> None:
    """Lesson 09, exercise 3: 51 steps of 1/50 end at 1.02."""
    mistakes = {
        "50 steps would end there; these are 51": 1.0,
        "49 steps would end there; these are 51": 0.98,
        "this is the number of steps; each of them has the size 1/50": 51,
    }
    check_answer("Exercise 3", answer, 51 / 50, mistakes)
