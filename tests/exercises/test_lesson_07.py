import numpy as np
import torch

from flowlib import exercises
from flowlib.fields import velocity_variance
from flowlib.paths import LinearPath


def test_best_answer_and_its_loss(try_exercise):
    right = [[1, 3], (1.0, 3.0), np.array([1, 3]), torch.tensor([1.0, 3.0])]
    wrong = {(2, 4): "plain average", (1, 3**0.5): "standard deviation", (1, 0): "not zero", 1: "both"}
    try_exercise(exercises.best_answer_and_its_loss, right, wrong)


def test_floor_at_the_start(try_exercise, digits):
    points = digits.only(3).images.flatten(1).double()
    x, t = torch.randn(1, 256, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    total = points.var(0, correction=0).sum().item()
    right = [total, float(f"{total:.4g}"), velocity_variance(x, t, points, LinearPath())]
    wrong = {total + 256: "noise is known", total / 256: "one pixel", points.var(0).sum().item(): "n − 1"}
    try_exercise(exercises.floor_at_the_start, right, wrong)


def test_best_answer_for_absolute_error(try_exercise):
    wrong = {-0.91: "the mean", -0.9054: "the mean", 4: "smaller weight", 1: "half-way", 1.092: "loss at"}
    try_exercise(exercises.best_answer_for_absolute_error, [-2, -2.0, torch.tensor(-2)], wrong)


def test_second_moment_of_a_square_root(try_exercise):
    wrong = {5: "without its sign", 100: "squared as well", -5: "takes the square"}
    try_exercise(exercises.second_moment_of_a_square_root, [25, 25.0, 1 / (4 * (1 - 0.99))], wrong)
