"""What the explorers of lesson 03 are to show, and how its exercises answer."""

import math
from fractions import Fraction

import numpy as np
import torch
from scipy.linalg import expm
from seen import Artist, Explored, Panel, View
from tried import Exercise

from flowlib.lessons import lesson_03
from flowlib.plots import CLASSES, DATA, EXACT, MARK, NOISE

SPIRAL = np.array([[-0.6, -2.5], [2.5, -0.6]])


def spiral(x, t):
    return x @ torch.tensor(SPIRAL).T


def wind(x, t):
    return 4 * torch.stack([(2 * math.pi * t).cos(), (2 * math.pi * t).sin()], dim=1).expand_as(x)


def spiral_at(x, t):
    return SPIRAL @ x


def wind_at(x, t):
    return np.array([4 * math.cos(2 * math.pi * t), 4 * math.sin(2 * math.pi * t)])


def spiral_flow(x_0, t):
    return expm(t * SPIRAL) @ x_0


def wind_flow(x_0, t):
    return x_0 + 2 / math.pi * np.array([math.sin(2 * math.pi * t), 1 - math.cos(2 * math.pi * t)])


def brake(x, t):
    return -2 * t[:, None] * x**2


def brake_flow(x_0, t):
    return x_0 / (1 + x_0 * t[:, None] ** 2)


FIELDS = {"spiral": spiral, "wind": wind}
EXACTLY = {  # velocity, flow, and the factor of every area, of one point at one time
    "spiral": (spiral_at, spiral_flow, lambda t: math.exp(-1.2 * t)),
    "wind": (wind_at, wind_flow, lambda t: 1.0),
}


def drifting_point(digits, name, x, y, t):
    velocity, flow, _ = EXACTLY[name]
    places = [np.array([3 * i / 6 - 3, 3 * j / 6 - 3]) for i in range(13) for j in range(13)]
    ways = np.array([velocity(place, t) for place in places])
    ways *= 0.85 * 0.5 / np.hypot(*ways.T).max()  # the longest spans 0.85 of a gap
    ts = np.arange(51) / 50
    way = np.array([flow(np.array([x, y]), time) for time in ts])
    here, now = flow(np.array([x, y]), t), round(50 * t)
    speed = velocity(here, t)
    plane = [
        Artist("arrows", np.column_stack([places, ways]), EXACT),
        Artist("line", way[now:], EXACT),
        Artist("line", way[: now + 1], EXACT),
        Artist("line", [[x, y]], NOISE),
        Artist("pull", (*here, *(here + 0.25 * speed), 2.5), MARK),
        Artist("line", [here], MARK),
    ]
    times = [
        Artist("line", np.column_stack([ts, way[:, 0]]), EXACT, "across"),
        Artist("line", np.column_stack([ts, way[:, 1]]), EXACT, "up"),
        Artist("line", [[t, here[0]], [t, here[1]]], MARK),
    ]
    return View([Panel(plane, [t]), Panel(times, [])], [t, *here, *speed])


def mapped_lattice(digits, name, t):
    _, flow, factor = EXACTLY[name]
    fine, corners = np.linspace(-2, 2, 81), np.linspace(0, 0.5, 11)
    lines = [[(c, v) for v in fine] for c in fine[::10]] + [[(v, c) for v in fine] for c in fine[::10]]
    before = np.array(lines).reshape(-1, 2)
    around = [(v, 0) for v in corners] + [(0.5, v) for v in corners]
    square = np.array([*around, *[(v, 0.5) for v in corners[::-1]], *[(0, v) for v in corners[::-1]]])
    after, filled = (np.array([flow(x, t) for x in points]) for points in (before, square))
    artists = [
        Artist("segments", before, NOISE),
        Artist("polygon", square, NOISE),
        Artist("segments", after, EXACT),
        Artist("polygon", filled, EXACT),
    ]
    return View([Panel(artists, [t, factor(t)])], [t, factor(t), 0])


TABLEAUX = {  # of Runge and Kutta: when each velocity is taken, how far along the one before, its weight
    "euler": [(0, 0, 1)],
    "midpoint": [(0, 0, 0), (1 / 2, 1 / 2, 1)],
    "heun": [(0, 0, 1 / 2), (1, 1, 1 / 2)],
    "rk4": [(0, 0, 1 / 6), (1 / 2, 1 / 2, 1 / 3), (1 / 2, 1 / 2, 1 / 3), (1, 1, 1 / 6)],
}
START = np.array([1.5, -0.4])


def walk(method, steps):
    """The places of a walk through the field of a brake, from `START`."""
    xs, h = [START], 1 / steps
    for k in range(steps):
        ahead, mean = np.zeros(2), np.zeros(2)
        for when, reach, weight in TABLEAUX[method]:
            ahead = -2 * (k + when) * h * (xs[-1] + reach * h * ahead) ** 2
            mean = mean + weight * ahead
        xs.append(xs[-1] + h * mean)
    return np.array(xs)


def solver_against_exact(digits, method, steps):
    exact = np.array([[x / (1 + x * t**2) for x in START] for t in np.arange(201) / 200])

    def error(name, n):
        return math.dist(walk(name, n)[-1], exact[-1])

    plane = [
        Artist("line", exact, EXACT, "exact"),
        Artist("line", walk(method, steps), MARK, method),
        Artist("line", exact[-1:], DATA, "exact end"),
    ]
    cost = [
        Artist("line", [(n * len(rule), error(name, n)) for n in (1, 2, 4, 8, 16, 32, 64)], colour, name)
        for (name, rule), colour in zip(TABLEAUX.items(), (*CLASSES, "#000000"))
    ]
    work, off = steps * len(TABLEAUX[method]), error(method, steps)
    cost += [
        Artist("line", [(work, off)], MARK),
        Artist("xticks", [1, 4, 16, 64, 256], name="1 4 16 64 256"),
        Artist("yticks", [1e-4, 1e-2, 1, 100], name="0.0001 0.01 1 100"),
    ]
    digit = [4] if method == "rk4" else []
    return View([Panel(plane, []), Panel(cost, [1])], [*digit, steps, work, off])


EXPLORERS = {
    "drifting_point": Explored(
        lambda digits: lesson_03.drifting_point(FIELDS),
        [
            {"name": "spiral", "x": -2.0, "y": 0.5, "t": 0.0},
            {"name": "wind", "x": 0.25, "y": -1.0, "t": 0.3},
            {"name": "spiral", "x": 1.75, "y": 2.0, "t": 1.0},
        ],
        drifting_point,
    ),
    "mapped_lattice": Explored(
        lambda digits: lesson_03.mapped_lattice(FIELDS),
        [{"name": "spiral", "t": 0.4}, {"name": "wind", "t": 0.0}, {"name": "wind", "t": 0.26}, {"t": 1.0}],
        mapped_lattice,
    ),
    "solver_against_exact": Explored(
        lambda digits: lesson_03.solver_against_exact(brake, brake_flow, torch.tensor(START)[None]),
        [{"method": "euler", "steps": 1}, {"method": "rk4", "steps": 3}, {"method": "heun", "steps": 64}],
        solver_against_exact,
    ),
}

EXERCISES = [
    Exercise(
        lesson_03.end_of_a_ride,
        [1, -1 + 2 * 1**3, Fraction(1), np.trapezoid(6 * np.linspace(0, 1, 1001) ** 2, dx=1e-3) - 1],
        {
            2: "where did it start",
            5: "velocity of the last moment",
            -1: "first moment",
            6: "its integral",
            0.5: "half-way",
        },
    ),
    Exercise(
        lesson_03.two_euler_steps,
        [[0.75, 1], (Fraction(3, 4), 1), [[0.75], [1]], [torch.tensor(0.75), torch.tensor(1.0)]],
        {
            (1, 0.5): "this is one step",
            (1, 1): "ask the field again",
            (0, 2): "size 1/2",
            (0.75, -1): "clockwise",
            (0.5403, 0.8415): "exact end",
        },
    ),
    Exercise(
        lesson_03.flow_between_times,
        [
            lambda x, s, t: x + t**3 - s**3,
            lambda x, s, t: x + (t - s) * (t * t + t * s + s * s),
            lambda x, s, t: x + math.pow(t, 3) - math.pow(s, 3),
            lambda x, s, t: (x.numpy() + t.numpy() ** 3 - s.numpy() ** 3)[:, None],
            lambda x, s, t: [place + (t**3 - s**3)[i] for i, place in enumerate(x)],
        ],
        {
            (lambda x, s, t: x + t**3): "starts at time 0",
            (lambda x, s, t: x + (t - s) ** 3): "depends on the clock",
            (lambda x, s, t: x + s**3 - t**3): "from t to s",
            (lambda x, s, t: x + 3 * s**2 * (t - s)): "velocity of time s",
            (lambda x, s, t: x + 3 * t**2 * (t - s)): "velocity of time t",
            (lambda x, s, t: t**3 - s**3): "add where it starts",
            (lambda x, s, t: x + t**2 - s**2): "flow of 2t",
            (lambda x, s, t: x + 3 * t**2 - 3 * s**2): "subtracts velocities",
            (lambda x, s: x): "TypeError",
            (lambda x, s, t: None): "NoneType",
            0.5: "a function is needed",
        },
    ),
    Exercise(
        lesson_03.order_of_a_method,
        [2, Fraction(2), math.log(16) / math.log(4), math.log(0.008 / 0.0005) / math.log(40 / 10)],
        {
            4: "to a quarter",
            16: "as a power of the step",
            1: "order 1",
            -2: "not negative",
            0.5: "way round",
        },
    ),
]
