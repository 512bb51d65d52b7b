"""The exercises of lesson 07."""

from typing import Any

from flowlib.checks import check_answer
from flowlib.data import load_digits


def best_answer_and_its_loss(answer: Any) -> None:
    """Exercise 1: velocities 4 and 0 with weights 1/4 and 3/4: the best answer is 1, its loss 3."""
    mistakes = {
        "the weights are not equal: this is the plain average and its loss": [2.0, 4.0],
        "the best answer is right; its loss here is a standard deviation, not a variance": [1.0, 3**0.5],
        "no single answer fits both velocities, so the least loss is not zero": [1.0, 0.0],
        "this answers with the more likely velocity; the square punishes the other one too hard": [0.0, 4.0],
        "this is E y², the loss of the answer 0": [1.0, 4.0],
        "give both numbers: the best answer, and its loss": 1.0,
    }
    check_answer("Exercise 1", answer, [1.0, 3.0], mistakes)


def floor_at_the_start(answer: Any) -> None:
    """Exercise 2: at t = 0 the gap is the total variance of the data, 39.9 for the threes."""
    points = load_digits().only(3).images.flatten(1).double()
    n, total = len(points), (points - points.mean(0)).square().sum(1).mean()
    mistakes = {
        "the noise is known at t = 0: x is the noise. Only x_1 varies": total + points.shape[1],
        "this is for one pixel on average; the squared norm is a sum over all of them": total
        / points.shape[1],
        "this divides by n − 1; here the 500 are all there is, each with the weight 1/n": total * n / (n - 1),
        "this is the mean of ‖x_1‖²; take off the square of the mean": points.square().sum(1).mean(),
        "this is the spread; the gap is its square": total**0.5,
        "u_0(x given x_1) is x_1 − x, and x is one place; but x_1 can be any digit": 0.0,
    }
    check_answer("Exercise 2", answer, total, mistakes)


def best_answer_for_absolute_error(answer: Any) -> None:
    """Exercise 3: velocities 4 and -2 with weights 0.182 and 0.818: E |v - y| is least at the median, -2."""
    mistakes = {
        "this is the mean, which minimises the square; compare v = -1 and v = -2 in E|v − y|": -0.91,
        "this is half-way between the two; move it towards the likelier one, and on": 1.0,
        "this one has the smaller weight": 4.0,
        "this is the loss at the best answer; the question is the answer itself": 0.182 * 6,
        "mind the sign": 2.0,
    }
    check_answer("Exercise 3", answer, -2.0, mistakes, tol=1e-2)


def second_moment_of_a_square_root(answer: Any) -> None:
    """Exercise 4: σ = √(1 - t) has σ̇ = -1 / (2√(1 - t)), so E (σ̇ x_0)² = 1 / (4 (1 - t)) = 25 at t = 0.99."""
    mistakes = {
        "this is σ̇ without its sign; the loss takes the square": 5.0,
        "this is σ̇; the loss takes the square": -5.0,
        "the derivative of √s is 1/(2√s): the 2 is squared as well": 100.0,
        "this is σ²; the velocity has the derivative σ̇": 0.01,
        "squares are not negative": -25.0,
    }
    check_answer("Exercise 4", answer, 25.0, mistakes)
