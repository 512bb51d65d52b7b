"""What the explorers of lesson 05 are to show, and how its exercises answer."""

import math
from fractions import Fraction

import numpy as np
import torch
from scipy.integrate import solve_ivp
from scipy.stats import norm
from seen import Artist, Explored, Panel, View
from torch.distributions import Normal
from tried import Exercise

from flowlib.lessons import lesson_05
from flowlib.plots import DATA, EXACT, LEARNED, MARK, NOISE

QUANTILES = norm.ppf((np.arange(50) + 0.5) / 50)
STARTS = torch.tensor(QUANTILES)[:, None]
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(5)  # exact for the squares of lines
SHADES = (0.0, 0.5, 1.0)


def density(x, t, m=2.0, s=0.5):
    return Normal(t[:, None] * m, (1 - t + t * s)[:, None]).log_prob(x).exp()


def field(x, t, m=2.0, s=0.5):
    x_0 = (x - t[:, None] * m) / (1 - t + t * s)[:, None]
    return m - (1 - s) * x_0


def loss_at_times(model, ts):
    x_0, t = torch.tensor(NODES).repeat(len(ts))[:, None], ts.repeat_interleave(len(NODES))
    x_t = (1 - t / 2)[:, None] * x_0 + 2 * t[:, None]
    return (model(x_t, t) - field(x_t, t)).square().view(len(ts), -1) @ torch.tensor(WEIGHTS / WEIGHTS.sum())


def line(x, y, *look) -> Artist:
    return Artist("line", np.column_stack(np.broadcast_arrays(x, y)), *look)


def bell(x, t, m=2.0, s=0.5) -> np.ndarray:
    return norm.pdf(x, t * m, 1 + t * (s - 1))


def velocity(x, t, m=2.0, s=0.5) -> np.ndarray:
    """The slope in time of the quantile at x, by differences: the flow carries each quantile along."""
    share, h = (x - t * m) / (1 + t * (s - 1)), 1e-5
    later, before = ((t + dt) * m + (1 + (t + dt) * (s - 1)) * share for dt in (h, -h))
    return (later - before) / (2 * h)


def panel_of_ends(ends: np.ndarray) -> Panel:
    heights, edges = np.histogram(ends, 60, (-4, 6), density=False)
    x = np.linspace(-4, 6, 201)
    share = heights / len(ends) * 6  # in strips of the width 1/6
    stairs = Artist("stairs", np.column_stack([edges[:-1], edges[1:], share]), LEARNED)
    return Panel([stairs, line(x, bell(x, 1.0), DATA)], [])


def moving_bell(digits, t, m, s):
    x, feet = np.linspace(-8, 8, 321), np.linspace(-8, 8, 321)[::24]
    level = np.zeros_like(feet)
    arrows = np.column_stack([feet, level - 0.12, velocity(feet, t, m, s) / 5, level])
    artists = [line(x, bell(x, 0, m, s), NOISE, "p_init"), line(x, bell(x, 1, m, s), DATA, "p_data")]
    artists += [
        Artist("band", np.column_stack([x, bell(x, t, m, s), 0 * x]), MARK, f"p_t at t = {t:.2f}"),
        Artist("arrows", arrows, EXACT),
    ]
    mean, spread = t * m, (1 - t) + t * s
    sides = [velocity(mean - spread, t, m, s), velocity(mean + spread, t, m, s)]
    return View([Panel(artists, [])], [t, mean, spread, *sides])


def be_the_network(digits, a, b):
    x, ts = np.linspace(-4, 6, 101), (np.arange(25) + 0.5) / 25
    left = []
    for time in SHADES:  # where the bell is higher than a fiftieth of its top
        near = x[abs(x - 2 * time) < math.sqrt(2 * math.log(50)) * (1 - time / 2)]
        left.append(line(near, velocity(near, time), EXACT, f"u at t = {time:g}"))
    left.append(Artist("axline", (0, a, b), LEARNED))
    # at x = spread x_0 + mean the line and the field differ by a number and a multiple of x_0
    errors = (a + 2 * b * ts - 2) ** 2 + (b * (1 - ts / 2) + 0.5) ** 2
    middle = [Artist("band", np.column_stack([ts, errors, 0 * ts]), LEARNED), line(ts, errors, LEARNED)]
    ends = QUANTILES + a if b == 0 else (QUANTILES + a / b) * math.exp(b) - a / b
    loss, spread = errors.mean(), ends.std(ddof=1)
    words = [a, b, loss, errors[0], 0, errors[-1], 1, ends.mean(), spread]
    return View([Panel(left, []), Panel(middle, [loss]), panel_of_ends(ends)], words)


class Linear(torch.nn.Module):
    """The field a + b x + c t."""

    def __init__(self, *numbers: float):
        super().__init__()
        self.numbers = torch.nn.Parameter(torch.tensor(numbers, dtype=torch.float64))

    def forward(self, x, t):
        a, b, c = self.numbers
        return a + b * x + c * t[:, None]


STAGES = {
    0: (0.0, 0.0, 0.0),
    3: (1.0, 0.25, -0.5),
    20: (1.5, -0.1, 0.0),
    100: (2.0, -0.5, 0.7),
    500: (2.4, -0.4, 0.1),
}
LOSSES = {0: 4.25, 3: 2.1, 20: 0.37, 100: 0.24, 500: 0.062}


def training_stages(digits, stage, t):
    steps = list(STAGES)
    a, b, c = STAGES[steps[stage]]
    x = np.linspace(-4, 6, 101)
    height, exact, learned = bell(x, t), velocity(x, t), a + b * x + c * t
    left = [
        Artist("band", np.column_stack([x, 3 * height - 2, 0 * x - 2]), NOISE),
        line(x, exact, EXACT, "exact"),
        line(x, learned, LEARNED, "learned"),
    ]
    ends = solve_ivp(lambda t, x: a + b * x + c * t, (0, 1), QUANTILES, rtol=1e-10).y[:, -1]
    logs = np.log10(list(LOSSES.values()))
    right = [
        line(range(5), logs, LEARNED),
        line(stage, logs[stage], MARK),
        Artist("xticks", [0, 3], None, "0 100"),
        Artist("yticks", [-2, -1, 0, 1], None, "0.01 0.1 1 10"),
    ]
    off = math.sqrt(np.average((learned - exact) ** 2, weights=height))
    loss = LOSSES[steps[stage]]
    words = [steps[stage], loss, t, off, ends.mean(), ends.std(ddof=1)]
    return View([Panel(left, [t]), panel_of_ends(ends), Panel(right, [loss])], words)


EXPLORERS = {
    "moving_bell": Explored(
        lambda digits: lesson_05.moving_bell(density, field),
        [
            {"t": 0.5, "m": -1, "s": 2},
            {"t": 0, "m": 2.5, "s": 0.3},
            {"t": 1, "m": 3, "s": 1},
            {"t": 0.85, "m": 0, "s": 0.5},
        ],
        moving_bell,
    ),
    "be_the_network": Explored(
        lambda digits: lesson_05.be_the_network(field, density, loss_at_times, STARTS),
        [{"a": 1, "b": 0}, {"a": 2.75, "b": -0.7}, {"a": -1, "b": 1}, {"a": 5, "b": -2}],
        be_the_network,
    ),
    "training_stages": Explored(
        lambda digits: lesson_05.training_stages(
            {n: Linear(*numbers) for n, numbers in STAGES.items()}, LOSSES, field, density, STARTS
        ),
        [{"stage": 0, "t": 0.5}, {"stage": 1, "t": 1}, {"stage": 3, "t": 0}, {"stage": 4, "t": 0.8}],
        training_stages,
    ),
}


def line_of_least_squares() -> torch.Tensor:
    """The a and b of exercise 4, from many draws."""
    generator = torch.Generator().manual_seed(0)
    t = (torch.arange(100_000).double() + 0.5) / 100_000
    x_0 = torch.randn(100_000, generator=generator).double()
    x_t, u = (1 - t / 2) * x_0 + 2 * t, 2 - x_0 / 2
    return torch.linalg.lstsq(torch.stack([torch.ones_like(x_t), x_t], 1), u[:, None]).solution[:, 0]


EXERCISES = [
    Exercise(
        lesson_05.calls_of_the_network,
        [80, 4 * 20, np.int64(80)],
        {
            20: "more than once",
            40: "midpoint",
            8000: "one batch",
            2000: "together",
            84: "21 times",
            100: "batch",
        },
    ),
    Exercise(
        lesson_05.velocity_of_a_stretch,
        [3, [3.0], np.float64(3), torch.tensor([[3.0]]), Fraction(3)],
        {
            7: "divided by 1",
            3.5: "at t m, not",
            -5: "widens",
            5: "not s",
            2: "x_0",
            5 / 3: "divides by s",
            4: "m in front",
        },
    ),
    Exercise(
        lesson_05.loss_of_a_constant_guess,
        [1.25, 5 / 4, Fraction(5, 4), torch.tensor([1.25])],
        {1: "mean alone", 0.25: "best constant", 4.25: "v = 0", math.sqrt(1.25): "root", 1.5: "has the mean"},
    ),
    Exercise(
        lesson_05.best_line,
        [(53 / 22, -9 / 22), line_of_least_squares(), (2.4, -0.4), [2.41, -0.41], [[2.41], [-0.41]]],
        {
            (2, 0): "constant",
            (2, -0.5): "t = 0",
            (8 / 3, -2 / 3): "t = 1/2",
            (4, -1): "t = 1;",
            (-0.41, 2.41): "other order",
            (4 * math.log(2), -math.log(2)): "ends are right",
        },
    ),
]
