"""Solvers: from a field and a starting point to a trajectory, one small step after another.

Each step function takes X_t and returns its estimate of X_{t+dt}. `x`: `(batch, *dim)`, `t`: `(batch,)`,
`dt`: a number, negative to run backwards. Each raises `ValueError` where the shape of a velocity is not that
of `x`, and where the result is no longer finite, naming the time.
Source: Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, section II.1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps

import torch
from torch import Tensor

from flowlib.types import Batch, Field, Grid, Times, check_count, check_finite, check_grid, evaluate, holds


def _guarded(formula: Callable) -> Callable:
    """The step of a formula, held to finite results, with a field held to the shape of x."""

    @wraps(formula)
    def step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
        x_next = formula(partial(evaluate, field), x, t, dt)
        if not holds(x_next.isfinite()):
            check_finite(x=x)
            raise ValueError(
                f"the solution left the finite numbers between t = {t[0]:g} and t = {t[0] + dt:g}; "
                "take smaller steps, or end the grid earlier"
            )
        return x_next

    return step


@_guarded
def euler_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step along the velocity at its start: x + dt u(x, t). Order 1, one evaluation."""
    return x + dt * field(x, t)


@_guarded
def midpoint_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step along the velocity half-way. Order 2, two evaluations."""
    half_way = x + dt / 2 * field(x, t)
    return x + dt * field(half_way, t + dt / 2)


@_guarded
def heun_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step along the mean of the velocities at both ends of an Euler step. Order 2, two evaluations."""
    start = field(x, t)
    end = field(x + dt * start, t + dt)
    return x + dt * (start + end) / 2


@_guarded
def rk4_step(field: Field, x: Batch, t: Times, dt: float) -> Batch:
    """One step of the classical Runge-Kutta method. Order 4, four evaluations."""
    k_1 = field(x, t)
    k_2 = field(x + dt / 2 * k_1, t + dt / 2)
    k_3 = field(x + dt / 2 * k_2, t + dt / 2)
    k_4 = field(x + dt * k_3, t + dt)
    return x + dt * (k_1 + 2 * k_2 + 2 * k_3 + k_4) / 6


METHODS = {"euler": euler_step, "midpoint": midpoint_step, "heun": heun_step, "rk4": rk4_step}


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

    def stills(self, frames: int) -> list[int]:
        """The places in `ts` of the times nearest to `frames` evenly spaced ones, both ends among them.

        They are fewer than `frames` where one time is the nearest to several. Raises `ValueError` unless
        `frames` is a whole number, at least 2.
        """
        frames = check_count("frames", frames, least=2)
        ts = self.ts.detach().cpu().double()
        wanted = torch.linspace(ts[0], ts[-1], frames, dtype=ts.dtype)
        return (ts[:, None] - wanted).abs().argmin(0).unique().tolist()


def time_grid(steps: int, start: float = 0.0, end: float = 1.0, power: float = 1.0) -> Grid:
    """Times from `start` to `end`: `steps` steps, so `steps` + 1 times, in float64.

    Time number k is at the share (k / steps)^power of the way: evenly spaced with the power 1, small steps
    first with a higher one. Raises `ValueError` unless `steps` is a whole number, at least 1, `power` is
    above 0, and all are finite.
    """
    check_count("steps", steps)
    if not math.isfinite(end - start):
        raise ValueError(f"start and end need finite times, but are {start} and {end}")
    if not 0 < power < math.inf:
        raise ValueError(f"power needs a finite number above 0, but is {power}")
    share = torch.linspace(0, 1, int(steps) + 1, dtype=torch.float64) ** power
    return torch.lerp(share.new_tensor(start), share.new_tensor(end), share)  # it meets both exactly


def solve_ode(field: Field, x_0: Batch, ts: Grid, method: str = "euler") -> Trajectory:
    """Follow dX_t/dt = u(X_t, t) from X = `x_0` at `ts[0]` through every time of `ts`.

    One step of `method` ("euler", "midpoint", "heun" or "rk4") leads from each time to the next.
    `ts` must rise or fall throughout; falling times run the flow backwards, and then `x_0` is where they
    begin. All states are kept, and with them their gradients, unless called under `torch.no_grad()`.
    Raises `ValueError` for an unknown method, times that do not rise or fall throughout, an `x_0` of
    integers, a velocity whose shape is not that of `x_0`, and states that are no longer finite, naming the
    time.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, but {method!r} was given")
    check_finite(x_0=x_0)
    ts = check_grid(ts)
    step, xs = METHODS[method], [x_0]
    for time, gap in zip(ts, ts.diff()):
        xs.append(step(field, xs[-1], time.to(x_0).expand(len(x_0)), gap))
    return Trajectory(ts, torch.stack(xs))


def picard(field: Field, x_0: Batch, ts: Grid, iterations: int) -> list[Trajectory]:
    """Picard iteration: X^0_t = x_0, then X^{k+1}_t = x_0 + ∫ u(X^k_s, s) ds from `ts[0]` to t.

    The integral is taken by the trapezoid rule on the grid `ts`, so the limit solves the ODE up to an error
    of order 2 in the gaps. Returns the iterates 0 to `iterations`, each a `Trajectory`. Raises `ValueError`
    unless `iterations` is a whole number, at least 1, for an iterate that is no longer finite, and as
    `solve_ode`.
    Source: Hairer, Nørsett & Wanner 1993, Solving Ordinary Differential Equations I, section I.8.
    """
    check_count("iterations", iterations)
    check_finite(x_0=x_0)
    ts = check_grid(ts)
    gaps = ts.diff().to(x_0).view(-1, *[1] * x_0.ndim)
    times = ts.to(x_0).repeat_interleave(len(x_0))
    iterates = [Trajectory(ts, x_0.expand(len(ts), *x_0.shape))]
    for k in range(1, int(iterations) + 1):
        u = evaluate(field, iterates[-1].xs.flatten(0, 1), times).view(len(ts), *x_0.shape)
        way = (gaps * (u[1:] + u[:-1]) / 2).cumsum(0)
        if not holds(way.isfinite()):
            raise ValueError(f"iterate {k} left the finite numbers; end the grid earlier")
        iterates.append(Trajectory(ts, torch.cat([x_0[None], x_0 + way])))
    return iterates
