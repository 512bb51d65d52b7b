import math

import numpy as np
import torch

from flowlib import exercises


def test_calls_of_the_network(try_exercise):
    wrong = {20: "more than once", 40: "midpoint", 8000: "one batch", 2000: "together", 84: "21 times"}
    try_exercise(exercises.calls_of_the_network, [80, 80.0, torch.tensor(80)], wrong)


def test_velocity_of_a_stretch(try_exercise):
    wrong = {7: "divided by 1", 3.5: "at t m, not", -5: "widens", 5: "not s", 2: "x_0", 5 / 3: "divides by s"}
    try_exercise(exercises.velocity_of_a_stretch, [3, [3.0], np.float64(3)], wrong | {4: "m in front"})


def test_loss_of_a_constant_guess(try_exercise):
    wrong = {1: "mean alone", 0.25: "best constant", 4.25: "v = 0", math.sqrt(1.25): "root"}
    try_exercise(exercises.loss_of_a_constant_guess, [1.25, 5 / 4, torch.tensor([1.25])], wrong)


def test_best_line_is_the_least_squares_line_of_many_draws(try_exercise):
    generator = torch.Generator().manual_seed(0)
    t = (torch.arange(100_000).double() + 0.5) / 100_000
    x_0 = torch.randn(100_000, generator=generator).double()
    x_t, u = (1 - t / 2) * x_0 + 2 * t, 2 - x_0 / 2
    line = torch.linalg.lstsq(torch.stack([torch.ones_like(x_t), x_t], 1), u[:, None]).solution[:, 0]
    wrong = {(2, 0): "constant", (2, -0.5): "t = 0", (4, -1): "t = 1;", (-0.41, 2.41): "other order"}
    wrong |= {(-math.log(0.5) * 4, math.log(0.5)): "ends are right"}
    try_exercise(exercises.best_line, [line, (2.4, -0.4), [2.41, -0.41]], wrong)
