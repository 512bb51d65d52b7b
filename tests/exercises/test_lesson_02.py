import numpy as np
import torch

from flowlib import exercises


def test_density_and_probability(try_exercise):
    right = [[10, 0.3], (10.0, 0.03 / 0.1), np.array([10, 0.3])]
    wrong = {(1, 0.3): "may be above 1", (0.3, 10): "order", (10, 0.5): "between 0 and 0.05"}
    try_exercise(exercises.density_and_probability, right, wrong)


def test_images_for_a_smaller_error(try_exercise):
    wrong = {200: "under a root", 750: "with the 50", 16: "how many times"}
    try_exercise(exercises.images_for_a_smaller_error, [800, 800.0, 50 * 16], wrong)


def test_root_of_a_covariance(try_exercise):
    C = torch.tensor([[9.0, 3.0], [3.0, 5.0]])
    values, axes = torch.linalg.eigh(C)
    symmetric = axes * values.sqrt() @ axes.T
    right = [[[3, 0], [1, 2]], torch.linalg.cholesky(C), symmetric, -symmetric.numpy(), axes * values.sqrt()]
    wrong = {
        ((9, 3), (3, 5)): "this is C itself",
        ((3, 1), (0, 2)): "this is Lᵀ",
        ((3, 3**0.5), (3**0.5, 5**0.5)): "root of each entry",
        ((3, 0), (0, 5**0.5)): "independent",
        ((1, 0), (0, 1)): "not it",
        3: "shape",
        "cholesky": "a number or a tensor",
    }
    try_exercise(exercises.root_of_a_covariance, right, wrong)


def test_peak_above_the_shell(try_exercise):
    wrong = {256: "factor 1/2", -128: "positive", 8: "squared distance"}
    try_exercise(exercises.peak_above_the_shell, [128, 128.0, torch.tensor(128)], wrong)
