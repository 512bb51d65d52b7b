"""What the explorers of lesson 08 are to show, and how its exercises answer."""

import math
from fractions import Fraction

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import softmax
from scipy.stats import norm
from seen import Artist, Explored, Panel, View, mosaic
from tried import Exercise

from flowlib.data import five_points
from flowlib.fields import conditional_velocity
from flowlib.lessons import lesson_08
from flowlib.paths import AffinePath, LinearPath, TrigonometricPath
from flowlib.plots import DATA, EXACT, MARK, NOISE
from flowlib.solvers import Trajectory


class Dip(AffinePath):
    def alpha(self, t):
        return t**2

    def sigma(self, t):
        return (1 - t) ** 2

    def d_alpha(self, t):
        return 2 * t

    def d_sigma(self, t):
        return 2 * t - 2


PATHS = {"1, line": LinearPath(), "2, arc": TrigonometricPath(), "3, dip": Dip()}
WEIGHTS = {  # α and σ; the arc is a walk round a quarter of a circle
    "1, line": lambda t: (t, 1 - t),
    "2, arc": lambda t: (np.exp(0.5j * np.pi * t).imag, np.exp(0.5j * np.pi * t).real),
    "3, dip": lambda t: (t * t, 1 - 2 * t + t * t),
}
H = 1e-6  # for differences in t


def line(x, y, *look) -> Artist:
    return Artist("line", np.column_stack(np.broadcast_arrays(x, y)), *look)


def mixed(name: str, t: float, x_0: np.ndarray, x_1: np.ndarray) -> np.ndarray:
    alpha, sigma = WEIGHTS[name](t)
    return alpha * x_1 + sigma * x_0


def schedules(digits, name, digit, t):
    x_1 = digits.images[digits.labels == digit][0].double().numpy()
    x_0 = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0)).double().numpy()
    velocity = (mixed(name, t + H, x_0, x_1) - mixed(name, t - H, x_0, x_1)) / (2 * H)
    grid, (alpha, sigma) = np.arange(101) / 100, WEIGHTS[name](t)
    alphas, sigmas = WEIGHTS[name](grid)
    mark = line(t, [0, 1], MARK)
    middle = [
        line(grid, alphas, DATA, "α"),
        line(grid, sigmas, NOISE, "σ"),
        line(t, [alpha, sigma], MARK),
        mark,
    ]
    decibels = 10 * np.log10(alphas[1:-1] ** 2 / sigmas[1:-1] ** 2)
    images = mosaic(np.stack([mixed(name, t, x_0, x_1), velocity]), 8, titles=True)
    panels = [
        Panel([Artist("image", images)], [t]),
        Panel(middle, []),
        Panel([line(grid[1:-1], decibels / 10, EXACT), mark], []),
    ]
    length = math.sqrt((velocity**2).sum())
    return View(panels, [float(name[0]), digit, t, alpha, sigma, length])


TARGETS, SAMPLERS = ("target 1", "target 2", "target 3"), ("upwards, 1", "downwards, 2")
FILMS, SCORES = {}, {}
for place, key in enumerate((target, sampler) for target in TARGETS for sampler in SAMPLERS):
    times = np.arange(9) / 8 if "up" in key[1] else 1 - np.arange(9) / 8
    states = (1 + place) * torch.randn(9, 4, 1, 16, 16, generator=torch.Generator().manual_seed(place))
    FILMS[key] = Trajectory(torch.tensor(times), states)
    SCORES[key] = (place / 7, 3.4 * place + 0.7)


def switchboard(digits, target, sampler):
    film, (read, far) = FILMS[target, sampler], SCORES[target, sampler]
    ts, states = film.ts.numpy(), film.xs.numpy()
    stills, shown = [], (0, 2, 3, 5, 6, 8)  # of eighths, those nearest to fifths
    for k in shown:
        still = mosaic(states[k], 2)
        stills += [still, np.full((len(still), 8), np.nan)]
    canvas, spread = np.hstack(stills[:-1]), states[-1].std(ddof=1)
    panel = Panel([Artist("image", canvas)], [read, far, *ts[list(shown)]])
    return View([panel], [int(target[-1]), int(sampler[-1]), 100, read, far, spread])


FIVE = five_points().double().numpy()
STARTS = np.array([[0.3, 1.2], [-1.0, 0.5], [2.1, -1.4]])


def likely(x: np.ndarray, alpha: float, sigma: float) -> np.ndarray:
    """The weights of the five at x, by the noises that would have led here."""
    return softmax(norm.logpdf((x - alpha * FIVE) / sigma).sum(1))


def field(name: str, t: float, x: np.ndarray) -> np.ndarray:
    """The average slope, in time, of the pairs through x."""
    alpha, sigma = WEIGHTS[name](t)
    noises = (x - alpha * FIVE) / sigma
    slopes = [
        (mixed(name, t + H, x_0, x_1) - mixed(name, t - H, x_0, x_1)) / (2 * H)
        for x_0, x_1 in zip(noises, FIVE, strict=True)
    ]
    return np.average(slopes, axis=0, weights=likely(x, alpha, sigma))


def two_views(digits, name, particle, t):
    times, start = np.linspace(0, 0.98, 50), STARTS[particle]
    followed = solve_ivp(
        lambda t, x: field(name, t, x), (0, 0.98), start, t_eval=times, rtol=1e-8, atol=1e-8
    ).y.T
    x_1 = FIVE[np.linalg.norm(followed[-1] / WEIGHTS[name](0.98)[0] - FIVE, axis=1).argmin()]
    pair = np.stack([mixed(name, time, start, x_1) for time in times])
    k = np.abs(times - t).argmin()
    weights = likely(followed[k], *WEIGHTS[name](times[k]))
    artists = [
        *[Artist("pull", (*followed[k], *end, 0.5 + 7 * w), DATA) for end, w in zip(FIVE, weights)],
        Artist("points", FIVE, DATA, "data"),
        Artist("points", [followed[k]], MARK, "x"),
        line(*pair.T, NOISE, "the pair"),
        line(*followed.T, EXACT, "the field"),
        line(*pair[k], NOISE),
    ]
    apart = math.dist(pair[k], followed[k])
    return View([Panel(artists, [t])], [float(name[0]), t, apart, *weights])


EXPLORERS = {
    "schedules": Explored(
        lambda digits: lesson_08.schedules(digits, PATHS),
        [
            {"name": "1, line", "digit": 7, "t": 0.36},
            {"name": "2, arc", "digit": 0, "t": 0.0},
            {"name": "3, dip", "digit": 9, "t": 0.86},
            {"name": "2, arc", "digit": 9, "t": 1.0},
        ],
        schedules,
    ),
    "switchboard": Explored(
        lambda digits: lesson_08.switchboard(FILMS, SCORES),
        [
            {"target": "target 3", "sampler": "upwards, 1"},
            {"target": "target 1", "sampler": "downwards, 2"},
            {"target": "target 2", "sampler": "downwards, 2"},
        ],
        switchboard,
    ),
    "two_views": Explored(
        lambda digits: lesson_08.two_views(torch.tensor(FIVE), PATHS, torch.tensor(STARTS)),
        [
            {"name": "1, line", "particle": 0, "t": 0.0},
            {"name": "2, arc", "particle": 1, "t": 0.46},
            {"name": "3, dip", "particle": 2, "t": 0.7},
            {"name": "1, line", "particle": 2, "t": 0.98},
        ],
        two_views,
    ),
}


class Floored(AffinePath):
    """α = t, σ = 1 - 0.9 t."""

    def alpha(self, t):
        return t

    def sigma(self, t):
        return 1 - 0.9 * t

    def d_alpha(self, t):
        return torch.ones_like(t)

    def d_sigma(self, t):
        return torch.full_like(t, -0.9)


def by_autograd(x, t, x_1):
    x_0 = (x - t * x_1) / (1 - 0.9 * t)
    return torch.func.jvp(lambda t: t * x_1 + (1 - 0.9 * t) * x_0, (t,), (torch.ones_like(t),))[1]


SAME = brentq(lambda t: math.tan(math.pi / 2 * t) - 1 / 3, 0, 0.9)

EXERCISES = [
    Exercise(
        lesson_08.velocity_on_the_line,
        [12, Fraction(3) / Fraction(1, 4), [12], torch.tensor([[12.0]]), (4 - 1) / (1 - 0.75)],
        {
            3: "way that is left",
            4.0: "divides by t",
            -12: "away from",
            0.75: "multiplies",
            16: "not it",
        },
    ),
    Exercise(
        lesson_08.velocity_with_a_floor,
        [
            lambda x, t, x_1: (x_1 - 0.9 * x) / (1 - 0.9 * t),
            lambda x, t, x_1: x_1 - 0.9 / (1 - 0.9 * t) * (x - t * x_1),
            lambda x, t, x_1: conditional_velocity(x, t, x_1, Floored()),
            lambda x, t, x_1: (x_1.numpy() - 0.9 * x.numpy()) / (1 - 0.9 * t.numpy()),
            lambda x, t, x_1: [float(a - 0.9 * b) / (1 - 0.9 * float(c)) for a, b, c in zip(x_1, x, t)],
            lambda x, t, x_1: x_1 - 0.9 * (x - t * x_1) / max(1 - 0.9 * t, 0.1),  # for plain numbers
            by_autograd,
        ],
        {
            lambda x, t, x_1: (x_1 - x) / (1 - t): "ends at σ = 0",
            lambda x, t, x_1: x_1 - (x - t * x_1) / (1 - 0.9 * t): "not −1",
            lambda x, t, x_1: x_1 + 0.9 * (x - t * x_1) / (1 - 0.9 * t): "has it positive",
            lambda x, t, x_1: x_1 - 0.9 * (x - t * x_1): "division by σ",
            lambda x, t, x_1: x_1 - 0.9 * x / (1 - 0.9 * t): "subtracts x",
            lambda x, t, x_1: x_1 - x: "not it",
            lambda x, t, x_1: None: "NoneType",
            lambda x: x: "it stops: TypeError",
            12: "a function is needed",
            "(x_1 - x)": "this is a str",
        },
    ),
    Exercise(
        lesson_08.heading_in_another_convention,
        [0.1, Fraction(1, 10), 0.5 - 0.2 * 2, [torch.tensor(0.1)]],
        {2.1: "our formula", 0.9: "opposite sign", -1.1: "not 1 − t", -1.5: "whole unit"},
    ),
    Exercise(
        lesson_08.same_picture_on_the_arc,
        [SAME, 0.205, np.arctan2(1, 3) / np.pi * 2, 2 / torch.pi * torch.tensor(1 / 3).atan()],
        {
            0.161: "digit weighs",
            0.46: "noise weighs",
            1 / 3: "on the line",
            0.25: "another t",
            0.3217: "the angle; solve",
            18.435: "in degrees",
            0.795: "σ/α",
        },
    ),
]
