"""What the explorers of lesson 07 are to show, and how its exercises answer."""

from fractions import Fraction

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import norm
from seen import Artist, Explored, Panel, View
from tried import Exercise

from flowlib.data import load_digits
from flowlib.fields import velocity_variance
from flowlib.lessons import lesson_07
from flowlib.paths import LinearPath
from flowlib.plots import DATA, EXACT, LEARNED, MARK, NOISE

POINTS = np.array([-1.0, 0.5, 2.0])
TIMES = 0.95 * (np.arange(12) + 0.5) / 12
Z = np.linspace(-9, 9, 6001)  # noises, and how likely they are
HEIGHTS = norm.pdf(Z) / norm.pdf(Z).sum()


def line(x, y, *look) -> Artist:
    return Artist("line", np.column_stack(np.broadcast_arrays(x, y)), *look)


def passing(x, t: float) -> tuple[np.ndarray, np.ndarray]:
    """Velocities and weights of the pairs through each of the places x, by the noise that each had."""
    noises = (np.atleast_1d(x)[:, None] - t * POINTS) / (1 - t)
    return POINTS - noises, softmax(norm.logpdf(noises), axis=1)


def field(x, t: float) -> np.ndarray:
    velocities, weights = passing(x, t)
    return np.average(velocities, axis=1, weights=weights)


def marginal(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """The exact field, as a guess; all at one time."""
    return torch.tensor(field(x[:, 0].numpy(), t[0].item()))[:, None]


def regressor(digits, v, x, t):
    (velocities,), (weights,) = passing(x, t)
    u, gap = weights @ velocities, np.cov(velocities, aweights=weights, ddof=0)
    cost = weights @ (v - velocities) ** 2
    low, high = min(*velocities, v) - 1, max(*velocities, v) + 1
    wide = (high - low) / 40
    bars = [Artist("box", (y - wide / 2, 0, wide, w), DATA) for y, w in zip(velocities, weights, strict=True)]
    left = [
        *bars,
        line(u, [0, 0.7], EXACT, "their average u"),
        line(v, [0, 0.7], MARK, "your answer v"),
    ]
    span = 1.15 * max(abs(v - u), 2)
    tried = np.linspace(u - span, u + span, 60)
    against_pairs = [weights @ (answer - velocities) ** 2 for answer in tried]
    right = [
        line(tried, against_pairs, DATA, "against the pairs"),
        line(tried, (tried - u) ** 2, EXACT, "against u"),
        line(v, [(v - u) ** 2, cost], MARK),
    ]
    words = [t, x, *velocities, *weights, v, cost, (v - u) ** 2, u, gap]
    return View([Panel(left, [x, t]), Panel(right, [])], words)


GUESSES = {  # two of each guess: as the explorer takes it, and in numpy
    "1, home": (lambda x, t: -x, lambda x, t: -x),
    "2, u": (marginal, field),
    "3, a wave": (
        lambda x, t: torch.sin(3 * x) + t[:, None],
        lambda x, t: np.sin(3 * x) + t,
    ),
}


def losses(guess, t: float) -> tuple[float, float, float]:
    """L_FM, the gap and L_CFM at t, over the noises of the pairs of each data point."""
    fm, gap, cfm = [], [], []
    for point in POINTS:
        x = t * point + (1 - t) * Z
        v, u = guess(x, t), field(x, t)
        for found, squares in (
            (fm, (v - u) ** 2),
            (cfm, (v - (point - Z)) ** 2),
            (gap, (u - point + Z) ** 2),
        ):
            found.append(HEIGHTS @ squares)
    return np.mean(fm), np.mean(gap), np.mean(cfm)


def losses_at_each_time(digits, name, t):
    _, guess = GUESSES[name]
    t = min(TIMES, key=lambda time: abs(time - t))
    x = np.linspace(-7, 8, 2401)[600:-600:20]
    velocities, u = passing(x, t)[0], field(x, t)
    density = sum(norm.pdf(x, t * point, 1 - t) for point in POINTS) / 3
    left = [
        Artist("band", np.column_stack([x, 0 * x - 6, 5 * density - 6]), NOISE, "density of x"),
        *[line(x, of_one, DATA) for of_one in velocities.T],
        line(x, u, EXACT, "u"),
        line(x, guess(x, t), LEARNED, "v"),
    ]
    fm, gap, cfm = np.transpose([losses(guess, time) for time in TIMES])
    right = [
        Artist("band", np.column_stack([TIMES, gap, 0 * gap]), NOISE, "gap"),
        Artist("band", np.column_stack([TIMES, gap, cfm]), EXACT, "$L_{FM}$"),
        line(TIMES, cfm, DATA, "$L_{CFM}$"),
    ]
    here = losses(guess, t)
    right.append(line(t, [0, here[1], here[2]], MARK))
    words = [float(name[0]), t, *here, fm.mean(), cfm.mean()]
    return View([Panel(left, [t]), Panel(right, here)], words)


EXPLORERS = {
    "regressor": Explored(
        lambda digits: lesson_07.regressor(torch.tensor(POINTS)[:, None]),
        [
            {"v": 2.0, "x": 0.5, "t": 0.5},
            {"v": -6.0, "x": -2.0, "t": 0.0},
            {"v": 0.5, "x": 0.0, "t": 0.0},  # the mean of the data: it costs the gap alone
            {"v": 5.9, "x": 1.3, "t": 0.8},
        ],
        regressor,
    ),
    "losses_at_each_time": Explored(
        lambda digits: lesson_07.losses_at_each_time(
            {name: guess for name, (guess, _) in GUESSES.items()},
            torch.tensor(POINTS)[:, None],
            torch.tensor(TIMES),
        ),
        [
            {"name": "1, home", "t": TIMES[0]},
            {"name": "2, u", "t": TIMES[7] + 0.01},
            {"name": "3, a wave", "t": TIMES[-1]},
        ],
        losses_at_each_time,
    ),
}

THREES = load_digits().only(3).images.flatten(1).double()
TOTAL = THREES.var(0, correction=0).sum().item()

EXERCISES = [
    Exercise(
        lesson_07.best_answer_and_its_loss,
        [
            [1, 3],
            (Fraction(1), Fraction(3)),
            [torch.tensor(1.0), torch.tensor(3.0)],
            [[1.0], [3.0]],
            [0.25 * 4, np.cov([4, 0], aweights=[0.25, 0.75], ddof=0)],
        ],
        {
            (2, 4): "plain average",
            (1, 3**0.5): "standard deviation",
            (1, 0): "not zero",
            (0, 4): "more likely velocity",
            (1, 4): "the loss of the answer 0",
            1: "both",
            (3, 1): "not it",
        },
    ),
    Exercise(
        lesson_07.floor_at_the_start,
        [
            TOTAL,
            float(f"{TOTAL:.4g}"),
            torch.cov(THREES.T, correction=0).trace(),
            np.cov(THREES.T, ddof=0).trace(),
            velocity_variance(torch.randn(1, 256).double(), torch.zeros(1).double(), THREES, LinearPath()),
        ],
        {
            TOTAL + 256: "noise is known",
            TOTAL / 256: "one pixel",
            THREES.var(0).sum().item(): "n − 1",
            (THREES**2).sum().item() / 500: "take off",
            TOTAL**0.5: "its square",
            0: "any digit",
        },
    ),
    Exercise(
        lesson_07.best_answer_for_absolute_error,
        [
            -2,
            Fraction(-2),
            torch.tensor([4.0, -2.0, -2.0]).median(),
            np.quantile([4, -2], 0.5, weights=[0.182, 0.818], method="inverted_cdf"),
        ],
        {
            -0.91: "the mean",
            -0.908: "the mean",
            1: "half-way",
            4: "smaller weight",
            1.092: "loss at",
            2: "sign",
        },
    ),
    Exercise(
        lesson_07.second_moment_of_a_square_root,
        [25, Fraction(1, 4) / (1 - Fraction(99, 100)), 1 / (4 * (1 - 0.99)), torch.tensor(-5.0) ** 2],
        {
            5: "without its sign",
            -5: "takes the square",
            100: "squared as well",
            0.01: "this is σ²",
            -25: "not negative",
        },
    ),
]
