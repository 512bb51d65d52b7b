"""Lesson 04: where solutions exist and are unique, Picard's iterates, and two starts that nearly touch."""

import math
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.fields import conditional_field, square_field, square_root_field
from flowlib.lessons.checks import check_answer, check_function
from flowlib.lessons.explorer import Explorer, choice, number, real
from flowlib.paths import LinearPath
from flowlib.plots import EXACT, MARK, NOISE
from flowlib.solvers import euler_step, picard, solve_ode, time_grid
from flowlib.types import Field

END = 1.0  # the data point x_1 of its third field


def _square_root(x_0: float, ts: Tensor, leave: float) -> Tensor:
    """One solution of ẋ = 2√|x|: up to 0 where it starts below, wait there until `leave`, and away."""
    if x_0 > 0:
        return (ts + x_0**0.5) ** 2
    arrival = (-x_0) ** 0.5
    return (ts - max(leave, arrival)).relu() ** 2 - (arrival - ts).relu() ** 2


def _square(x_0: float, ts: Tensor, leave: float) -> Tensor:
    """The solution of ẋ = x², and NaN from t = 1/x_0 on."""
    return torch.where(ts * x_0 < 1, x_0 / (1 - ts * x_0), torch.nan)


def _to_one_point(x_0: float, ts: Tensor, leave: float) -> Tensor:
    """The solution of ẋ = (x_1 - x) / (1 - t), a straight line to x_1."""
    return (1 - ts) * x_0 + ts * END


LABORATORY: dict[str, tuple] = {  # the field, its solutions, and how low and how high they are shown
    "2√|x|": (square_root_field, _square_root, -1.2, 3.0),
    "x²": (square_field, _square, -2.0, 30.0),
    f"({END:g} − x)/(1 − t)": (
        conditional_field(torch.tensor([END]).double(), LinearPath()),
        _to_one_point,
        -1.2,
        3.0,
    ),
}


def existence_lab(steps: int = 25) -> Explorer:
    """Three fields on a line: every solution in closed form, and Euler's method with `steps` steps."""
    ts = time_grid(200)

    def by_euler(field: Field, x_0: float, low: float, high: float) -> Tensor:
        """Euler's states, up to the first that lies outside the picture."""
        states = [torch.tensor([[x_0]], dtype=torch.float64)]
        for t in time_grid(steps)[:-1]:
            if low <= states[-1].item() <= high:
                states.append(euler_step(field, states[-1], t.expand(1), 1 / steps))
        return torch.cat(states).flatten()

    @lru_cache
    def others(name: str) -> Tensor:
        """Solutions from many starts; where several leave one start, several are drawn."""
        solution = LABORATORY[name][1]
        starts = [-1 + i / 4 for i in range(13)]
        every = [solution(x_0, ts, 0.0) for x_0 in starts]
        if name == "2√|x|":
            every += [solution(0.0, ts, i / 5) for i in range(1, 6)]
        return torch.stack(every, dim=1)

    def compute(name: str, x_0: float, c: float):
        field, solution, low, high = LABORATORY[name]
        x_0 = round(x_0, 6) + 0.0
        here = solution(x_0, ts, c)
        place = solution(x_0, torch.tensor([c], dtype=torch.float64), c).item()
        euler = by_euler(field, x_0, low, high)
        return name, c, SimpleNamespace(
            x_0=x_0, limits=(low, high), family=others(name), here=here, place=place,
            gone=None if here.isfinite().all() else 1 / x_0, euler=euler,
            euler_times=time_grid(steps)[: len(euler)],
            euler_stays=len(euler) == steps + 1 and low <= euler[-1] <= high,
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        name, c, f = frame
        ax = figure.add_subplot()
        ax.plot(ts, f.family, color=EXACT, linewidth=0.8, alpha=0.6)
        ax.plot(ts, f.here, color=MARK, linewidth=3, label=f"a solution from {f.x_0:g}")
        ax.plot(f.euler_times, f.euler, "o:", color=NOISE, ms=4, label=f"Euler, {steps} steps")
        ax.plot([c], [f.place], "D", color=MARK, ms=9)
        if f.gone is not None:
            ax.axvline(f.gone, color=MARK, linestyle=":")
        ax.set(xlim=(0, 1.02), ylim=f.limits, xlabel="t", ylabel="x", title=f"dx/dt = {name}")
        ax.legend(loc="upper left")
        where = f"is at {f.place:.2f} at" if f.place == f.place else "does not exist at"
        last = f"Euler ends at {f.euler[-1]:.2f}" if f.euler_stays else "Euler leaves the picture"
        return f"Field {name}: the marked solution from {f.x_0:g} {where} t = {c:.2f}. {last}."

    return Explorer(
        compute,
        draw,
        (6.6, 4.2),
        name=choice("field", list(LABORATORY)),
        x_0=real("x_0", 0, -1, 2, 0.05),
        c=real("c", 0.4, 0, 1, 0.05),
    )


ITERATED: dict[str, tuple] = {  # a field, and a start
    "x": (lambda x, t: x, 1.0),
    "−6 x": (lambda x, t: -6 * x, 1.0),
    "sin 3x + cos 5t": (lambda x, t: (3 * x).sin() + (5 * t[:, None]).cos(), 0.2),
    "1 + |x|": (lambda x, t: 1 + x.abs(), -0.5),
}


def picard_iteration(most: int = 20) -> Explorer:
    """Picard's iterates of a field, one after another, and the gap from each to the solution."""
    ts = time_grid(400)

    @lru_cache
    def of_field(name: str):
        field, start = ITERATED[name]
        x_0 = torch.tensor([[start]], dtype=torch.float64)
        iterates = torch.stack([iterate.xs.flatten() for iterate in picard(field, x_0, ts, most + 40)])
        limit = iterates[-1]  # for these fields, 40 iterates more are the limit to the last digit
        gaps = (iterates[: most + 1] - limit).abs().amax(1)
        exact = solve_ode(field, x_0, ts, "rk4").xs.flatten()
        low, high = exact.min().item(), exact.max().item()
        margin = 0.8 * (high - low)
        limits, powers = (low - margin, high + margin), gaps.clamp(min=1e-16).log10()
        return SimpleNamespace(iterates=iterates, exact=exact, limits=limits, gaps=gaps, powers=powers)

    def compute(name: str, k: int):
        return name, k, of_field(name)

    def draw(figure: Figure, frame) -> str:
        name, k, f = frame
        left, right = figure.subplots(1, 2)
        left.plot(ts, f.iterates[:k].T, color=NOISE, linewidth=0.8, alpha=0.6)
        left.plot(ts, f.exact, color=EXACT, linewidth=5, alpha=0.4, label="solution")
        left.plot(ts, f.iterates[k], color=MARK, label=f"iterate {k}")
        left.set(xlim=(0, 1), ylim=f.limits, xticks=[0, 0.5, 1], xlabel="t")
        left.set_title(f"x against t, u = {name}")
        _marks_of_one_width(left)
        left.legend(loc="upper left")
        right.plot(f.powers, "o", color=NOISE, ms=5)
        right.plot([k], f.powers[k : k + 1], "o", color=MARK, ms=10)
        _powers_of_ten(right, -16, 2, 6)
        right.set(xticks=[0, 10, 20], xlabel="iterate k", title="largest gap to the solution")
        return f"Field {name}, iterate {k}: its largest gap to the solution is {f.gaps[k]:.1e}."

    return Explorer(
        compute,
        draw,
        (9, 3.6),
        name=choice("field u", list(ITERATED)),
        k=number("iterate k", 2, 0, most),
    )


NEIGHBOURS: dict[str, Callable] = {  # each with Lipschitz constant L
    "L x": lambda x, t, L: L * x,
    "−L x": lambda x, t, L: -L * x,
    "sin L x": lambda x, t, L: (L * x).sin(),
    "cos(L x + 9 t)": lambda x, t, L: (L * x + 9 * t[:, None]).cos(),
}


def nearby_starts() -> Explorer:
    """Two starts that nearly touch: their trajectories, and their distance between Grönwall's two bounds."""
    ts = time_grid(50)

    def compute(name: str, lipschitz: float, exponent: float):
        starts = torch.tensor([[0.3], [0.3 + 10**exponent]], dtype=torch.float64)
        both = solve_ode(lambda x, t: NEIGHBOURS[name](x, t, lipschitz), starts, ts, "rk4").xs[:, :, 0]
        distance = (both[:, 1] - both[:, 0]).abs()
        middle = both.mean().item()
        reach = max(1.0, (both - middle).abs().max().item())
        walls = torch.stack([(lipschitz * ts).exp(), (-lipschitz * ts).exp()], dim=1)
        return name, lipschitz, SimpleNamespace(
            both=both, limits=(middle - reach, middle + reach), distance=distance, power=distance.log10(),
            growth=distance[-1] / distance[0], walls=walls[-1], powers=(distance[0] * walls).log10(),
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        name, lipschitz, f = frame
        left, right = figure.subplots(1, 2)
        left.plot(ts, f.both[:, 0], color=EXACT)
        left.plot(ts, f.both[:, 1], color=MARK)
        left.set(xlim=(0, 1), xticks=[0, 0.5, 1], ylim=f.limits, xlabel="t")
        left.set_title(f"x against t, u = {name}, L = {lipschitz:.1f}")
        _marks_of_one_width(left)
        right.plot(ts, f.powers, ":", color=NOISE)
        right.plot(ts, f.power, color=MARK)
        _powers_of_ten(right, -8, 2, 5)
        right.set(xlim=(0, 1), xticks=[0, 0.5, 1], xlabel="t", title="their distance, and its bounds")
        return (
            f"Field {name}, L = {lipschitz:.1f}: from {f.distance[0]:.1e} apart to {f.distance[-1]:.1e}, a "
            f"factor {f.growth:.3g}; the bounds are {f.walls[1]:.3g} and {f.walls[0]:.3g}."
        )

    return Explorer(
        compute,
        draw,
        (9, 3.6),
        name=choice("field u", list(NEIGHBOURS)),
        lipschitz=real("L", 3, 0.5, 6, 0.5),
        exponent=real("log10 of the gap", -2, -5, 0, 0.5),
    )


def _powers_of_ten(ax: Axes, low: int, high: int, every: int) -> None:
    """Marks for an axis of decimal logarithms; a logarithmic axis, with marks in TeX, takes twice as long."""
    powers = range(low, high + 1, every)
    ax.set_ylim(low - 0.5, high)
    ax.set_yticks(powers, [f"1e{k:+d}" if k else "1" for k in powers])


def _marks_of_one_width(ax: Axes) -> None:
    """Numbers at the left, filled up with blanks: the axes stay where the first view has put them."""
    blank, minus = "\N{FIGURE SPACE}", "\N{MINUS SIGN}"
    ax.yaxis.set_major_formatter(lambda y, _: f"{y:6.3g}".replace(" ", blank).replace("-", minus))


# The answers of the exercises


def where_two_lines_cross(answer: Any) -> None:
    """Exercise 1: the (t, x) at which the lines 0 → 4 and 2 → 0 meet."""
    t, x = 1 / 3, 4 / 3
    mistakes = {
        "this is (x, t); the question asks for (t, x)": (x, t),
        "this is the time; the place is missing": t,
        "this is the place; the time is missing": x,
        "at t = 1/2 the lines are at 2 and at 1; they have met before": (0.5, 2.0),
        "at t = 1/2 the lines are at 2 and at 1; they have already met": (0.5, 1.0),
        "that would be so for the line from 2 to 4; this one falls to 0": (1.0, 4.0),
    }
    check_answer("Exercise 1", answer, (t, x), mistakes, tol=2e-3)


def smallest_lipschitz_constant(answer: Any) -> None:
    """Exercise 2: the largest slope of t x + 2 sin 3x over all x and all t in [0, 1], which is 7."""
    mistakes = {
        "the term t x changes with x as well; at which t most?": 6,
        "the slope of sin 3x is 3 cos 3x, by the chain rule": 3,
        "the slope of sin 3x is 3 cos 3x, by the chain rule, and t x has a slope too": 2,
        "this is the slope of sin 3x plus that of t x; the sine has a factor 2": 4,
        "this holds at t = 1/2; L must do for all t in [0, 1]": 6.5,
    }
    check_answer("Exercise 2", answer, 7, mistakes)


def second_picard_iterate(answer: Any) -> None:
    """Exercise 3: X² of the field 2 t x from x_0 = 1, as a function of t: 1 + t² + t⁴/2."""
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    mistakes = {
        "this is the first iterate; put it into the field once more": 1 + t**2,
        "this is the solution, which no iterate reaches; the second iterate is a polynomial": (t**2).exp(),
        "the start x_0 = 1 is missing": t**2 + t**4 / 2,
        "the integral of 2 s³ is t⁴/2": 1 + t**2 + t**4,
        "this would be so for the field x; the field is 2 t x, and changes with time": 1 + t + t**2 / 2,
        "this is the third iterate": 1 + t**2 + t**4 / 2 + t**6 / 6,
    }
    check_function("Exercise 3", answer, (t,), 1 + t**2 + t**4 / 2, mistakes)


def largest_distance_of_neighbours(answer: Any) -> None:
    """Exercise 4: 0.01 e^2, the bound at t = 1 for L = 2 and starts 0.01 apart."""
    mistakes = {
        "this is the factor; they start 0.01 apart": math.exp(2),
        "this is how near they can come; the question is how far apart": 0.01 * math.exp(-2),
        "at the first moment the distance grows at the rate 0.02, but as it grows so does the rate": 0.03,
        "this is the rate at which the distance grows at first": 0.02,
        "this is the bound for L = 1": 0.01 * math.e,
    }
    check_answer("Exercise 4", answer, 0.01 * math.exp(2), mistakes, tol=5e-3)
