"""The exercises of lesson 08."""

import math
from typing import Any

import torch

from flowlib.checks import check_answer
from flowlib.exercises.base import check_function

FLOOR = 0.1  # the σ_min of exercise 2


def velocity_on_the_line(answer: Any) -> None:
    """Exercise 1: (x_1 - x)/(1 - t) for x = 1, t = 3/4, x_1 = 4."""
    x, t, x_1 = 1.0, 0.75, 4.0
    mistakes = {
        "this is the way that is left; a velocity is the way over the time that is left": x_1 - x,
        "this divides by t, the time that has passed; what counts is the time that is left": (x_1 - x) / t,
        "this leads away from the data": (x - x_1) / (1 - t),
        "this multiplies by the time that is left; divide by it": (x_1 - x) * (1 - t),
    }
    check_answer("Exercise 1", answer, (x_1 - x) / (1 - t), mistakes)


def velocity_with_a_floor(answer: Any) -> None:
    """Exercise 2: a function of x, t, x_1, the conditional velocity of α_t = t, σ_t = 1 - 0.9 t."""
    x, t, x_1 = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.6, 0.95], [2.0, 1.0, -0.5]], dtype=torch.float64)
    keep = 1 - FLOOR
    sigma, away = 1 - keep * t, x - t * x_1
    mistakes = {
        "this is the line that ends at σ = 0; here σ_1 is 0.1": (x_1 - x) / (1 - t),
        "σ is right, but its derivative is −0.9, not −1": x_1 - away / sigma,
        "the derivative of σ is −0.9; this has it positive": x_1 + keep * away / sigma,
        "the noise is (x − t x_1)/σ; here the division by σ is missing": x_1 - keep * away,
        "this subtracts x where x − t x_1 belongs": x_1 - keep * x / sigma,
    }
    check_function("Exercise 2", answer, (x, t, x_1), x_1 - keep * away / sigma, mistakes)


def heading_in_another_convention(answer: Any) -> None:
    """Exercise 3: noise at t = 1, x_t = (1 - t) x_1 + t x_0, answer v of x_0 - x_1: the data is x - t v."""
    x, t, v = 0.5, 0.2, 2.0
    mistakes = {
        "this is our formula, x + (1 − t) v. There, t = 1 is noise: it points to the noise": x + (1 - t) * v,
        "this leads to the data for the opposite sign of v": x + t * v,
        "the time left to the data is t there, not 1 − t": x - (1 - t) * v,
        "this goes a whole unit of time, but only t = 0.2 is left to the data": x - v,
    }
    check_answer("Exercise 3", answer, x - t * v, mistakes)


def same_picture_on_the_arc(answer: Any) -> None:
    """Exercise 4: the t at which the arc has the ratio α/σ that the line has at t = 1/4, within 0.001."""
    mistakes = {
        "here the digit weighs the same on both; what counts is α/σ": 2 / math.pi * math.asin(0.25),
        "here the noise weighs the same on both; what counts is α/σ": 2 / math.pi * math.acos(0.75),
        "this is α/σ on the line; which t gives it on the arc?": 1 / 3,
        "the arc needs another t, or it would be the line": 0.25,
        "this is πt/2, the angle; solve it for t": math.atan(1 / 3),
        "this is the angle in degrees; t runs from 0 to 1": math.degrees(math.atan(1 / 3)),
        "this has σ/α for α/σ": 2 / math.pi * math.atan(3),
    }
    check_answer("Exercise 4", answer, 2 / math.pi * math.atan(1 / 3), mistakes, tol=5e-3)
