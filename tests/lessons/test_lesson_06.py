"""Lesson 06: what its explorers say, and how its exercises answer."""

import math

import pytest
import torch

from flowlib.fields import posterior_weights
from flowlib.lessons import lesson_06
from flowlib.lessons.drawings import READY_MADE, image_of
from flowlib.lessons.lesson_06 import effective_number
from flowlib.paths import LinearPath

HOUSE = READY_MADE["a house"]


def test_pulls_on_a_digit_shows_the_posterior_weights(move, digits, noise):
    explorer = lesson_06.pulls_on_a_digit(digits)
    for name, value in {"digit": 7, "t": 0.36, "n": 800}.items():
        explorer.controls[name].value = value
    data = digits.images.double()
    t = torch.tensor([0.36]).double()
    weights = posterior_weights(0.36 * data[7:8] + 0.64 * noise(0), t, data[:800], LinearPath())
    words = move.alt(explorer)
    assert f"{effective_number(weights).item():,.1f} of 800" in words
    for weight in weights[0].topk(8).values:
        assert f"{weight:.1%}" in words


def test_effective_number_counts_equal_weights():
    weights = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0], [1, 0, 0, 0]])
    assert effective_number(weights).tolist() == pytest.approx([4, 2, 1])


def test_pulls_on_a_drawing_shows_the_weights_of_bayes_rule(move, digits, noise):
    few = digits.only(0, 3)
    explorer = lesson_06.pulls_on_a_drawing(few)
    controls = explorer.controls
    controls["drawing"].value, controls["noise"].value, controls["t"].value = HOUSE, 5, 0.2
    x_t = 0.2 * image_of(HOUSE).double() + 0.8 * noise(5).double()
    heights = [torch.distributions.Normal(0.2 * a, 0.8).log_prob(x_t).sum() for a in few.images.double()]
    weights = torch.stack(heights).softmax(0)
    words = move.alt(explorer)
    assert f"{effective_number(weights[None]).item():,.1f} of 1,000" in words
    assert f"weights {', '.join(f'{w:.1%}' for w in weights.topk(8).values)}." in words


def test_velocity_to_one_point(try_exercise):
    wrong = {(1, -2): "time that is left", (-4, 8): "away from x_1", (-2, 7): "the noise"}
    try_exercise(lesson_06.velocity_to_one_point, [[4, -8], torch.tensor([[4.0, -8.0]])], wrong)


def test_weight_of_one_point(try_exercise):
    wrong = {0.245: "data point 0", 0.598: "a height", 1.0: "divide", 0.5: "equal shares", 0.679: "squared"}
    try_exercise(lesson_06.weight_of_one_point, [0.755, 1 / (1 + math.exp(-1.125))], wrong)


def test_weights_of_unequal_points(try_exercise):
    def heights(x, t, data):
        t = t[:, None]
        squares = (x[:, None] - t[:, None] * data).square().sum(2)
        return torch.exp(-squares / (2 * (1 - t) ** 2)) / (2 * math.pi * (1 - t) ** 2)

    def right(x, t, data, p_data):
        products = heights(x, t, data) * p_data
        return products / products.sum(1, keepdim=True)

    def by_softmax(x, t, data, p_data):
        return (heights(x, t, data).log() + p_data.log()).softmax(1)

    def without_prior(x, t, data, p_data):
        return right(x, t, data, torch.ones(len(data)))

    def without_sum(x, t, data, p_data):
        return heights(x, t, data) * p_data

    def wrong_order(x, t, data, p_data):
        return without_prior(x, t, data, p_data) * p_data

    def upside_down(x, t, data, p_data):
        return right(x, t, data, 1 / p_data)

    def over_places(x, t, data, p_data):
        return without_sum(x, t, data, p_data) / without_sum(x, t, data, p_data).sum(0)

    wrong = {
        without_prior: "plays no part",
        without_sum: "not yet divided",
        wrong_order: "add up to 1",
        upside_down: "divides here",
        over_places: "not over the places",
        0.5: "a function is needed",
        lambda x, t: x: "it stops",
    }
    try_exercise(lesson_06.weights_of_unequal_points, [right, by_softmax], wrong)


def test_field_of_a_widening_cloud(try_exercise):
    wrong = {
        lambda x, t: x: "leads to e",
        lambda x, t: -x / (1 + t[:, None]): "shrinks",
        lambda x, t: x * (1 + t[:, None]): "divided by",
        lambda x, t: x / (1 + t): "each x meets its own t",
        lambda x, t: x / t.item(): "it stops",
    }
    try_exercise(lesson_06.field_of_a_widening_cloud, [lambda x, t: x / (1 + t[:, None])], wrong)
