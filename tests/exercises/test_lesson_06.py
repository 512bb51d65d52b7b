import math

import torch

from flowlib import exercises


def test_velocity_to_one_point(try_exercise):
    wrong = {(1, -2): "time that is left", (-4, 8): "away from x_1", (-2, 7): "the noise"}
    try_exercise(exercises.velocity_to_one_point, [[4, -8], torch.tensor([[4.0, -8.0]])], wrong)


def test_weight_of_one_point(try_exercise):
    wrong = {0.245: "data point 0", 0.598: "a height", 1.0: "divide", 0.5: "equal shares", 0.679: "squared"}
    try_exercise(exercises.weight_of_one_point, [0.755, 1 / (1 + math.exp(-1.125))], wrong)


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
    try_exercise(exercises.weights_of_unequal_points, [right, by_softmax], wrong)


def test_field_of_a_widening_cloud(try_exercise):
    wrong = {
        lambda x, t: x: "leads to e",
        lambda x, t: -x / (1 + t[:, None]): "shrinks",
        lambda x, t: x * (1 + t[:, None]): "divided by",
        lambda x, t: x / (1 + t): "each x meets its own t",
        lambda x, t: x / t.item(): "it stops",
    }
    try_exercise(exercises.field_of_a_widening_cloud, [lambda x, t: x / (1 + t[:, None])], wrong)
