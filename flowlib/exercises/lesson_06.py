"""The exercises of lesson 06."""

import math
from typing import Any

import torch

from flowlib.checks import check_answer
from flowlib.exercises.base import check_function
from flowlib.fields import log_likelihood
from flowlib.paths import LinearPath


def velocity_to_one_point(answer: Any) -> None:
    """Exercise 1: (x_1 - x)/(1 - t) for x_1 = (2, -1), x = (1, 1), t = 3/4."""
    x_1, x, t = torch.tensor([2.0, -1.0]), torch.tensor([1.0, 1.0]), 0.75
    mistakes = {
        "this is the way that is left; the velocity is this way over the time that is left": x_1 - x,
        "this divides by the time that has passed; what counts is the time that is left": (x_1 - x) / t,
        "this multiplies by 1 − t; a shorter time needs a larger velocity": (x_1 - x) * (1 - t),
        "this points away from x_1: the velocity leads from x to x_1": (x - x_1) / (1 - t),
        "this is the noise x_0; the velocity is x_1 − x_0": (x - t * x_1) / (1 - t),
    }
    check_answer("Exercise 1", answer, (x_1 - x) / (1 - t), mistakes)


def weight_of_one_point(answer: Any) -> None:
    """Exercise 2: the weight of the data point 3, of 3 and 0, at x = 1 and t = 1/3."""
    near, far = 1.0, math.exp(-1.125)  # the noises are 0 and 1.5
    height = 1 / (math.sqrt(2 * math.pi) * 2 / 3)
    narrow = math.exp(-1 / (2 * 2 / 3))
    mistakes = {
        "this is the weight of the data point 0": far / (near + far),
        "this is p_t(x | x_1), a height; divide it by the sum of both heights": height * near,
        "this is e to the 0, the height without its factor; divide it by the sum of both": near,
        "this is p_t(x), the denominator": height * (near + far) / 2,
        "the spread 1 − t stands squared in the exponent": near / (near + narrow),
        "the bump of x_1 stands around t·x_1, not around x_1": math.exp(-4.5) / (math.exp(-4.5) + far),
        "these are equal shares; the nearer bump must count for more": 0.5,
    }
    check_answer("Exercise 2", answer, near / (near + far), mistakes, tol=5e-3)


def weights_of_unequal_points(answer: Any) -> None:
    """Exercise 3: a function `(x, t, data, p_data)`, Bayes' weights where p_data is not equal."""
    generator = torch.Generator().manual_seed(0)
    x, data = torch.randn(6, 2, generator=generator).double(), torch.randn(4, 2, generator=generator).double()
    t, p_data = torch.linspace(0, 0.8, 6).double(), torch.tensor([0.1, 0.2, 0.3, 0.4]).double()
    likelihood = log_likelihood(x, t, data, LinearPath()).exp()
    mistakes = {
        "p_data plays no part yet; an end that is drawn more often is more likely": likelihood,
        "these are p_t(x | x_1) p_data(x_1), not yet divided by their sum over x_1": likelihood * p_data,
        "p_data divides here; it should multiply p_t(x | x_1)": likelihood / p_data,
    }
    mistakes = {
        hint: value if "not yet" in hint else value / value.sum(1, keepdim=True)
        for hint, value in mistakes.items()
    }
    mistakes["multiply by p_data first, then divide by the sum: these do not add up to 1"] = (
        likelihood / likelihood.sum(1, keepdim=True) * p_data
    )
    mistakes["divide by the sum over the data points, not over the places x"] = (
        likelihood * p_data / (likelihood * p_data).sum(0)
    )
    right = likelihood * p_data / (likelihood * p_data).sum(1, keepdim=True)
    check_function("Exercise 3", answer, (x, t, data, p_data), right, mistakes)


def field_of_a_widening_cloud(answer: Any) -> None:
    """Exercise 4: a function of x `(n, 1)`, t `(n,)`: the field x / (1 + t) that carries N(0, (1 + t)²)."""
    x, t = torch.tensor([[-1.0], [0.5], [2.0]]).double(), torch.tensor([0.0, 0.4, 1.0]).double()
    growth = 1 + t[:, None]
    mistakes = {
        "from x_0 = 1 this field leads to e, not to 2; how fast does (1 + t) x_0 move, said by x and t?": x,
        "this has the sign of a cloud that shrinks": -x / growth,
        "x = (1 + t) x_0, so x_0 is x divided by 1 + t": x * growth,
        "this is every x at every t, (n, n); with t[:, None] each x meets its own t": x / (1 + t),
    }
    check_function("Exercise 4", answer, (x, t), x / growth, mistakes)
