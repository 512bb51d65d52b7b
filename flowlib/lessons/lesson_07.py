"""Lesson 07: one answer against many targets, and both losses at each time."""

from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from flowlib.data import load_digits
from flowlib.fields import conditional_velocity, log_density, posterior_weights
from flowlib.lessons.checks import check_answer
from flowlib.lessons.explorer import Explorer, choice, real
from flowlib.paths import AffinePath, LinearPath
from flowlib.plots import DATA, EXACT, LEARNED, MARK, NOISE, losses_over_time
from flowlib.types import Field, Times


def regressor(data: Tensor, path: AffinePath = LinearPath()) -> Explorer:
    """Be the network at one place x and time t: answer with v, and see both losses of that answer.

    `data`: `(n, 1)`, points on a line.
    """

    def compute(t: float, x: float, v: float):
        weights, velocities = (
            values[:, 0] for values in _passing(torch.tensor([[x]]).to(data), t, data, path)
        )
        u = (weights @ velocities).item()
        gap = (weights @ (velocities - u).square()).item()
        span = max(abs(v - u), 2.0) * 1.15
        answers = torch.linspace(u - span, u + span, 60)
        fm = (answers - u).square()
        return SimpleNamespace(
            t=t, x=x, v=v, velocities=velocities.tolist(), weights=weights.tolist(), u=u, gap=gap, span=span,
            answers=answers, fm=fm, cfm=fm + gap, costs=((v - u) ** 2, (v - u) ** 2 + gap),
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        left, right = figure.subplots(1, 2)
        low, high = min(*frame.velocities, frame.v) - 1, max(*frame.velocities, frame.v) + 1
        width = (high - low) / 40
        left.bar(frame.velocities, frame.weights, width, color=DATA, label="velocity of a pair")
        left.axvline(frame.u, ymax=0.7, color=EXACT, label="their average u")
        left.axvline(frame.v, ymax=0.7, color=MARK, label="your answer v", linestyle="--")
        left.set(xlim=(low, high), ylim=(0, 1.55), xlabel="velocity")
        left.set_title(f"who passes x = {frame.x:.2f} at t = {frame.t:.2f}")
        right.plot(frame.answers, frame.cfm, color=DATA, label="against the pairs")
        right.plot(frame.answers, frame.fm, color=EXACT, label="against u")
        right.plot([frame.v] * 2, frame.costs, color=MARK, marker="o")
        right.set(xlim=(frame.u - frame.span, frame.u + frame.span), xlabel="answer v")
        right.set(ylim=(0, 1.5 * (frame.span**2 + frame.gap)), title="squared error")
        for ax in (left, right):
            ax.legend(fontsize=10, loc="upper left", ncols=2)
        _few_ticks(left, right)
        fm, cfm = frame.costs
        return (
            f"At t = {frame.t:.2f}, x = {frame.x:.2f} the pairs' velocities {_listed(frame.velocities)} have "
            f"the weights {_listed(frame.weights)}. The answer {frame.v:.2f} costs {cfm:.2f} against the "
            f"pairs and {fm:.2f} against their average {frame.u:.2f}: {frame.gap:.2f} apart."
        )

    return Explorer(
        compute,
        draw,
        (10, 3.4),
        v=real("answer v", 2, -6, 6, 0.1),
        x=real("place x", 0.5, -2, 3, 0.1),
        t=real("time t", 0.5, 0, 0.8, 0.05),
    )


def losses_at_each_time(
    guesses: dict[str, Field], data: Tensor, ts: Times, path: AffinePath = LinearPath()
) -> Explorer:
    """A guessed field beside the exact one, and L_FM, L_CFM and the gap between them at each time.

    `guesses`: fields of the line by name; `data`: `(n, 1)`; `ts`: evenly spaced times below 1. The
    expectations are sums over a fine grid of places.
    """
    low, high = data.min().item() - 6, data.max().item() + 6
    places, step = torch.linspace(low, high, 2401).to(data)[:, None], (high - low) / 2400
    view = slice(600, -600, 20)  # what is drawn of them

    @lru_cache
    def at(k: int):
        weights, velocities = _passing(places, ts[k].item(), data, path)
        u = (weights * velocities).sum(0)
        density = log_density(places, ts[k].expand(len(places)), data, path).exp()
        gap = ((weights * (velocities - u).square()).sum(0) * density).sum() * step
        return velocities, u, density, gap

    @lru_cache
    def losses(name: str) -> tuple[Tensor, Tensor]:
        fm = []
        for k, t in enumerate(ts):
            _, u, density, _ = at(k)
            v = guesses[name](places, t.expand(len(places)))[:, 0]
            fm.append(((v - u).square() * density).sum() * step)
        return torch.stack(fm), torch.stack([at(k)[3] for k in range(len(ts))])

    def compute(name: str, t: float):
        k = int((ts - t).abs().argmin())
        velocities, u, density, _ = at(k)
        v = guesses[name](places[view], ts[k].expand(len(places[view])))[:, 0]
        fm, gap = losses(name)
        return SimpleNamespace(
            name=name, t=ts[k].item(), v=v, u=u[view], velocities=velocities[:, view], density=density[view],
            fm=fm, gap=gap, now=(fm[k], gap[k], fm[k] + gap[k]), means=(fm.mean(), (fm + gap).mean()),
        )  # fmt: skip

    def draw(figure: Figure, frame) -> str:
        left, right = figure.subplots(1, 2)
        x = places[view, 0].numpy()
        bell = -6 + 5 * frame.density  # on the floor of the picture
        left.fill_between(x, -6, bell, color=NOISE, alpha=0.3, linewidth=0, label="density of x")
        left.plot(x, frame.velocities.T, color=DATA, linewidth=1)
        left.plot(x, frame.u, color=EXACT, label="u")
        left.plot(x, frame.v, color=LEARNED, linestyle="--", label="v")
        left.set(xlim=(x[0], x[-1]), ylim=(-6, 9), xlabel="x", title=f"velocities at t = {frame.t:.2f}")
        left.legend(fontsize=10, loc="upper right", ncols=3)
        fm, gap, cfm = frame.now
        losses_over_time(ts, frame.fm, frame.gap, ax=right)
        right.plot([frame.t] * 3, [0, gap, cfm], color=MARK, marker="o")
        _few_ticks(left, right)
        right.set(title=f"{fm:.2f} + {gap:.2f} = {cfm:.2f}")
        return (
            f"Guess {frame.name}. At t = {frame.t:.2f}: L_FM {fm:.3f} + gap {gap:.3f} = L_CFM {cfm:.3f}. "
            f"Over all times: {frame.means[0]:.3f} and {frame.means[1]:.3f}."
        )

    return Explorer(
        compute,
        draw,
        (10, 3.4),
        name=choice("guess v", list(guesses)),
        t=real("time t", ts[len(ts) // 2].item(), ts[0].item(), ts[-1].item(), (ts[1] - ts[0]).item()),
    )


def _passing(x: Tensor, t: float, data: Tensor, path: AffinePath) -> tuple[Tensor, Tensor]:
    """Weights and velocities of the pairs through each place `x` `(m, 1)` at time t: `(n, m)` both."""
    times = torch.full((len(x),), t).to(data)
    velocities = [conditional_velocity(x, times, end.expand_as(x), path)[:, 0] for end in data]
    return posterior_weights(x, times, data, path).T, torch.stack(velocities)


def _few_ticks(*axes: Axes) -> None:
    """Few numbers on the axes: drawing them is most of the wait."""
    for ax in axes:
        ax.locator_params(nbins=4)


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.2f}" for value in values)


# The answers of the exercises


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
    (n, d), total = points.shape, (points - points.mean(0)).square().sum(1).mean()
    mistakes = {
        "the noise is known at t = 0: x is the noise. Only x_1 varies": total + d,
        "this is for one pixel on average; the squared norm is a sum over all of them": total / d,
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
