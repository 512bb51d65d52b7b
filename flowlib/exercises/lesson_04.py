"""The exercises of lesson 04."""

import math
from typing import Any

import torch

from flowlib.checks import check_answer
from flowlib.exercises.base import check_function


def where_two_lines_cross(answer: Any) -> None:
    """Exercise 1: the (t, x) at which the lines 0 → 4 and 2 → 0 meet."""
    t, x = 1 / 3, 4 / 3
    mistakes = {
        "this is (x, t); the question asks for (t, x)": (x, t),
        "this is the time; the place is missing": t,
        "this is the place; the time is missing": x,
        "at t = 1/2 the lines are at 2 and at 1; they have met before": (0.5, 2.0),
        "at t = 1/2 the lines are at 2 and at 1; they have already met": (0.5, 1.0),
        "that would be so for the line from 2 to 4; this one falls to 0": (1.0, 4.0),
    }
    check_answer("Exercise 1", answer, (t, x), mistakes, tol=2e-3)


def smallest_lipschitz_constant(answer: Any) -> None:
    """Exercise 2: the largest slope of t x + 2 sin 3x over all x and all t in [0, 1], which is 7."""
    mistakes = {
        "the term t x changes with x as well; at which t most?": 6,
        "the slope of sin 3x is 3 cos 3x, by the chain rule": 3,
        "the slope of sin 3x is 3 cos 3x, by the chain rule, and t x has a slope too": 2,
        "this is the slope of sin 3x plus that of t x; the sine has a factor 2": 4,
        "this holds at t = 1/2; L must do for all t in [0, 1]": 6.5,
    }
    check_answer("Exercise 2", answer, 7, mistakes)


def second_picard_iterate(answer: Any) -> None:
    """Exercise 3: X² of the field 2 t x from x_0 = 1, as a function of t: 1 + t² + t⁴/2."""
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    mistakes = {
        "this is the first iterate; put it into the field once more": 1 + t**2,
        "this is the solution, which no iterate reaches; the second iterate is a polynomial": (t**2).exp(),
        "the start x_0 = 1 is missing": t**2 + t**4 / 2,
        "the integral of 2 s³ is t⁴/2": 1 + t**2 + t**4,
        "this would be so for the field x; the field is 2 t x, and changes with time": 1 + t + t**2 / 2,
        "this is the third iterate": 1 + t**2 + t**4 / 2 + t**6 / 6,
    }
    check_function("Exercise 3", answer, (t,), 1 + t**2 + t**4 / 2, mistakes)


def largest_distance_of_neighbours(answer: Any) -> None:
    """Exercise 4: 0.01 e^2, the bound at t = 1 for L = 2 and starts 0.01 apart."""
    mistakes = {
        "this is the factor; they start 0.01 apart": math.exp(2),
        "this is how near they can come; the question is how far apart": 0.01 * math.exp(-2),
        "at the first moment the distance grows at the rate 0.02, but as it grows so does the rate": 0.03,
        "this is the rate at which the distance grows at first": 0.02,
        "this is the bound for L = 1": 0.01 * math.e,
    }
    check_answer("Exercise 4", answer, 0.01 * math.exp(2), mistakes, tol=5e-3)
