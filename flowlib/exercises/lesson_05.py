"""The exercises of lesson 05. Exercises 3 and 4 are about N(0, 1) that becomes N(2, (1/2)²)."""

import math
from typing import Any

from flowlib.checks import check_answer


def calls_of_the_network(answer: Any) -> None:
    """Exercise 1: 20 steps of RK4 ask 4 · 20 times, whatever the size of the batch."""
    mistakes = {
        "this is the number of steps; an RK4 step asks more than once": 20,
        "this would be a method that asks twice a step, such as the midpoint method": 40,
        "the 100 points go through the network together, as one batch": 8000,
        "the 100 points go through the network together, and an RK4 step asks more than once": 2000,
        "this is the size of the batch": 100,
        "20 steps have 21 times, but no step begins at the last one": 84,
    }
    check_answer("Exercise 1", answer, 80, mistakes)


def velocity_of_a_stretch(answer: Any) -> None:
    """Exercise 2: u_t(x) for data N(-1, 3²), at t = 1/2 and x = 3.5."""
    m, s, t, x = -1.0, 3.0, 0.5, 3.5
    away, width = x - t * m, 1 - t + t * s
    mistakes = {
        "the distance to the middle still has to be divided by 1 − t + t s": m + (s - 1) * away,
        "at time t the middle of the cloud is at t m, not at m": m + (s - 1) * (x - m) / width,
        "the factor is s − 1, not 1 − s: this cloud widens": m + (1 - s) * away / width,
        "the factor is s − 1, not s": m + s * away / width,
        "this is x_0, where the point started": away / width,
        "at time t the spread is 1 − t + t s; this divides by s": m + (s - 1) * away / s,
        "the cloud moves as a whole, too: the m in front is missing": (s - 1) * away / width,
    }
    check_answer("Exercise 2", answer, m + (s - 1) * away / width, mistakes)


def loss_of_a_constant_guess(answer: Any) -> None:
    """Exercise 3: L_FM of v = 1, which is E (1 - m - (s - 1) x_0)² = (1 - m)² + (s - 1)²."""
    mistakes = {
        "this is the error of the mean alone; the velocities also differ from point to point": 1.0,
        "this is the error of the best constant, v = m; the guess here is 1": 0.25,
        "this is the error of v = 0; the guess here is 1": 4.25,
        "this is the root; the loss is the mean square": math.sqrt(1.25),
        "(s − 1) x_0 has the mean square (s − 1)², since x_0 has mean square 1": 1.5,
    }
    check_answer("Exercise 3", answer, 1.25, mistakes)


def best_line(answer: Any) -> None:
    """Exercise 4: the a and b for which v = a + b x has the smallest L_FM, to about 0.05.

    b = cov(u_t, x_t) / var(x_t) and a = E u_t - b E x_t, over t and x_t together.
    """
    m, s = 2.0, 0.5
    b = (s - 1) * (1 + s) / 2 / ((1 + s + s**2) / 3 + m**2 / 12)
    right = [m - b * m / 2, b]
    mistakes = {
        "this is the best constant; the line may also slope": [m, 0.0],
        "this is u at t = 0; the other times count as well": [2.0, -0.5],
        "this is u at t = 1/2; the other times count as well": [8 / 3, -2 / 3],
        "this is u at t = 1; the other times count as well": [4.0, -1.0],
        "with these the ends are right, but L_FM asks for the velocities at every time": [
            -math.log(s) * m / (1 - s),
            math.log(s),
        ],
        "these are the right numbers in the other order: first a, then b": right[::-1],
    }
    check_answer("Exercise 4", answer, right, mistakes, tol=0.02)
