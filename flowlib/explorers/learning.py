"""Lesson 05: a bell of noise that moves and narrows, a network of two numbers, and a training by stages."""

import math
from collections.abc import Callable

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

from flowlib.explorers.base import Explorer, number, real
from flowlib.plots import DATA, EXACT, LEARNED, MARK, NOISE
from flowlib.solvers import solve_ode, time_grid
from flowlib.types import Field

LEFT, RIGHT = -4.0, 6.0  # the stretch of the line that is drawn
TIMES = (0.0, 0.5, 1.0)  # when a field is drawn, from pale to full colour
FEW_TICKS = {"xticks": [-4, 0, 4], "yticks": [0, 2, 4]}  # each tick costs a millisecond
BINS = torch.linspace(LEFT, RIGHT, 61).tolist()


def moving_bell(density: Callable, field: Callable) -> Explorer:
    """The density p_t and the arrows of u_t, for data N(m, s²): `density` and `field` of `(x, t, m, s)`."""
    x = torch.linspace(-8, 8, 321, dtype=torch.float64)[:, None]
    places = x[::24]

    def compute(t: float, m: float, s: float):
        at = {time: density(x, torch.full((len(x),), time).double(), m, s) for time in (0.0, t, 1.0)}
        return t, m, s, at, field(places, torch.full((len(places),), t).double(), m, s)

    def draw(figure: Figure, frame) -> str:
        t, m, s, at, velocity = frame
        ax = figure.add_subplot()
        ax.plot(x, at[0.0], color=NOISE, label="p_init")
        ax.plot(x, at[1.0], color=DATA, label="p_data")
        ax.fill_between(
            x[:, 0], at[t][:, 0], color=MARK, alpha=0.35, linewidth=0, label=f"p_t at t = {t:.2f}"
        )
        ax.quiver(
            places[:, 0], torch.full((len(places),), -0.12), velocity[:, 0] / 5, torch.zeros(len(places)),
            angles="xy", scale_units="xy", scale=1, color=EXACT, width=4e-3,
        )  # fmt: skip
        ax.set(xlim=(-8, 8), ylim=(-0.25, 1.35), yticks=[0, 0.5, 1], xlabel="x", ylabel="density")
        ax.legend(loc="upper left")
        spread = 1 - t + t * s
        ends = field(torch.tensor([[t * m - spread], [t * m + spread]]).double(), torch.tensor([t, t]), m, s)
        return (
            f"At t = {t:.2f} the bell has mean {t * m:.2f} and spread {spread:.2f}; one spread left of "
            f"its mean the velocity is {ends[0].item():.2f}, one to the right {ends[1].item():.2f}."
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

        return a, b, loss_at_times(line, ts), solve_ode(line, starts, time_grid(20), "rk4").end

    def draw(figure: Figure, frame) -> str:
        a, b, errors, end = frame
        left, middle, right = figure.subplots(1, 3)
        _draw_exact(exact, left)
        left.axline((0, a), slope=b, color=LEARNED, linewidth=3)
        left.set(xlim=(LEFT, RIGHT), ylim=(-1, 5), title="v = a + b x, and u_t", xlabel="x", **FEW_TICKS)
        middle.fill_between(ts, errors, color=LEARNED, alpha=0.3, linewidth=0)
        middle.plot(ts, errors, color=LEARNED)
        middle.set(xlim=(0, 1), ylim=(0, 1.1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1], xlabel="t")
        middle.set_title(f"area L_FM = {errors.mean():.3f}")
        _draw_ends(end, target, right)
        return (
            f"v = {a:.2f} {b:+.2f} x: L_FM {errors.mean():.3f}; its error is {errors[0]:.2f} near t = 0 and "
            f"{errors[-1]:.2f} near t = 1. The ends have mean {end.mean():.2f} and spread {end.std():.2f}."
        )

    return Explorer(compute, draw, (10, 3), a=real("a", 2, -1, 5, 0.05), b=real("b", 0, -2, 1, 0.05))


def training_stages(
    stages: dict[int, nn.Module], losses: dict[int, float], field: Field, density: Callable, starts: Tensor
) -> Explorer:
    """Networks after more and more steps `{steps: network}` with their L_FM: field, ends and loss of each."""
    steps = list(stages)
    x = torch.linspace(LEFT, RIGHT, 101, dtype=torch.float64)[:, None]
    target = _bell(density, 1.0)
    logs = [math.log10(losses[n]) for n in steps]
    powers = range(math.floor(min(logs)), math.ceil(max(logs)) + 1)
    with torch.no_grad():
        ends = {n: solve_ode(model, starts, time_grid(20), "rk4").end for n, model in stages.items()}

    @torch.no_grad()
    def compute(stage: int, t: float):
        time = torch.full((len(x),), t, dtype=torch.float64)
        model = stages[steps[stage]]
        return steps[stage], t, field(x, time), model(x, time), density(x, time)

    def draw(figure: Figure, frame) -> str:
        n, t, exact, learned, bell = frame
        left, middle, right = figure.subplots(1, 3)
        left.fill_between(x[:, 0], 3 * bell[:, 0] - 2, -2, color=NOISE, alpha=0.25, linewidth=0)
        left.plot(x, exact, color=EXACT, label="exact")
        left.plot(x, learned, color=LEARNED, linestyle="--", linewidth=3, label="learned")
        left.set(xlim=(LEFT, RIGHT), ylim=(-2, 5), title=f"field at t = {t:.2f}", xlabel="x", **FEW_TICKS)
        left.legend(loc="upper right", fontsize=10)
        _draw_ends(ends[n], target, middle)
        right.plot(range(len(steps)), logs, color=LEARNED, marker="o", markersize=4)
        right.plot(steps.index(n), logs[steps.index(n)], "o", color=MARK, markersize=11)
        right.set(title=f"L_FM = {losses[n]:.2g}", xlabel="steps of training")
        right.set_xticks(range(0, len(steps), 3), steps[::3])
        right.set_yticks(powers, [f"{10.0**power:g}" for power in powers])
        off = (((learned - exact).square() * bell).sum() / bell.sum()).sqrt().item()
        return (
            f"After {n} steps L_FM is {losses[n]:.2g}. At t = {t:.2f} the learned field is off by {off:.2f} "
            f"where the bell is; the ends have mean {ends[n].mean():.2f} and spread {ends[n].std():.2f}."
        )

    return Explorer(
        compute, draw, (10, 3),
        stage=number("stage of training", 0, 0, len(steps) - 1), t=real("t", 0.5, 0, 1, 0.1),
    )  # fmt: skip


def _lines(field: Field, density: Callable) -> list[tuple[float, Tensor, Tensor]]:
    """For each of `TIMES`: the time, where the bell is, and the velocities there."""
    x = torch.linspace(LEFT, RIGHT, 101, dtype=torch.float64)[:, None]
    lines = []
    for time in TIMES:
        t = torch.full((len(x),), time, dtype=torch.float64)
        here = density(x, t)[:, 0] > 0.02 * density(x, t).max()
        lines.append((time, x[here], field(x, t)[here]))
    return lines


def _draw_exact(lines: list[tuple[float, Tensor, Tensor]], ax: Axes) -> None:
    for (time, x, velocity), strength in zip(lines, (0.35, 0.6, 1)):
        ax.plot(x, velocity, color=EXACT, alpha=strength, label=f"u at t = {time:g}")
    ax.legend(loc="lower left", fontsize=10)


def _bell(density: Callable, time: float) -> tuple[Tensor, Tensor]:
    """Places and the density there, `(n,)` each."""
    x = torch.linspace(LEFT, RIGHT, 201, dtype=torch.float64)
    return x, density(x[:, None], torch.full((len(x),), time, dtype=torch.float64))[:, 0]


def _draw_ends(end: Tensor, target: tuple[Tensor, Tensor], ax: Axes) -> None:
    heights = torch.histc(end[:, 0], len(BINS) - 1, LEFT, RIGHT) / len(end) / (BINS[1] - BINS[0])
    ax.stairs(heights, BINS, fill=True, color=LEARNED, alpha=0.5)
    ax.plot(*target, color=DATA)
    ax.set(
        xlim=(LEFT, RIGHT),
        ylim=(0, 1.5),
        title="where it leads",
        xlabel="x",
        xticks=[-4, 0, 4],
        yticks=[0, 1],
    )
