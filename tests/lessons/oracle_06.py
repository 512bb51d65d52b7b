"""What the explorers of lesson 06 are to show, and how its exercises answer."""

import math
from fractions import Fraction

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import entropy, norm
from seen import Artist, Explored, Panel, View, mosaic
from tried import Exercise

from flowlib.data import Digits
from flowlib.lessons import lesson_06
from flowlib.lessons.drawings import READY_MADE
from flowlib.plots import DATA, EXACT, MARK

HOUSE, THREE = READY_MADE["a house"], READY_MADE["a three"]
FOUR = np.array([[2.0, 0.0], [-1.0, 1.5], [0.3, -0.8], [0.3, 2.4]])


def pulls_at_a_place(digits, across, up, t):
    x = np.array([across, up])
    heights = norm.pdf(x, t * FOUR, 1 - t).prod(1)
    weights = heights / heights.sum()
    mean = sum(weight * point for weight, point in zip(weights, FOUR))
    velocity = sum(weight * (point - x) / (1 - t) for weight, point in zip(weights, FOUR))
    artists = [Artist("pull", (*x, *point, 0.5 + 7 * weight), DATA) for weight, point in zip(weights, FOUR)]
    artists += [Artist("pull", (*x, *mean, 3), EXACT)]
    artists += [Artist("points", FOUR, DATA, "data"), Artist("points", [x], MARK, "x")]
    return View([Panel(artists, [t, *velocity, *weights])], [*x, t, *weights, *velocity])


def noise_of(seed: int) -> np.ndarray:
    return torch.randn(256, generator=torch.Generator().manual_seed(seed)).double().numpy()


def log_heights(x: np.ndarray, t: float, points: np.ndarray) -> np.ndarray:
    """Log p_t(x | x_1) for each of `points`, up to a constant, from the distances."""
    return -((x - t * points) ** 2).sum(1) / (2 * (1 - t) ** 2)


def strongest(image: np.ndarray, noise: int, t: float, points: np.ndarray) -> tuple[Artist, list, float]:
    """The row of pictures at t, its weights, and how many images pull."""
    x = t * image + (1 - t) * noise_of(noise)
    logs = log_heights(x, t, points)
    weights, order = softmax(logs), np.argsort(-logs, kind="stable")[:8]
    row = np.stack([x, *points[order], np.average(points, axis=0, weights=weights)])
    return (
        Artist("image", mosaic(row.reshape(-1, 1, 16, 16), 10, titles=True)),
        [*weights[order]],
        math.exp(entropy(weights)),
    )


def pulls_on_a_digit(digits, digit, noise, t, n):
    points = digits.images.view(-1, 256).double().numpy()
    row, weights, many = strongest(points[digit], noise, t, points[:n])
    times = np.linspace(0, 0.9, 46)
    z, known = noise_of(noise), points[:n]
    with_digit, with_noise, squares = known @ points[digit], known @ z, (known**2).sum(1)
    counts = []
    for time in times:
        product = time * with_digit + (1 - time) * with_noise
        logs = (time * product - time**2 * squares / 2) / (1 - time) ** 2
        counts.append(math.exp(entropy(softmax(logs))))
    below = [
        Artist("line", np.column_stack([times, np.log10(counts)]), EXACT),
        Artist("line", [(t, math.log10(many))], MARK),
        Artist("yticks", range(4), None, "1 10 100 1000"),
    ]
    return View([Panel([row], weights), Panel(below, [t, many, n])], [t, many, n, *weights])


def pulls_on_a_drawing(digits, drawing, noise, t):
    points = few(digits).images.view(-1, 256).double().numpy()
    image = np.array([int(level, 16) / 7.5 - 1 for level in drawing])
    row, weights, many = strongest(image, noise, t, points)
    return View([Panel([row], [t, many, len(points), *weights])], [t, many, len(points), *weights])


def few(digits: Digits) -> Digits:
    return digits.only(0, 3)


EXPLORERS = {
    "pulls_at_a_place": Explored(
        lambda digits: lesson_06.pulls_at_a_place(torch.tensor(FOUR)),
        [
            {"across": 0.6, "up": 0.4, "t": 0.2},
            {"across": -2.5, "up": 2.5, "t": 0},
            {"across": 0.3, "up": -0.8, "t": 0.98},
            {"across": 1.2, "up": 1.1, "t": 0.6},
        ],
        pulls_at_a_place,
    ),
    "pulls_on_a_digit": Explored(
        lesson_06.pulls_on_a_digit,
        [
            {"digit": 7, "noise": 0, "t": 0.36, "n": 800},
            {"digit": 0, "noise": 50, "t": 0, "n": 10},
            {"digit": 9, "noise": 3, "t": 0.9, "n": 5000},
        ],
        pulls_on_a_digit,
    ),
    "pulls_on_a_drawing": Explored(
        lambda digits: lesson_06.pulls_on_a_drawing(few(digits)),
        [
            {"drawing": HOUSE, "noise": 5, "t": 0.2},
            {"drawing": THREE, "noise": 0, "t": 0},
            {"drawing": HOUSE[16:] + HOUSE[:16], "noise": 50, "t": 0.9},
        ],
        pulls_on_a_drawing,
    ),
}


# Answers to try on exercise 3, and the height that they share


def heights(x, t, data):
    """Of the bumps of `data` `(n, d)` at the places `x` `(batch, d)`, `(batch, n)`."""
    scale = 1 - t[:, None, None]
    return torch.distributions.Normal(t[:, None, None] * data, scale).log_prob(x[:, None]).sum(2).exp()


def bayes(x, t, data, p_data):
    joint = heights(x, t, data) * p_data
    return joint / joint.sum(1, keepdim=True)


def by_softmax(x, t, data, p_data):
    logs = [
        -(torch.cdist(place[None], time * data) ** 2) / (2 * (1 - time) ** 2) for place, time in zip(x, t)
    ]
    return (torch.cat(logs) + p_data.log()).softmax(1)


def by_numpy(x, t, data, p_data):
    x, t, data, p_data = (values.numpy() for values in (x, t, data, p_data))
    rows = []
    for place, time in zip(x, t):
        joint = [p * norm.pdf(place, time * end, 1 - time).prod() for end, p in zip(data, p_data)]
        rows.append([height / sum(joint) for height in joint])
    return rows


def without_prior(x, t, data, p_data):
    return bayes(x, t, data, torch.ones(len(data)))


def without_sum(x, t, data, p_data):
    return heights(x, t, data) * p_data


def wrong_order(x, t, data, p_data):
    return without_prior(x, t, data, p_data) * p_data


def upside_down(x, t, data, p_data):
    return bayes(x, t, data, 1 / p_data)


def over_places(x, t, data, p_data):
    return without_sum(x, t, data, p_data) / without_sum(x, t, data, p_data).sum(0)


EXERCISES = [
    Exercise(
        lesson_06.velocity_to_one_point,
        [
            [4, -8],
            torch.tensor([[4.0], [-8.0]]),
            np.array([4, -8]),
            (Fraction(4), Fraction(-8)),
            [torch.tensor(4), -8],
        ],
        {
            (1, -2): "time that is left",
            (4 / 3, -8 / 3): "time that has passed",
            (0.25, -0.5): "shorter time",
            (-4, 8): "away from x_1",
            (-2, 7): "the noise",
        },
    ),
    Exercise(
        lesson_06.weight_of_one_point,
        [0.755, 1 / (1 + math.exp(-1.125)), torch.sigmoid(torch.tensor(1.125)), softmax([0, -1.125])[0]],
        {
            0.245: "data point 0",
            0.598: "a height",
            1.0: "divide",
            0.396: "denominator",
            0.679: "squared",
            0.033: "around t·x_1",
            0.5: "equal shares",
        },
    ),
    Exercise(
        lesson_06.weights_of_unequal_points,
        [bayes, by_softmax, by_numpy],
        {
            without_prior: "plays no part",
            without_sum: "not yet divided",
            wrong_order: "add up to 1",
            upside_down: "divides here",
            over_places: "not over the places",
            0.5: "a function is needed",
            lambda x, t: x: "it stops",
        },
    ),
    Exercise(
        lesson_06.field_of_a_widening_cloud,
        [
            lambda x, t: x / (1 + t[:, None]),
            lambda x, t: x * (1 + t).reciprocal().view(-1, 1),
            lambda x, t: (x[:, 0] / (1 + t))[:, None],
            lambda x, t: (x[:, 0] / (1 + t)).tolist(),
            lambda x, t: x.numpy() / (1 + t.numpy()[:, None]),
        ],
        {
            lambda x, t: x: "leads to e",
            lambda x, t: -x / (1 + t[:, None]): "shrinks",
            lambda x, t: x * (1 + t[:, None]): "divided by",
            lambda x, t: x / (1 + t): "each x meets its own t",
            lambda x, t: x / t.item(): "it stops",
        },
    ),
]
