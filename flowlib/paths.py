"""Conditional paths: how noise x_0 turns into one image x_1, and how fast.

Time runs from t = 0 (noise) to t = 1 (data). A path is fixed by two schedules: α_t, the weight
of the image, and σ_t, the weight of the noise.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from flowlib.types import Batch, Times, check_finite, check_tensors, holds, per_point

TIME_SLACK = 1e-6  # how far a time may lie outside [0, 1]: a float32 sum t + dt near 1 is off by less


@dataclass(frozen=True)
class AffinePath:
    """Conditional path x_t = α_t x_1 + σ_t x_0, with x_0 ~ N(0, I).

    Noise at t = 0 (α = 0, σ = 1), data at t = 1 (α = 1, σ = 0). A subclass gives the two schedules
    and their time derivatives, each a function of t with values of the shape of t.
    Source: Lipman et al. 2022, arXiv:2210.02747, section 4.
    """

    def alpha(self, t: Times) -> Times:
        """α_t, the weight of the image."""
        raise NotImplementedError

    def sigma(self, t: Times) -> Times:
        """σ_t, the weight of the noise, which is the standard deviation of x_t given x_1."""
        raise NotImplementedError

    def d_alpha(self, t: Times) -> Times:
        """dα_t/dt."""
        raise NotImplementedError

    def d_sigma(self, t: Times) -> Times:
        """dσ_t/dt."""
        raise NotImplementedError

    def sample(self, x_0: Batch, x_1: Batch, t: Times) -> tuple[Batch, Batch]:
        """The point x_t = α_t x_1 + σ_t x_0 and its velocity u_t = α̇_t x_1 + σ̇_t x_0.

        `x_0`, `x_1`: `(batch, *dim)`; `t`: `(batch,)` in [0, 1]. Both results have the shape of `x_1`.
        Raises `ValueError` where shapes differ, numbers are not finite, or a time lies outside [0, 1].
        """
        check_finite(x_0=x_0, x_1=x_1)
        if x_0.shape != x_1.shape:
            raise ValueError(
                f"x_0 and x_1 need one shape, but have {tuple(x_0.shape)} and {tuple(x_1.shape)}; "
                "draw the noise with torch.randn_like(x_1)"
            )
        check_times(t)
        x_t = per_point(self.alpha(t), x_1) * x_1 + per_point(self.sigma(t), x_0) * x_0
        u_t = per_point(self.d_alpha(t), x_1) * x_1 + per_point(self.d_sigma(t), x_0) * x_0
        return x_t, u_t

    def endpoint(self, x_t: Batch, u_t: Batch, t: Times) -> Batch:
        """Where a point at x_t with velocity u_t is heading: x_1 = (σ u - σ̇ x) / (σ α̇ - σ̇ α).

        It solves x = α x_1 + σ x_0 and u = α̇ x_1 + σ̇ x_0; on the linear path it is x + (1 - t) u.
        Shapes and errors as in `sample`.
        """
        check_times(t)
        check_finite(x_t=x_t, u_t=u_t)
        if u_t.shape != x_t.shape:
            raise ValueError(
                f"u_t needs the shape of x_t, {tuple(x_t.shape)}, but has shape {tuple(u_t.shape)}"
            )
        alpha, sigma = per_point(self.alpha(t), x_t), per_point(self.sigma(t), x_t)
        d_alpha, d_sigma = per_point(self.d_alpha(t), x_t), per_point(self.d_sigma(t), x_t)
        return (sigma * u_t - d_sigma * x_t) / (sigma * d_alpha - d_sigma * alpha)


@dataclass(frozen=True)
class LinearPath(AffinePath):
    """The straight line x_t = t x_1 + (1 - t) x_0, whose velocity is x_1 - x_0 all the way.

    Source: Lipman et al. 2022, arXiv:2210.02747, example II, with σ_min = 0; Liu et al. 2022,
    arXiv:2209.03003.
    """

    def alpha(self, t: Times) -> Times:  # noqa: D102
        return t

    def sigma(self, t: Times) -> Times:  # noqa: D102
        return 1 - t

    def d_alpha(self, t: Times) -> Times:  # noqa: D102
        return torch.ones_like(t)

    def d_sigma(self, t: Times) -> Times:  # noqa: D102
        return -torch.ones_like(t)


@dataclass(frozen=True)
class TrigonometricPath(AffinePath):
    """The arc x_t = sin(πt/2) x_1 + cos(πt/2) x_0, which keeps α² + σ² = 1.

    Source: Albergo & Vanden-Eijnden 2022, arXiv:2209.15571, equation 5.
    """

    def alpha(self, t: Times) -> Times:  # noqa: D102
        return torch.sin(math.pi / 2 * t)

    def sigma(self, t: Times) -> Times:  # noqa: D102
        return torch.cos(math.pi / 2 * t)

    def d_alpha(self, t: Times) -> Times:  # noqa: D102
        return math.pi / 2 * torch.cos(math.pi / 2 * t)

    def d_sigma(self, t: Times) -> Times:  # noqa: D102
        return -math.pi / 2 * torch.sin(math.pi / 2 * t)


def check_times(t: Times) -> None:
    """Raise `ValueError` unless every time lies in [0, 1], give or take the rounding of a solver's t + dt."""
    if not isinstance(t, Tensor) or not t.is_floating_point():
        came = t.dtype if isinstance(t, Tensor) else repr(t)
        raise ValueError(
            f"t needs a tensor of floats with one time per sample, but is {came}; "
            "for one shared time pass torch.full((len(x),), 0.5)"
        )
    check_tensors(t=t)
    inside = (t >= -TIME_SLACK) & (t <= 1 + TIME_SLACK)  # written so that NaN does not lie inside
    if not holds(inside):
        raise ValueError(
            f"t runs from 0 (noise) to 1 (data), but holds {t[~inside][0].item():g}; "
            "for evenly spaced times use fl.time_grid(n)"
        )
