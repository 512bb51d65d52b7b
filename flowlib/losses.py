"""The objectives: flow matching where the field is known, conditional flow matching where it is not.

A model that returns NaN gets the loss NaN: whoever trains, such as `fl.fit`, stops there and says so.
"""

import torch
from torch import Tensor

from flowlib.paths import AffinePath, LinearPath
from flowlib.types import Batch, Field, Times, check_count, check_finite, check_floats, evaluate

SPREAD = 0.6  # of logit-normal times: 90 % of them fall between 0.27 and 0.73


def squared_norm(difference: Batch) -> Tensor:
    """‖·‖² of every point: the sum of squares over all its numbers, `(batch,)`.

    `difference`: `(batch, *dim)`. Raises `ValueError` where there is no axis beside the batch, or no floats.
    """
    check_floats(difference=difference)
    if difference.ndim < 2:
        raise ValueError(
            f"difference needs the shape (batch, *dim), but has {tuple(difference.shape)}; "
            "for numbers on a line pass difference[:, None]"
        )
    return difference.flatten(1).square().sum(1)


def fm_loss(model: Field, field: Field, x_t: Batch, t: Times) -> Tensor:
    """Flow matching, E ‖v_t(x_t) - u_t(x_t)‖², a scalar, with x_t ~ p_t and the marginal field u known.

    `field`: u; `x_t`: `(batch, *dim)`; `t`: `(batch,)`. Raises `ValueError` for an `x_t` that is not finite,
    an empty batch, and a model or field that returns another shape.
    Source: Lipman et al. 2022, arXiv:2210.02747, equation 5.
    """
    check_finite(x_t=x_t)
    return _mean(squared_norm(evaluate(model, x_t, t) - evaluate(field, x_t, t)))


def cfm_loss(model: Field, x_0: Batch, x_1: Batch, t: Times, path: AffinePath = LinearPath()) -> Tensor:
    """Conditional flow matching, E ‖v_t(x_t) - u_t(x_t | x_1)‖², a scalar.

    x_t = α_t x_1 + σ_t x_0 and its target α̇_t x_1 + σ̇_t x_0 are made from the same noise; on the
    linear path the target is x_1 - x_0. `x_0` ~ N(0, I) and `x_1` ~ p_data: `(batch, *dim)`;
    `t` ~ U[0, 1]: `(batch,)`. Raises `ValueError` as `path.sample`, for an empty batch, and for a model
    that returns another shape. Source: Lipman et al. 2022, arXiv:2210.02747, equations 9 and 14.
    """
    x_t, u_t = path.sample(x_0, x_1, t)
    return _mean(squared_norm(evaluate(model, x_t, t) - u_t))


def stratified_times(batch: int, generator: torch.Generator | None = None) -> Times:
    """One random time in each of `batch` equal parts of [0, 1], in rising order, `(batch,)`.

    One of them picked at random is uniform on [0, 1], so a mean over the batch keeps its expectation, and
    the even cover takes noise out of it. This needs images in random order: of sorted ones, the first
    would only ever see early times. Raises `ValueError` unless `batch` is a whole number, at least 1.
    """
    batch = check_count("batch", batch)
    return (torch.arange(batch) + torch.rand(batch, generator=generator)) / batch


def logit_normal_times(batch: int, generator: torch.Generator | None = None) -> Times:
    """Times that crowd around 1/2: sigmoid(0.6 z) with z ~ N(0, 1), in rising order, `(batch,)`.

    The mean over them weighs the middle of the way more than its ends, where there is less to learn; the
    best answer at each t stays the same. One comes from each of `batch` equally likely parts of [0, 1], as
    in `stratified_times`, with its errors.
    Source: Esser et al. 2024, arXiv:2403.03206, section 3.1; the spread of 0.6 was found by trial.
    """
    even = stratified_times(batch, generator).clamp(1e-6, 1 - 1e-6)  # rounding can give 1, and z = infinity
    z = torch.special.ndtri(even)
    return (SPREAD * z).sigmoid()


def _mean(losses: Tensor) -> Tensor:
    if not len(losses):
        raise ValueError("a loss needs at least one point, but the batch has 0")
    return losses.mean()
