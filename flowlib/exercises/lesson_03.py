"""The exercises of lesson 03."""

import math
from typing import Any

import torch

from flowlib.checks import check_answer
from flowlib.exercises.base import check_function


def end_of_a_ride(answer: Any) -> None:
    """Exercise 1: where u_t(x) = 6t² takes x_0 = -1 by t = 1: to -1 + 2 = 1."""
    mistakes = {
        "this is the way that the point has gone; where did it start?": 2,
        "this takes the velocity of the last moment, 6, for the whole time; at the beginning it was 0": 5,
        "this takes the velocity of the first moment, 0, for the whole time; it grows": -1,
        "this goes on by 6; the velocity is 6t², so the way is its integral from 0 to 1": 6,
        "this uses the velocity half-way, 1.5; the velocity does not grow evenly": 0.5,
    }
    check_answer("Exercise 1", answer, 1, mistakes)


def two_euler_steps(answer: Any) -> None:
    """Exercise 2: two Euler steps of 1/2 in the field (-x_2, x_1), from (1, 0)."""
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    x_0 = torch.tensor([1.0, 0.0], dtype=torch.float64)
    one = x_0 + turn @ x_0 / 2
    mistakes = {
        "this is the exact end, (cos 1, sin 1); the question is where Euler's two steps end": (
            math.cos(1),
            math.sin(1),
        ),
        "this is one step; the second starts here, with the velocity of this place": one,
        "both steps took the velocity of the start; ask the field again after the first": x_0 + turn @ x_0,
        "these steps have the size 1; two steps to t = 1 have the size 1/2": x_0
        + turn @ x_0
        + turn @ (x_0 + turn @ x_0),
        "this turns clockwise: the first number of the velocity is minus the second of the place": (0.75, -1),
    }
    check_answer("Exercise 2", answer, one + turn @ one / 2, mistakes)


def flow_between_times(answer: Any) -> None:
    """Exercise 3: for u_t(x) = 3t², the map from time s to time t: x + t³ - s³. A function of x, s, t."""
    x, s, t = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.7, 0.9], [0.8, 0.2, 0.4]], dtype=torch.float64)
    mistakes = {
        "this starts at time 0, not at time s": x + t**3,
        "that would hold if only the time that has passed counted; but 3t² depends on the clock": x
        + (t - s) ** 3,
        "this runs from t to s; the question is from s to t": x + s**3 - t**3,
        "this keeps the velocity of time s all the way": x + 3 * s**2 * (t - s),
        "this keeps the velocity of time t all the way": x + 3 * t**2 * (t - s),
        "this is the way gone; add where it starts": t**3 - s**3,
        "this is the flow of 2t, from section 4; the field here is 3t²": x + t**2 - s**2,
        "this subtracts velocities; the places are their integrals": x + 3 * t**2 - 3 * s**2,
    }
    check_function("Exercise 3", answer, (x, s, t), x + t**3 - s**3, mistakes)


def order_of_a_method(answer: Any) -> None:
    """Exercise 4: an error of 0.008 with 10 steps and 0.0005 with 40: order 2."""
    mistakes = {
        "the step was cut to a quarter, not to a half: to which power is 4 raised to give 16?": 4,
        "this is how many times smaller the error is; as a power of the step, which is 4 times smaller?": 16,
        "with order 1 four times the steps would give a quarter of the error": 1,
        "an order is the power of h that the error shrinks with; it is not negative": -2,
        "the other way round: log 16 over log 4": 0.5,
    }
    check_answer("Exercise 4", answer, 2, mistakes)
