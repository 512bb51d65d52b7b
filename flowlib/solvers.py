"""Solvers: from a field and a starting point to a trajectory, one small step after another.

Each step function takes X_t and returns its estimate of X_{t+dt}. `x`: `(batch, *dim)`, `t`: `(batch,)`,
`dt`: a number, negative to run backwards.
Source: Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, section II.1.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from flowlib.types import Batch, Field, Grid, Times, evaluate


def euler_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step along the velocity at its start: x + dt u(x, t). Order 1, one evaluation."""
    return x + dt * field(x, t)


def midpoint_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step along the velocity half-way. Order 2, two evaluations."""
    half_way = x + dt / 2 * field(x, t)
    return x + dt * field(half_way, t + dt / 2)


def heun_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step along the mean of the velocities at both ends of an Euler step. Order 2, two evaluations."""
    start = field(x, t)
    end = field(x + dt * start, t + dt)
    return x + dt * (start + end) / 2


def rk4_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step of the classical Runge-Kutta method. Order 4, four evaluations."""
    k_1 = field(x, t)
    k_2 = field(x + dt / 2 * k_1, t + dt / 2)
    k_3 = field(x + dt / 2 * k_2, t + dt / 2)
    k_4 = field(x + dt * k_3, t + dt)
    return x + dt * (k_1 + 2 * k_2 + 2 * k_3 + k_4) / 6


STEPS = {"euler": euler_step, "midpoint": midpoint_step, "heun": heun_step, "rk4": rk4_step}


@dataclass(frozen=True)
class Trajectory:
    """The states of a batch of points at the times of a grid.

    `ts`: `(time,)`; `xs`: `(time, batch, *dim)`, where `xs[k]` is X at time `ts[k]`.
    """

    ts: Grid
    xs: Tensor

    @property
    def end(self) -> Batch:
        """The last state, `(batch, *dim)`."""
        return self.xs[-1]


def time_grid(steps: int, start: float = 0.0, end: float = 1.0) -> Grid:
    """Evenly spaced times from `start` to `end`: `steps` steps, so `steps` + 1 times."""
    if steps < 1 or steps != int(steps):
        raise ValueError(f"a time grid needs a whole number of steps, at least 1, but steps is {steps}")
    return torch.linspace(start, end, int(steps) + 1, dtype=torch.float64)


def solve_ode(field: Field, x_0: Batch, ts: Grid, method: str = "euler") -> Trajectory:
    """Follow dX_t/dt = u(X_t, t) from X = `x_0` at `ts[0]` through every time of `ts`.

    One step of `method` ("euler", "midpoint", "heun" or "rk4") leads from each time to the next.
    `ts` must rise or fall throughout; falling times run the flow backwards, and then `x_0` is where they
    begin. All states are kept, and with them their gradients, unless called under `torch.no_grad()`.
    Raises `ValueError` for an unknown method, a grid that is no grid, an `x_0` of integers, a field that
    returns another shape than it was given, and states that are no longer finite, naming the time.
    """
    if method not in STEPS:
        raise ValueError(f"method is one of {', '.join(STEPS)}, but {method!r} was given")
    if not x_0.is_floating_point():
        raise ValueError(f"x_0 needs floats, but is {x_0.dtype}; write x_0.float()")
    if not x_0.isfinite().all():
        raise ValueError("x_0 must be finite, but holds NaN or infinity")
    ts = torch.as_tensor(ts, dtype=torch.float64)
    gaps = ts.diff() if ts.ndim == 1 else ts.new_empty(0)
    if not len(gaps) or not ((gaps > 0).all() or (gaps < 0).all()):
        raise ValueError("ts needs at least two times that rise or fall throughout; try fl.time_grid(25)")

    step, velocity, xs = STEPS[method], partial(evaluate, field), [x_0]
    for time, gap in zip(ts, gaps):
        t = time.to(x_0).expand(len(x_0))
        xs.append(step(velocity, xs[-1], t, gap.item()))
        if not xs[-1].isfinite().all():
            raise ValueError(
                f"the solution left the finite numbers between t = {time:g} and t = {time + gap:g}; "
                "take smaller steps, or end the grid earlier"
            )
    return Trajectory(ts, torch.stack(xs))
