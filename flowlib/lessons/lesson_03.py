"""Lesson 03: a point that drifts, a lattice that a flow carries along, and solvers beside the exact way."""

import math
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.lessons.checks import check_answer, check_function
from flowlib.lessons.explorer import Explorer, choice, number, real
from flowlib.plots import DATA, EXACT, MARK, NOISE, arrows, lattice, log_log
from flowlib.solvers import METHODS, Trajectory, solve_ode, time_grid
from flowlib.types import Batch, Field, Times

FINE = 50  # steps of RK4 that stand for the exact way
GLANCE = 0.25  # how far ahead, in time, the arrow of the current velocity reaches
COST = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4}  # evaluations of the field in a step


def drifting_point(fields: dict[str, Field]) -> Explorer:
    """One point of the plane in a field chosen by name: the arrows at t, its way, and its velocity."""

    @lru_cache(maxsize=64)
    def way(name: str, x: float, y: float) -> Trajectory:
        start = torch.tensor([[x, y]], dtype=torch.float64)
        return solve_ode(fields[name], start, time_grid(FINE), "rk4")

    def compute(name: str, x: float, y: float, t: float):
        trajectory, k = way(name, x, y), round(t * FINE)
        now, here = trajectory.ts[k], trajectory.xs[k]
        velocity = fields[name](here, now.expand(1))
        return SimpleNamespace(
            name=name,
            t=now.item(),
            ts=trajectory.ts,
            xs=trajectory.xs[:, 0],
            past=trajectory.xs[: k + 1, 0],
            future=trajectory.xs[k:, 0],
            here=here[0],
            velocity=velocity[0],
            tip=(here + GLANCE * velocity)[0],
        )

    def draw(figure: Figure, frame) -> str:
        plane, times = figure.subplots(1, 2, width_ratios=(1.2, 1))
        arrows(fields[frame.name], frame.t, span=3, count=13, ax=plane)
        plane.plot(*frame.future.T, color=EXACT, linewidth=1.5, linestyle=":")
        plane.plot(*frame.past.T, color=EXACT)
        plane.plot(*frame.xs[0], "o", color=NOISE)
        arrow = {"arrowstyle": "->", "color": MARK, "linewidth": 2.5}
        plane.annotate("", frame.tip, frame.here, arrowprops=arrow)
        plane.plot(*frame.here, "o", color=MARK)
        plane.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), xticks=[-3, 0, 3], yticks=[-3, 0, 3])
        plane.set_title(f"the plane at t = {frame.t:.2f}")
        for line, label, style in zip(frame.xs.T, ("across", "up"), ("-", "--")):
            times.plot(frame.ts, line, style, color=EXACT, label=label)
        times.plot([frame.t, frame.t], frame.here, "o", color=MARK)
        times.set(ylim=(-4.2, 4.2), xlabel="t", title="the same, against time")
        times.legend(loc="lower left", ncols=2)
        place, speed = ([round(v, 2) + 0.0 for v in some.tolist()] for some in (frame.here, frame.velocity))
        return f"Field {frame.name} at t = {frame.t:.2f}: the point is at {place}, its velocity is {speed}."

    return Explorer(
        compute,
        draw,
        (8.6, 4.2),
        name=choice("field", list(fields)),
        x=real("start, across", 2, -2, 2, 0.25),
        y=real("start, up", 0.5, -2, 2, 0.25),
        t=real("t", 0.3, 0, 1, 1 / FINE),
    )


def mapped_lattice(fields: dict[str, Field]) -> Explorer:
    """What the flow of a field, chosen by name, has made of a lattice of the plane by time t."""
    edge = torch.linspace(0, 0.5, 21, dtype=torch.float64)
    low, high = torch.zeros_like(edge), torch.full_like(edge, 0.5)
    sides = [(edge, low), (high, edge), (edge.flip(0), high), (low, edge.flip(0))]
    square = torch.cat([torch.stack(side, dim=1) for side in sides])  # the filled one, around

    def compute(name: str, t: float):
        def flow(x: Batch) -> Batch:
            return solve_ode(fields[name], x, time_grid(20, 0, t), "rk4").end if t else x

        return name, t, flow, _area(flow(square)) / _area(square)

    def draw(figure: Figure, frame) -> str:
        name, t, flow, factor = frame
        ax = lattice(flow, span=2, cells=8, ax=figure.add_subplot())
        ax.set(xlim=(-4.5, 4.5), ylim=(-3.2, 3.2), title=f"t = {t:.2f}: area × {factor:.2f}")
        return f"Field {name} at t = {t:.2f}: the filled square has {factor:.2f} times its area at t = 0."

    return Explorer(compute, draw, (7, 4.8), name=choice("field", list(fields)), t=real("t", 0.4, 0, 1, 0.02))


def solver_against_exact(field: Field, flow: Callable[[Batch, Times], Batch], x_0: Tensor) -> Explorer:
    """One point `x_0` `(1, 2)` by each solver, with a chosen number of steps, beside its exact way.

    `flow(x_0, t)` is the exact flow of `field`: places `(batch, 2)` for times `(batch,)`.
    """
    ts = time_grid(200)
    exact = flow(x_0.expand(len(ts), -1), ts)

    @lru_cache(maxsize=256)
    def run(method: str, steps: int):
        trajectory = solve_ode(field, x_0, time_grid(steps), method)
        return trajectory.xs[:, 0], (trajectory.end[0] - exact[-1]).norm()

    counts = [1, 2, 4, 8, 16, 32, 64]
    errors = {
        method: (COST[method] * torch.tensor(counts), torch.stack([run(method, n)[1] for n in counts]))
        for method in METHODS
    }

    def compute(method: str, steps: int):
        return method, steps, COST[method] * steps, *run(method, steps)

    def draw(figure: Figure, frame) -> str:
        method, steps, evaluations, xs, error = frame
        plane, cost = figure.subplots(1, 2)
        plane.plot(*exact.T, color=EXACT, label="exact")
        plane.plot(*xs.T, "o-", color=MARK, markersize=4, linewidth=1.2, label=method)
        plane.plot(*exact[-1], "o", color=DATA, markersize=9, fillstyle="none", label="exact end")
        plane.set(aspect="equal", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6))
        plane.legend(loc="upper right", fontsize=10)
        log_log(errors, ax=cost).plot(evaluations, error, "o", color=MARK, markersize=12, fillstyle="none")
        cost.set(xlabel="evaluations of the field", ylabel="error at t = 1")
        cost.set_xticks([1, 4, 16, 64, 256], ["1", "4", "16", "64", "256"])
        cost.set_yticks([1e-4, 1e-2, 1, 1e2], ["0.0001", "0.01", "1", "100"])  # powers of 10 draw slowly
        return (
            f"{method} with {steps} steps, {evaluations} evaluations: "
            f"the end is {error:.2g} away from the exact one."
        )

    return Explorer(
        compute, draw, (9, 4.2), method=choice("method", list(METHODS)), steps=number("steps", 8, 1, 64)
    )


def _area(polygon: Tensor) -> float:
    """The area inside a closed polygon, `(n, 2)`, by the shoelace formula."""
    x, y = polygon.T
    return ((x * y.roll(-1) - y * x.roll(-1)).sum() / 2).item()


# The answers of the exercises


def end_of_a_ride(answer: Any) -> None:
    """Exercise 1: where u_t(x) = 6t² takes x_0 = -1 by t = 1: to -1 + 2 = 1."""
    mistakes = {
        "this is the way that the point has gone; where did it start?": 2,
        "this takes the velocity of the last moment, 6, for the whole time; at the beginning it was 0": 5,
        "this takes the velocity of the first moment, 0, for the whole time; it grows": -1,
        "this goes on by 6; the velocity is 6t², so the way is its integral from 0 to 1": 6,
        "this uses the velocity half-way, 1.5; the velocity does not grow evenly": 0.5,
    }
    check_answer("Exercise 1", answer, 1, mistakes)


def two_euler_steps(answer: Any) -> None:
    """Exercise 2: two Euler steps of 1/2 in the field (-x_2, x_1), from (1, 0)."""
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    x_0 = torch.tensor([1.0, 0.0], dtype=torch.float64)
    one, straight, exact = x_0 + turn @ x_0 / 2, x_0 + turn @ x_0, (math.cos(1), math.sin(1))
    mistakes = {
        "this is the exact end, (cos 1, sin 1); the question is where Euler's two steps end": exact,
        "this is one step; the second starts here, with the velocity of this place": one,
        "both steps took the velocity of the start; ask the field again after the first": straight,
        "these steps have the size 1; two steps to t = 1 have the size 1/2": straight + turn @ straight,
        "this turns clockwise: the first number of the velocity is minus the second of the place": (0.75, -1),
    }
    check_answer("Exercise 2", answer, one + turn @ one / 2, mistakes)


def flow_between_times(answer: Any) -> None:
    """Exercise 3: for u_t(x) = 3t², the map from time s to time t: x + t³ - s³. A function of x, s, t."""
    x, s, t = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.7, 0.9], [0.8, 0.2, 0.4]], dtype=torch.float64)
    mistakes = {
        "this starts at time 0, not at time s": x + t**3,
        "that holds where only the time that has passed counts; 3t² depends on the clock": x + (t - s) ** 3,
        "this runs from t to s; the question is from s to t": x + s**3 - t**3,
        "this keeps the velocity of time s all the way": x + 3 * s**2 * (t - s),
        "this keeps the velocity of time t all the way": x + 3 * t**2 * (t - s),
        "this is the way gone; add where it starts": t**3 - s**3,
        "this is the flow of 2t, from section 4; the field here is 3t²": x + t**2 - s**2,
        "this subtracts velocities; the places are their integrals": x + 3 * t**2 - 3 * s**2,
    }
    check_function("Exercise 3", answer, (x, s, t), x + t**3 - s**3, mistakes)


def order_of_a_method(answer: Any) -> None:
    """Exercise 4: an error of 0.008 with 10 steps and 0.0005 with 40: order 2."""
    mistakes = {
        "the step was cut to a quarter, not to a half: to which power is 4 raised to give 16?": 4,
        "this is how many times smaller the error is; as a power of the step, which is 4 times smaller?": 16,
        "with order 1 four times the steps would give a quarter of the error": 1,
        "an order is the power of h that the error shrinks with; it is not negative": -2,
        "the other way round: log 16 over log 4": 0.5,
    }
    check_answer("Exercise 4", answer, 2, mistakes)
