"""What the explorers of lesson 04 are to show, and how its exercises answer."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import torch
from scipy.integrate import cumulative_trapezoid, solve_ivp
from seen import Artist, Explored, Panel, View
from tried import Exercise

from flowlib.lessons import lesson_04
from flowlib.plots import EXACT, MARK, NOISE


def line(ts, x, *look) -> Artist:
    return Artist("line", np.column_stack(np.broadcast_arrays(ts, x)), *look)


def powers(low: int, high: int, every: int) -> Artist:
    """Marks at powers of ten, and their words."""
    places = range(low, high + 1, every)
    return Artist("yticks", places, None, " ".join("1" if k == 0 else f"1e{k:+d}" for k in places))


def solved(field, start: float, ts: np.ndarray) -> np.ndarray:
    """The trajectory of a field `u(x, t)` from a start, by a solver of high order with small errors."""
    return solve_ivp(lambda t, x: field(x, t), (0, 1), [start], "DOP853", ts, rtol=1e-12, atol=1e-14).y[0]


# The laboratory: its fields, and their solutions written out case by case

LAB = {
    "2√|x|": (lambda x, t: 2 * math.sqrt(abs(x)), (-1.2, 3.0), [2]),
    "x²": (lambda x, t: x * x, (-2.0, 30.0), []),
    "(1 − x)/(1 − t)": (lambda x, t: (1 - x) / (1 - t), (-1.2, 3.0), [1, 1]),
}


def solution(name: str, x_0: float, t: float, leave: float) -> float:
    if name == "x²":
        return x_0 / (1 - t * x_0) if t * x_0 < 1 else math.nan
    if name == "(1 − x)/(1 − t)":
        return x_0 + t * (1 - x_0)
    if x_0 > 0:
        return (math.sqrt(x_0) + t) ** 2
    at_rest = math.sqrt(-x_0)  # when it comes to 0
    if t < at_rest:
        return -((at_rest - t) ** 2)
    return (t - max(leave, at_rest)) ** 2 if t > leave else 0.0


def existence_lab(digits, name, x_0, c):
    field, (low, high), said = LAB[name]
    ts, states = np.linspace(0, 1, 201), [x_0]
    for k in range(25):
        if low <= states[-1] <= high:
            states.append(states[-1] + field(states[-1], k / 25) / 25)
    many = [(start, 0.0) for start in np.arange(-1, 2.01, 0.25)]
    many += [(0.0, leave) for leave in (0.2, 0.4, 0.6, 0.8, 1.0) if name == "2√|x|"]
    curves = [[solution(name, start, t, leave) for t in ts] for start, leave in many]
    here, place = [solution(name, x_0, t, c) for t in ts], solution(name, x_0, c, c)
    gone = x_0 >= 1 and name == "x²"
    artists = [line(ts, curve, EXACT) for curve in curves]
    artists += [line(ts, here, MARK, f"a solution from {x_0:g}")]
    artists += [line(np.arange(len(states)) / 25, states, NOISE, "Euler, 25 steps"), line(c, place, MARK)]
    artists += [Artist("line", [(1 / x_0, 0), (1 / x_0, 1)], MARK)] if gone else []
    where = [c] if math.isnan(place) else [place, c]
    stays = len(states) == 26 and low <= states[-1] <= high
    return View([Panel(artists, said)], [*said, x_0, *where, *([states[-1]] if stays else [])])


# Picard's iterates: each the integral of the one before; their limit solves the implicit trapezoid rule

ITERATED = {
    "x": (lambda x, t: x, 1.0, []),
    "−6 x": (lambda x, t: -6 * x, 1.0, [-6]),
    "sin 3x + cos 5t": (lambda x, t: np.sin(3 * x) + np.cos(5 * t), 0.2, [3, 5]),
    "1 + |x|": (lambda x, t: 1 + abs(x), -0.5, [1]),
}


def limit_of_iterates(field, start: float, ts: np.ndarray) -> np.ndarray:
    states = [start]
    for t, then in pairwise(ts):
        x = states[-1]
        for _ in range(12):  # each reduces the error by L h / 2, at most 1/133
            x = states[-1] + (field(states[-1], t) + field(x, then)) * (then - t) / 2
        states.append(x)
    return np.array(states)


def picard_iteration(digits, name, k):
    field, start, said = ITERATED[name]
    ts = np.linspace(0, 1, 401)
    iterates = [np.full(401, start)]
    for _ in range(10):
        iterates.append(start + cumulative_trapezoid(field(iterates[-1], ts), ts, initial=0))
    limit = limit_of_iterates(field, start, ts)
    gaps = [abs(iterate - limit).max() for iterate in iterates]
    left = [line(ts, iterate, NOISE) for iterate in iterates[:k]]
    left += [
        line(ts, solved(field, start, ts), EXACT, "solution"),
        line(ts, iterates[k], MARK, f"iterate {k}"),
    ]
    right = [line(range(11), np.log10(gaps), NOISE), line(k, np.log10(gaps[k]), MARK), powers(-16, 2, 6)]
    return View([Panel(left, said), Panel(right, [])], [*said, k, gaps[k]])


NEIGHBOURS = {
    "L x": (lambda x, t, L: L * x, []),
    "−L x": (lambda x, t, L: -L * x, []),
    "sin L x": (lambda x, t, L: np.sin(L * x), []),
    "cos(L x + 9 t)": (lambda x, t, L: np.cos(L * x + 9 * t), [9]),
}


def nearby_starts(digits, name, lipschitz, exponent):
    field, said = NEIGHBOURS[name]
    ts, gap = np.linspace(0, 1, 51), 10.0**exponent
    one, other = (solved(lambda x, t: field(x, t, lipschitz), x, ts) for x in (0.3, 0.3 + gap))
    apart = abs(one - other)
    left = [line(ts, one, EXACT), line(ts, other, MARK)]
    walls = [line(ts, exponent + sign * lipschitz * ts / math.log(10), NOISE) for sign in (1, -1)]
    right = [*walls, line(ts, np.log10(apart), MARK), powers(-8, 2, 5)]
    bounds = [math.exp(-lipschitz), math.exp(lipschitz)]
    words = [*said, lipschitz, gap, apart[-1], apart[-1] / gap, *bounds]
    return View([Panel(left, [*said, lipschitz]), Panel(right, [])], words)


EXPLORERS = {
    "existence_lab": Explored(
        lambda digits: lesson_04.existence_lab(),
        [
            {"name": "2√|x|", "x_0": -0.5, "c": 0.9},
            {"name": "2√|x|", "x_0": 0, "c": 0.4},
            {"name": "2√|x|", "x_0": 0.25, "c": 1},
            {"name": "x²", "x_0": 2, "c": 0.45},
            {"name": "x²", "x_0": 1, "c": 1},
            {"name": "(1 − x)/(1 − t)", "x_0": -1, "c": 0},
        ],
        existence_lab,
    ),
    "picard_iteration": Explored(
        lambda digits: lesson_04.picard_iteration(most=10),  # beyond, some gaps are rounding
        [
            {"name": "x", "k": 0},
            {"name": "−6 x", "k": 5},
            {"name": "sin 3x + cos 5t", "k": 10},
            {"name": "1 + |x|", "k": 2},
        ],
        picard_iteration,
    ),
    "nearby_starts": Explored(
        lambda digits: lesson_04.nearby_starts(),
        [
            {"name": "L x", "lipschitz": 6, "exponent": -2},
            {"name": "−L x", "lipschitz": 0.5, "exponent": -5},
            {"name": "sin L x", "lipschitz": 3, "exponent": 0},
            {"name": "cos(L x + 9 t)", "lipschitz": 4.5, "exponent": -3.5},
        ],
        nearby_starts,
    ),
}

EXERCISES = [
    Exercise(
        lesson_04.where_two_lines_cross,
        [(1 / 3, 4 / 3), [0.3333, 1.3333], (Fraction(1, 3), Fraction(4, 3)), [torch.tensor(1 / 3), 4 / 3]],
        {
            (4 / 3, 1 / 3): r"asks for \(t, x\)",
            1 / 3: "place is missing",
            4 / 3: "time is missing",
            (0.5, 2.0): "met before",
            (0.5, 1.0): "already met",
            (1.0, 4.0): "falls to 0",
        },
    ),
    Exercise(
        lesson_04.smallest_lipschitz_constant,
        [7, 1 + 2 * 3, Fraction(7)],
        {6: "at which t", 3: "chain", 2: "has a slope too", 4: "factor 2", 6.5: "all t", 8: "hint"},
    ),
    Exercise(
        lesson_04.second_picard_iterate,
        [
            lambda t: 1 + t**2 + t**4 / 2,
            lambda t: 1 + t * t * (1 + t * t / 2),
            lambda t: (1 + t**2 + t**4 / 2)[:, None],
            lambda t: [1 + s**2 + s**4 / 2 for s in t],
            lambda t: np.polyval([0.5, 0, 1, 0, 1], t.numpy()),
            lambda t: math.fsum([1, math.pow(t, 2), math.pow(t, 4) / 2]),
            np.poly1d([0.5, 0, 1, 0, 1]),
        ],
        {
            (lambda t: 1 + t**2): "first iterate",
            (lambda t: torch.exp(t**2)): "the solution",
            (lambda t: math.exp(t * t)): "the solution",
            (lambda t: t**2 + t**4 / 2): "start x_0 = 1",
            (lambda t: 1 + t**2 + t**4): "integral of 2 s³",
            (lambda t: 1 + t + t**2 / 2): "the field is 2 t x",
            (lambda t: 1 + t**2 + t**4 / 2 + t**6 / 6): "third iterate",
            (lambda t: t): "not it",
            2.5: "a function is needed",
        },
    ),
    Exercise(
        lesson_04.largest_distance_of_neighbours,
        [0.01 * math.exp(2), 0.0739, 0.01 * torch.tensor(2.0).exp(), 0.01 * np.e**2],
        {
            math.e**2: "factor",
            0.01 * math.exp(-2): "how near",
            0.03: "so does the rate",
            0.02: "grows at first",
            0.01 * math.e: "L = 1",
        },
    ),
]
