"""What the explorers of lesson 02 are to show, and how its exercises answer."""

import math
from fractions import Fraction

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import multivariate_normal
from seen import Artist, Explored, Panel, View, mosaic
from tried import Exercise

from flowlib.gaussians import ClassGaussians
from flowlib.lessons import lesson_02
from flowlib.metrics import load_judge
from flowlib.plots import DATA, EXACT, MARK

REAL = 60  # digits on their way to something else


def others(digits):
    real = digits.images[:REAL]
    return {"mean": real.mean(0).expand(REAL, -1, -1, -1), "inverted": -real}


def make_blend(digits):
    gaussians = ClassGaussians().double()
    gaussians.fit(digits)
    return lesson_02.blend(digits.images[:REAL], others(digits), gaussians)


def gaussian_of_all(digits):
    """A normal distribution with the variances of the 64 widest directions, and one for all the others."""
    points = digits.images.view(-1, 256).double().numpy()
    variances, axes = np.linalg.eigh(np.cov(points.T))
    variances[:-64] = max(variances[:-64].mean(), 0.05**2)
    return multivariate_normal(points.mean(0), axes @ np.diag(variances) @ axes.T)


def blend(digits, image, other, share):
    density = gaussian_of_all(digits).logpdf
    ends = digits.images[image], others(digits)[other][image]
    here = ends[0] + share * (ends[1] - ends[0])
    read = softmax(load_judge()(here[None])[0].numpy())
    rate = density(here.flatten().double().numpy())
    real = density(digits.images[:REAL].view(REAL, 256).double().numpy())
    counts, edges = np.histogram(np.arcsinh(real / 50), 40)
    place = np.arcsinh(max(rate, -9500) / 50)
    marks = np.arcsinh(np.array([-1e4, -1e3, -100, 0, 100]) / 50)
    grid = mosaic(np.stack([ends[0], here, ends[1]]), 3, titles=True)
    panels = [
        Panel([Artist("image", grid)], []),
        Panel(
            [Artist("box", (k - 0.4, 0, 0.8, read[k]), MARK) for k in range(10)],
            [read.max(), np.argmax(read)],
        ),
        Panel(
            [
                Artist("stairs", np.column_stack([edges[:-1], edges[1:], counts]), DATA),
                Artist("line", [[place, 0], [place, 1]], MARK),
                Artist("xticks", marks, name="−10,000 −1,000 −100 0 100"),
            ],
            [rate],
        ),
    ]
    return View(panels, [np.argmax(read), read.max(), rate, (real < rate - 1e-6).sum() / REAL])


def finite_sample(digits, label, count, redraw):
    images = digits.images if label == "any" else digits.images[digits.labels == int(label)]
    points = images.view(-1, 256).double().numpy()
    generator = torch.Generator().manual_seed(redraw)
    draws = torch.randint(len(points), (4, count), generator=generator).numpy()
    means = [sum(points[row] for row in dataset) / count for dataset in draws]
    off = [math.dist(mean, points.mean(0)) for mean in means]
    V = ((points - points.mean(0)) ** 2).sum() / len(points)
    grid = mosaic(np.stack(means).reshape(4, 1, 16, 16), 4, titles=True)
    line = [[0, np.log10(V) / 2], [np.log10(5000), np.log10(V / 5000) / 2]]
    right = [
        Artist("line", line, EXACT, "√(V / N)"),
        Artist("line", [[np.log10(count), np.log10(error)] for error in off], MARK, "four datasets"),
        Artist("xticks", range(4), name="1 10 100 1,000"),
        Artist("yticks", range(-1, 2), name="0.1 1 10"),
    ]
    return View([Panel([Artist("image", grid)], off), Panel(right, [])], [count, *off, (V / count) ** 0.5])


EXPLORERS = {
    "blend": Explored(
        make_blend,
        [
            {"image": 0, "other": "mean", "share": 0.0},
            {"image": 7, "other": "inverted", "share": 0.4},
            {"image": 50, "other": "inverted", "share": 1.0},
            {"image": 50, "other": "mean", "share": 0.75},
        ],
        blend,
    ),
    "finite_sample": Explored(
        lesson_02.finite_sample,
        [
            {"label": "3", "count": 1, "redraw": 0},
            {"label": "any", "count": 5000, "redraw": 1},
            {"label": "8", "count": 50, "redraw": 20},
        ],
        finite_sample,
    ),
}

C = np.array([[9.0, 3.0], [3.0, 5.0]])
VALUES, AXES = np.linalg.eigh(C)
ROOT = AXES @ np.diag(VALUES**0.5) @ AXES.T

EXERCISES = [
    Exercise(
        lesson_02.density_and_probability,
        [[10, 0.3], (Fraction(10), Fraction(3, 10)), [torch.tensor(10.0), torch.tensor(0.3)], [[10], [0.3]]],
        {
            (1, 0.3): "may be above 1",
            (0.3, 10): "order",
            (10, 0.5): "between 0 and 0.05",
            (0.1, 0.3): "not the height",
            (10, 0.03): "area",
        },
    ),
    Exercise(
        lesson_02.images_for_a_smaller_error,
        [800, 50 * 16, Fraction(800), 50 * (0.08 / 0.02) ** 2],
        {200: "under a root", 100: "the other way", 750: "with the 50", 16: "how many times"},
    ),
    Exercise(
        lesson_02.root_of_a_covariance,
        [
            [[3, 0], [1, 2]],
            torch.linalg.cholesky(torch.tensor(C)).float(),
            ROOT,
            -ROOT,
            AXES * VALUES**0.5,
            [torch.tensor([3.0, 0.0]), torch.tensor([1.0, 2.0])],
        ],
        {
            ((9, 3), (3, 5)): "this is C itself",
            ((3, 1), (0, 2)): "this is Lᵀ",
            ((3, 3**0.5), (3**0.5, 5**0.5)): "root of each entry",
            ((3, 0), (0, 5**0.5)): "independent",
            ((1, 0), (0, 1)): "not it",
            3: "shape",
            "cholesky": "a number or a tensor",
        },
    ),
    Exercise(
        lesson_02.peak_above_the_shell,
        [128, 16**2 / 2, Fraction(256, 2), math.log(math.exp(128))],
        {256: "factor 1/2", -128: "positive", 8: "squared distance", 16: "half its square"},
    ),
]
