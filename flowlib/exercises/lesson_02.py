"""The exercises of lesson 02."""

from typing import Any

import torch

from flowlib.checks import check_answer


def density_and_probability(answer: Any) -> None:
    """Exercise 1: the density of U[0, 0.1], and its probability between 0.02 and 0.05."""
    width, part = 0.1, 0.05 - 0.02
    mistakes = {
        "a density may be above 1: its area, height times width, must be 1": [1.0, part / width],
        "this is the width 0.1, not the height that gives the area 1": [width, part / width],
        "the density is right; the probability is the area from 0.02 to 0.05: height times width": [
            1 / width,
            part,
        ],
        "the density is right; this is the share between 0 and 0.05": [1 / width, 0.05 / width],
        "the numbers are right, their order is not: the density first": [part / width, 1 / width],
    }
    check_answer("Exercise 1", answer, [1 / width, part / width], mistakes)


def images_for_a_smaller_error(answer: Any) -> None:
    """Exercise 2: a fourth of the standard error of 50 images needs 16 times as many."""
    mistakes = {
        "four times as many images halve the error: N stands under a root": 50 * 4,
        "the root goes the other way: more images are needed, by the square": 50 * 2,
        "so many more are needed; with the 50 it makes": 750,
        "this is how many times as many": 16,
    }
    check_answer("Exercise 2", answer, 800, mistakes)


def root_of_a_covariance(answer: Any) -> None:
    """Exercise 3: any L with L Lᵀ = C; what is compared is L Lᵀ."""
    C = torch.tensor([[9.0, 3.0], [3.0, 5.0]], dtype=torch.float64)
    root = torch.linalg.cholesky(C)
    entries = C.sqrt()
    mistakes = {
        "this is C itself; a matrix L is needed whose product L Lᵀ is C": C @ C.T,
        "this is the root of each entry; the product L Lᵀ must be C": entries @ entries.T,
        "this is Lᵀ: L x_0 has the covariance L Lᵀ, not Lᵀ L": root.T @ root,
        "the spreads alone leave the two numbers independent": torch.diag(C.diagonal()),
    }
    try:
        L = torch.as_tensor(answer).detach().double()
    except (TypeError, ValueError, RuntimeError):
        L = None
    given = L @ L.T if L is not None and L.shape == (2, 2) else answer
    check_answer("Exercise 3", given, C, mistakes)


def peak_above_the_shell(answer: Any) -> None:
    """Exercise 4: log N(0; 0, I) - log N(x; 0, I) with ‖x‖ = 16."""
    mistakes = {
        "the first term has the factor 1/2": 256,
        "the squared distance counts, not the distance": 8,
        "this is the distance; the log-density falls by half its square": 16,
        "the peak is the higher one: the difference is positive": -128,
    }
    check_answer("Exercise 4", answer, 128, mistakes)
