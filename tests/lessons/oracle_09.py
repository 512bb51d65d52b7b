"""What the explorers of lesson 09 are to show, and how its exercises answer."""

import math
from fractions import Fraction

import numpy as np
import torch
from seen import Artist, Explored, Panel, View, mosaic
from tried import Exercise

from flowlib.data import five_points
from flowlib.lessons import lesson_09
from flowlib.lessons.drawings import READY_MADE
from flowlib.metrics import load_judge
from flowlib.paths import LinearPath, TrigonometricPath
from flowlib.plots import DATA, EXACT, NOISE

HOUSE, THREE = READY_MADE["a house"], READY_MADE["a three"]
FIVE = five_points().double().numpy()
STARTS = torch.randn(30, 2, generator=torch.Generator().manual_seed(2)).double()


def softer(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """A field that rotates less and less, and is asked for at other times by another number of steps."""
    return torch.stack([x[:, 1] - x[:, 0] ** 3, -x[:, 0] - t * x[:, 1]], 1) * (2 - t[:, None])


def solver_steps(digits, steps):
    states = [STARTS.numpy()]
    for k in range(steps):
        (x, y), t = states[-1].T, k / steps
        states.append(states[-1] + np.stack([y - x**3, -x - t * y], 1) * (2 - t) / steps)
    ways = np.stack(states, 1)  # (30, steps + 1, 2)
    artists = [
        *[Artist("line", way, EXACT) for way in ways],
        Artist("points", ways[:, 0], NOISE, "t = 0, noise"),
        Artist("points", ways[:, -1], DATA, "t = 1"),
        Artist("points", FIVE, DATA, "data"),
    ]
    gaps = [[math.dist(end, point) for point in FIVE] for end in ways[:, -1]]
    shares = [sum(np.argmin(row) == i for row in gaps) for i in range(5)]
    return View([Panel(artists, [])], [steps, *shares, 30, np.mean([min(row) for row in gaps])])


class TowardsADigit(torch.nn.Module):
    """A field that leads to one image for each label, 10 among them, and faster late than early."""

    def __init__(self, digits, path):
        super().__init__()
        ends = torch.stack([digits.images[digits.labels == k][0] for k in range(10)])
        self.ends = torch.nn.Parameter(torch.cat([ends, ends.flip(3)[2:3]]))
        self.path = path

    def forward(self, x, t, label):
        return (self.ends[label] - x) * (0.5 + 2 * t.view(-1, 1, 1, 1))


def followed(digits, x: np.ndarray, label: int, first: int, last: int, steps: int) -> np.ndarray:
    """Euler's steps from `first` to `last`, of `steps` in all, along that field."""
    for k in range(first, last):
        x = x + velocity(digits, x, label, k / steps) / steps
    return x


def velocity(digits, x: np.ndarray, label: int, t: float) -> np.ndarray:
    end = digits.images[digits.labels == (2 if label == 10 else label)][0, 0].double().numpy()
    return ((end[:, ::-1] if label == 10 else end) - x) * (0.5 + 2 * t)


def noise_of(seed: int) -> np.ndarray:
    return torch.randn(16, 16, generator=torch.Generator().manual_seed(seed)).double().numpy()


def read(*images: np.ndarray) -> list[int]:
    with torch.no_grad():
        return load_judge()(torch.tensor(np.stack(images)).float()[:, None].clamp(-1, 1)).argmax(1).tolist()


def row_of(*images: np.ndarray) -> Artist:
    return Artist("image", mosaic(np.stack(images)[:, None], 8, titles=True))


def heading(digits, label, noise, t):
    x = followed(digits, noise_of(noise), label, 0, round(20 * t), 20)
    v = velocity(digits, x, label, t)
    angle = math.pi / 2 * t  # the pair with this place and velocity, by two equations
    arc = [[math.sin(angle), math.cos(angle)], np.array([math.cos(angle), -math.sin(angle)]) * math.pi / 2]
    end = np.linalg.solve(arc, np.stack([x.ravel(), v.ravel()]))[0].reshape(16, 16)
    return View([Panel([row_of(x, v, end)], [t])], [label, t, *read(x, end)])


def finished_drawing(digits, drawing, label, noise, t):
    drawn = np.array([int(level, 16) / 7.5 - 1 for level in drawing]).reshape(16, 16)
    x_t = math.sin(math.pi / 2 * t) * drawn + math.cos(math.pi / 2 * t) * noise_of(noise)
    end = followed(digits, x_t, 10 if label == "any" else label, round(25 * t), 25, 25)
    told = [] if label == "any" else [label]
    what, became = read(drawn, end)
    return View(
        [Panel([row_of(drawn, x_t, end)], [t])], [t, *told, what, np.linalg.norm(drawn - end), became]
    )


EXPLORERS = {
    "solver_steps": Explored(
        lambda digits: lesson_09.solver_steps(softer, torch.tensor(FIVE), STARTS),
        [{"steps": 1}, {"steps": 2}, {"steps": 7}, {"steps": 50}],
        solver_steps,
    ),
    "heading": Explored(
        lambda digits: lesson_09.heading(TowardsADigit(digits, TrigonometricPath())),
        [
            {"label": 4, "noise": 3, "t": 0.35},
            {"label": 0, "noise": 0, "t": 0.0},
            {"label": 9, "noise": 50, "t": 1.0},
            {"label": 2, "noise": 8, "t": 0.6},
        ],
        heading,
    ),
    "finished_drawing": Explored(
        lambda digits: lesson_09.finished_drawing(TowardsADigit(digits, TrigonometricPath())),
        [
            {"drawing": HOUSE, "label": 8, "noise": 3, "t": 0.4},
            {"drawing": THREE, "label": "any", "noise": 0, "t": 0.96},
            {"drawing": THREE[16:] + THREE[:16], "label": 0, "noise": 50, "t": 0.0},
            {"drawing": HOUSE, "label": "any", "noise": 9, "t": 0.72},
        ],
        finished_drawing,
    ),
}

EXERCISES = [
    Exercise(
        lesson_09.target_of_a_pair,
        [
            [-4, 2],
            (Fraction(-4), Fraction(2)),
            [[-4.0], [2.0]],
            [torch.tensor(-4.0), torch.tensor(2.0)],
            np.array([-1, 1]) - np.array([3, -1]),
            LinearPath().sample(
                torch.tensor([[3.0, -1.0]]), torch.tensor([[-1.0, 1.0]]), torch.tensor([0.5])
            )[1],
        ],
        {
            (4, -2): "back to the noise",
            (2, 0): "bracket",
            (1, 0): "where the point is",
            (-2, 1): "half the way",
            (-1, 1): "this is the end",
            -4: "needs shape",
        },
    ),
    Exercise(
        lesson_09.where_a_pixel_is_heading,
        [0.8, Fraction(1, 5) + Fraction(2, 5) * Fraction(3, 2), 0.2 + (1 - 0.6) * 1.5, torch.tensor([[0.8]])],
        {
            1.1: "time that is left",
            1.7: "0.6 of it is over",
            -0.4: "backwards",
            0.6: "where does it start",
        },
    ),
    Exercise(
        lesson_09.end_of_51_steps,
        [1.02, Fraction(51, 50), 51 / 50, sum([1 / 50] * 51), torch.full((51,), 1 / 50).sum()],
        {1.0: "50 steps would", 0.98: "49 steps would", 51: "number of steps", 1.04: "not it"},
    ),
]
