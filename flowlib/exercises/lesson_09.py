"""The exercises of lesson 09."""

from typing import Any

import torch

from flowlib.checks import check_answer


def target_of_a_pair(answer: Any) -> None:
    """Exercise 1: the velocity x_1 - x_0 for x_0 = (3, -1), x_1 = (-1, 1)."""
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
    """Exercise 2: x_t + (1 - t) v for x_t = 0.2, t = 0.6, v = 1.5."""
    x, t, v = 0.2, 0.6, 1.5
    mistakes = {
        "this goes on for t, the time that has passed; what counts is the time that is left": x + t * v,
        "this goes on for a whole unit of time, but 0.6 of it is over": x + v,
        "this runs backwards: the velocity points to the data": x - (1 - t) * v,
        "this is the way that is left; where does it start?": (1 - t) * v,
    }
    check_answer("Exercise 2", answer, x + (1 - t) * v, mistakes)


def end_of_51_steps(answer: Any) -> None:
    """Exercise 3: 51 steps of 1/50 end at 1.02."""
    mistakes = {
        "50 steps would end there; these are 51": 1.0,
        "49 steps would end there; these are 51": 0.98,
        "this is the number of steps; each of them has the size 1/50": 51,
    }
    check_answer("Exercise 3", answer, 51 / 50, mistakes)
