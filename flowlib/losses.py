"""The objectives: flow matching where the field is known, conditional flow matching where it is not."""

import torch
from torch import Tensor

from flowlib.paths import AffinePath, LinearPath
from flowlib.types import Batch, Field, Times, evaluate


def squared_norm(difference: Batch) -> Tensor:
    """‖·‖² of every point: the sum of squares over all its numbers, `(batch,)`."""
    return difference.flatten(1).square().sum(1)


def fm_loss(model: Field, field: Field, x_t: Batch, t: Times) -> Tensor:
    """Flow matching, E ‖v_t(x_t) - u_t(x_t)‖², a scalar, with x_t ~ p_t and the marginal field u known.

    Source: Lipman et al. 2022, arXiv:2210.02747, equation 5.
    """
    return squared_norm(evaluate(model, x_t, t) - evaluate(field, x_t, t)).mean()


def cfm_loss(model: Field, x_0: Batch, x_1: Batch, t: Times, path: AffinePath = LinearPath()) -> Tensor:
    """Conditional flow matching, E ‖v_t(x_t) - u_t(x_t | x_1)‖², a scalar.

    x_t = α_t x_1 + σ_t x_0 and its target α̇_t x_1 + σ̇_t x_0 are made from the same noise; on the
    linear path the target is x_1 - x_0. `x_0` ~ N(0, I) and `x_1` ~ p_data: `(batch, *dim)`;
    `t` ~ U[0, 1]: `(batch,)`. Source: Lipman et al. 2022, arXiv:2210.02747, equations 9 and 14.
    """
    x_t, u_t = path.sample(x_0, x_1, t)
    return squared_norm(evaluate(model, x_t, t) - u_t).mean()


def stratified_times(batch: int, generator: torch.Generator | None = None) -> Times:
    """One random time in each of `batch` equal parts of [0, 1], in rising order, `(batch,)`.

    One of them picked at random is uniform on [0, 1], so a mean over the batch keeps its expectation, and
    the even cover takes noise out of it. This needs images in random order: of sorted ones, the first
    would only ever see early times.
    """
    return (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch
