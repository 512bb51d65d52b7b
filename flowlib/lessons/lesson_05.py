"""Lesson 05: a bell of noise that moves and narrows, a network of two numbers, and a training by stages."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from flowlib.lessons.checks import check_answer
from flowlib.lessons.explorer import Explorer, number, real
from flowlib.plots import DATA, EXACT, LEARNED, MARK, NOISE
from flowlib.solvers import solve_ode, time_grid
from flowlib.types import Field

LEFT, RIGHT = -4.0, 6.0  # the stretch of the line that is drawn
SHADES = {0.0: 0.35, 0.5: 0.6, 1.0: 1.0}  # the times at which a field is drawn, from pale to full colour
FEW_TICKS = {"xticks": [-4, 0, 4], "yticks": [0, 2, 4]}  # each tick costs a millisecond
BINS = torch.linspace(LEFT, RIGHT, 61).tolist()


def moving_bell(density: Callable, field: Callable) -> Explorer:
    """The density p_t and the arrows of u_t, for data N(m, s²): `density` and `field` of `(x, t, m, s)`."""
    x = torch.linspace(-8, 8, 321, dtype=torch.float64)[:, None]
    places = x[::24]

    def compute(t: float, m: float, s: float):
        mean, spread = t * m, 1 - t + t * s
        sides = torch.tensor([[mean - spread], [mean + spread]], dtype=torch.float64)
        bells = [density(x, _at(time, x), m, s)[:, 0] for time in (0.0, 1.0, t)]
        velocity, at_sides = (field(at, _at(t, at), m, s)[:, 0] for at in (places, sides))
        return t, bells, velocity, (mean, spread, *at_sides.tolist())

    def draw(figure: Figure, frame) -> str:
        t, (init, data, now), velocity, (mean, spread, left, right) = frame
        ax = figure.add_subplot()
        ax.plot(x, init, color=NOISE, label="p_init")
        ax.plot(x, data, color=DATA, label="p_data")
        ax.fill_between(x[:, 0], now, color=MARK, alpha=0.35, linewidth=0, label=f"p_t at t = {t:.2f}")
        ax.quiver(
            places[:, 0], torch.full((len(places),), -0.12), velocity / 5, torch.zeros(len(places)),
            angles="xy", scale_units="xy", scale=1, color=EXACT, width=4e-3,
        )  # fmt: skip
        ax.set(xlim=(-8, 8), ylim=(-0.25, 1.35), yticks=[0, 0.5, 1], xlabel="x", ylabel="density")
        ax.legend(loc="upper left")
        return (
            f"At t = {t:.2f} the bell has mean {mean:.2f} and spread {spread:.2f}; one spread left of "
            f"its mean the velocity is {left:.2f}, one to the right {right:.2f}."
        )

    return Explorer(
        compute, draw, (9, 3.4), t=real("t", 0.5, 0, 1, 0.05),
        m=real("mean m", 2, -3, 3, 0.25), s=real("spread s", 0.5, 0.3, 2, 0.1),
    )  # fmt: skip


def be_the_network(field: Field, density: Callable, loss_at_times: Callable, starts: Tensor) -> Explorer:
    """The reader plays the network v = a + b x: its line against u_t, its error at each t, where it leads.

    `loss_at_times(model, ts)` is E‖v - u_t‖² over p_t at each of `ts`; `starts` `(n, 1)` stand for the noise.
    """
    ts = (torch.arange(25).double() + 0.5) / 25
    exact, target = _lines(field, density), _bell(density, 1.0)

    def compute(a: float, b: float):
        def line(x: Tensor, t: Tensor) -> Tensor:
            return a + b * x

        errors = loss_at_times(line, ts)
        return a, b, errors, errors.mean(), _ends(solve_ode(line, starts, time_grid(20), "rk4").end)

    def draw(figure: Figure, frame) -> str:
        a, b, errors, loss, ends = frame
        left, middle, right = figure.subplots(1, 3)
        _draw_exact(exact, left)
        left.axline((0, a), slope=b, color=LEARNED, linewidth=3)
        left.set(xlim=(LEFT, RIGHT), ylim=(-1, 5), title="v = a + b x, and u_t", xlabel="x", **FEW_TICKS)
        middle.fill_between(ts, errors, color=LEARNED, alpha=0.3, linewidth=0)
        middle.plot(ts, errors, color=LEARNED)
        middle.set(xlim=(0, 1), ylim=(0, 1.1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="t")
        middle.set_title(f"area L_FM = {loss:.3f}")
        _draw_ends(ends, target, right)
        return (
            f"v = {a:.2f} {b:+.2f} x: L_FM {loss:.3f}; its error is {errors[0]:.2f} near t = 0 and "
            f"{errors[-1]:.2f} near t = 1. The ends have mean {ends.mean:.2f} and spread {ends.spread:.2f}."
        )

    return Explorer(compute, draw, (10, 3), a=real("a", 2, -1, 5, 0.05), b=real("b", 0, -2, 1, 0.05))


def training_stages(
    stages: dict[int, nn.Module], losses: dict[int, float], field: Field, density: Callable, starts: Tensor
) -> Explorer:
    """Networks after more and more steps `{steps: network}` with their L_FM: field, ends and loss of each."""
    steps, places = list(stages), range(len(stages))
    x = torch.linspace(LEFT, RIGHT, 101, dtype=torch.float64)[:, None]
    target = _bell(density, 1.0)
    logs = [math.log10(losses[n]) for n in steps]
    powers = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
    with torch.no_grad():
        ends = [_ends(solve_ode(net, starts, time_grid(20), "rk4").end) for net in stages.values()]

    @torch.no_grad()
    def compute(stage: int, t: float):
        time, n = _at(t, x), steps[stage]
        bell, exact, learned = density(x, time), field(x, time), stages[n](x, time)
        off = (((learned - exact).square() * bell).sum() / bell.sum()).sqrt()
        return stage, t, SimpleNamespace(
            n=n, bell=bell[:, 0], exact=exact, learned=learned, off=off, loss=losses[n], ends=ends[stage]
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        stage, t, f = frame
        left, middle, right = figure.subplots(1, 3)
        left.fill_between(x[:, 0], 3 * f.bell - 2, -2, color=NOISE, alpha=0.25, linewidth=0)
        left.plot(x, f.exact, color=EXACT, label="exact")
        left.plot(x, f.learned, color=LEARNED, linestyle="--", linewidth=3, label="learned")
        left.set(xlim=(LEFT, RIGHT), ylim=(-2, 5), title=f"field at t = {t:.2f}", xlabel="x", **FEW_TICKS)
        left.legend(loc="upper right", fontsize=10)
        _draw_ends(f.ends, target, middle)
        right.plot(places, logs, color=LEARNED, marker="o", markersize=4)
        right.plot(stage, logs[stage], "o", color=MARK, markersize=11)
        right.set(title=f"L_FM = {f.loss:.2g}", xlabel="steps of training")
        right.set_xticks(places[::3], steps[::3])
        right.set_yticks(powers, [f"{10.0**power:g}" for power in powers])
        return (
            f"After {f.n} steps L_FM is {f.loss:.2g}. At t = {t:.2f} the learned field is off by {f.off:.2f} "
            f"where the bell is; the ends have mean {f.ends.mean:.2f} and spread {f.ends.spread:.2f}."
        )

    return Explorer(
        compute, draw, (10, 3),
        stage=number("stage of training", 0, 0, len(steps) - 1), t=real("t", 0.5, 0, 1, 0.1),
    )  # fmt: skip


def _at(time: float, x: Tensor) -> Tensor:
    """One time for all places `x` `(n, 1)`, `(n,)`."""
    return torch.full((len(x),), time, dtype=x.dtype)


def _lines(field: Field, density: Callable) -> list[tuple[float, Tensor, Tensor]]:
    """For each time of `SHADES`: the time, where the bell is, and the velocities there."""
    x = torch.linspace(LEFT, RIGHT, 101, dtype=torch.float64)[:, None]
    lines = []
    for time in SHADES:
        t = _at(time, x)
        here = density(x, t)[:, 0] > 0.02 * density(x, t).max()
        lines.append((time, x[here], field(x, t)[here]))
    return lines


def _draw_exact(lines: list[tuple[float, Tensor, Tensor]], ax: Axes) -> None:
    for time, x, velocity in lines:
        ax.plot(x, velocity, color=EXACT, alpha=SHADES[time], label=f"u at t = {time:g}")
    ax.legend(loc="lower left", fontsize=10)


def _bell(density: Callable, time: float) -> tuple[Tensor, Tensor]:
    """Places and the density there, `(n,)` each."""
    x = torch.linspace(LEFT, RIGHT, 201, dtype=torch.float64)
    return x, density(x[:, None], _at(time, x))[:, 0]


def _ends(end: Tensor) -> SimpleNamespace:
    """Where points `(n, 1)` have come: mean, spread, and how densely they lie in each of `BINS`."""
    heights = torch.histc(end[:, 0], len(BINS) - 1, LEFT, RIGHT) / len(end) / (BINS[1] - BINS[0])
    return SimpleNamespace(mean=end.mean(), spread=end.std(), heights=heights)


def _draw_ends(ends: SimpleNamespace, target: tuple[Tensor, Tensor], ax: Axes) -> None:
    ax.stairs(ends.heights, BINS, fill=True, color=LEARNED, alpha=0.5)
    ax.plot(*target, color=DATA)
    ax.set(
        xlim=(LEFT, RIGHT),
        ylim=(0, 1.5),
        title="where it leads",
        xlabel="x",
        xticks=[-4, 0, 4],
        yticks=[0, 1],
    )


# The answers of the exercises


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
    """Exercise 4: the a and b for which v = a + b x has the smallest L_FM, to about 0.02.

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
    check_answer("Exercise 4", answer, right, mistakes, tol=0.008)
