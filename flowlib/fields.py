"""Vector fields: textbook ones, the field of one image, and the exact field of a whole dataset.

A field is any callable `(x, t) -> velocity` with `x` `(batch, *dim)` and `t` `(batch,)`.
"""

import math

import torch
from torch import Tensor

from flowlib.paths import TIME_SLACK, AffinePath, check_times
from flowlib.types import Batch, Field, Times, check_finite, check_floats, holds, per_point

PIECE = 2048  # rows of data at a time: 2 MB of digits, which a processor's cache can hold


def constant_field(velocity: Tensor) -> Field:
    """The field u(x, t) = c, whose flow is ψ_t(x_0) = x_0 + t c.

    `velocity` c: `(*dim)`. Raises `ValueError` unless finite; its field does for points of other shapes.
    """
    check_finite(velocity=velocity)

    def field(x: Batch, t: Times) -> Batch:
        check_floats(x=x, velocity=velocity)
        if velocity.shape != x.shape[1:]:
            raise ValueError(f"this field moves points {tuple(velocity.shape)}, but x is {tuple(x.shape)}")
        return velocity.expand_as(x)

    return field


def linear_field(matrix: Tensor) -> Field:
    """The field u(x, t) = A x of points `(batch, d)`, whose flow is ψ_t(x_0) = exp(tA) x_0.

    `matrix` A: `(d, d)`, in the dtype of x. A = -I contracts, A = [[0, -1], [1, 0]] rotates anticlockwise,
    and A = [[1, 0], [0, -1]] is a saddle. Raises `ValueError` unless it is square and finite; the field does
    for points of another size or dtype.
    """
    check_finite(matrix=matrix)
    if matrix.ndim != 2 or len(matrix) != len(matrix.T):
        raise ValueError(f"matrix needs to be square, shape (d, d), but has shape {tuple(matrix.shape)}")

    def field(x: Batch, t: Times) -> Batch:
        check_floats(x=x, matrix=matrix)
        if x.shape[-1:] != matrix.shape[:1] or x.dtype != matrix.dtype:
            raise ValueError(
                f"this field moves points of {len(matrix)} numbers of {matrix.dtype}, "
                f"but x is {x.dtype} of shape {tuple(x.shape)}"
            )
        return x @ matrix.T

    return field


def square_root_field(x: Batch, t: Times) -> Batch:
    """The field u(x, t) = 2√|x|, without a unique flow: from x_0 = 0 both X_t = 0 and X_t = t² solve it."""
    return 2 * x.abs().sqrt()


def square_field(x: Batch, t: Times) -> Batch:
    """The field u(x, t) = x²: from x_0 > 0 the solution x_0 / (1 - t x_0) blows up at t = 1/x_0."""
    return x.square()


def conditional_velocity(x: Batch, t: Times, x_1: Batch, path: AffinePath) -> Batch:
    """u_t(x | x_1) = α̇_t x_1 + (σ̇_t / σ_t)(x - α_t x_1): the velocity that leads x to x_1.

    It is the velocity of the path through x, with the noise x_0 = (x - α_t x_1) / σ_t put in.
    On the linear path this is (x_1 - x) / (1 - t). `x`, `x_1`: `(batch, *dim)`; `t`: `(batch,)` in [0, 1).
    Raises `ValueError` at t = 1, where it is 0/0, for other shapes, and for numbers that are not finite.
    Source: Lipman et al. 2022, arXiv:2210.02747, theorem 3.
    """
    _check_before_data(t)
    check_finite(x=x, x_1=x_1)
    if x_1.shape != x.shape:
        raise ValueError(
            f"x_1 needs the shape of x, {tuple(x.shape)}, but has shape {tuple(x_1.shape)}; "
            "for one image shared by all points use fl.conditional_field(images[7], path)"
        )
    return _velocity_to(x_1, x, t, path)


def conditional_field(x_1: Batch, path: AffinePath) -> Field:
    """The field u_t(· | x_1) of `conditional_velocity`, with its errors.

    `x_1`: `(*dim)` for all x, or `(batch, *dim)`. Raises `ValueError` unless it is finite.
    """
    check_finite(x_1=x_1)

    def field(x: Batch, t: Times) -> Batch:
        check_floats(x=x)
        target = x_1.expand(len(x), *x_1.shape) if x_1.ndim < x.ndim else x_1
        return conditional_velocity(x, t, target, path)

    return field


def log_likelihood(x: Batch, t: Times, data: Batch, path: AffinePath) -> Tensor:
    """Log p_t(x | x_1) for every x and every x_1 in `data`, `(batch, n)`.

    p_t(· | x_1) is the Gaussian N(α_t x_1, σ_t² I). `x`: `(batch, *dim)`; `data`: `(n, *dim)`; `t`:
    `(batch,)` in [0, 1). The squared distances come from matrix products, so in float32 they carry an
    error near 1e-4 / σ_t² for digits: use float64 where that matters. Raises `ValueError` for shapes or
    dtypes that do not fit, no data, t = 1, and numbers that are not finite, or become so on the way.
    """
    _check_before_data(t)
    _check_data(x, data)
    x, data = x.flatten(1), data.flatten(1)
    alpha, variance = per_point(path.alpha(t), x), per_point(path.sigma(t), x).square()
    distance = x.square().sum(1, keepdim=True) - 2 * alpha * (x @ data.T) + alpha**2 * data.square().sum(1)
    return _finite(-(distance / variance + x.shape[1] * (2 * math.pi * variance).log()) / 2)


def posterior_weights(x: Batch, t: Times, data: Batch, path: AffinePath) -> Tensor:
    """p_t(x_1 | x_t = x) for every x_1 in `data`, `(batch, n)`, rows summing to 1.

    Bayes with equal prior weights: p_t(x | x_1) / Σ p_t(x | x_1'), as a softmax of log-likelihoods, so
    nothing underflows. Shapes, times and errors as in `log_likelihood`.
    """
    return log_likelihood(x, t, data, path).softmax(dim=1)


def log_density(x: Batch, t: Times, data: Batch, path: AffinePath) -> Tensor:
    """Log p_t(x) of the marginal p_t(x) = (1/n) Σ p_t(x | x_1), `(batch,)`; as `log_likelihood`."""
    return log_likelihood(x, t, data, path).logsumexp(dim=1) - math.log(len(data))


def posterior_mean(x: Batch, t: Times, data: Batch, path: AffinePath, memory_mb: float = 256) -> Batch:
    """E[x_1 | x_t = x] over the whole of `data`, `(batch, *dim)`: all images, averaged by posterior weight.

    Works through `data` in pieces with a running softmax, so that the working memory stays below
    `memory_mb` megabytes however many images there are, as long as no gradients are recorded.
    Shapes, times and errors as in `log_likelihood`.
    """
    _check_before_data(t)
    _check_data(x, data)
    points, rows = x.flatten(1), _rows_at_once(x, memory_mb)
    alpha, variance = per_point(path.alpha(t), points), per_point(path.sigma(t), points) ** 2
    scaled, factor = alpha / variance * points, -(alpha**2) / (2 * variance)
    peak = x.new_full((len(x), 1), -torch.inf)
    total, weighted = torch.zeros_like(peak), torch.zeros_like(points)
    for piece in data.flatten(1).split(rows):
        # log-likelihoods less what all of data share: (α_t x · x_1 - α_t² ‖x_1‖² / 2) / σ_t²
        logs = (scaled @ piece.T).addcmul_(factor, piece.square().sum(1))
        new_peak = torch.maximum(peak, logs.detach().amax(1, keepdim=True))  # it cancels: no gradient needed
        weights, rescale = logs.sub_(new_peak).exp_(), (peak - new_peak).exp()
        total = total * rescale + weights.sum(1, keepdim=True)
        weighted = weighted * rescale + weights @ piece
        peak = new_peak
    return _finite((weighted / total).view_as(x))


def marginal_field(data: Batch, path: AffinePath, memory_mb: float = 256) -> Field:
    """The exact field u_t(x) = Σ p_t(x_1 | x) u_t(x | x_1) of a whole dataset, without any network.

    u_t(x | x_1) is affine in x_1, so the average over x_1 is u_t(x | E[x_1 | x]): one posterior mean is
    enough. `data`: `(n, *dim)`; `memory_mb` and the errors of the field are those of `posterior_mean`.
    Source: Lipman et al. 2022, arXiv:2210.02747, equation 8.
    """
    return lambda x, t: _velocity_to(posterior_mean(x, t, data, path, memory_mb), x, t, path)


def velocity_variance(x: Batch, t: Times, data: Batch, path: AffinePath) -> Tensor:
    """Tr Cov(u_t(x | x_1) | x_t = x): how far the velocities of the pairs through x differ, `(batch,)`.

    u_t(x | x_1) is affine in x_1 with the factor c = α̇ - σ̇ α / σ, so this is
    c² (E[‖x_1‖² | x] - ‖E[x_1 | x]‖²). Its mean over t and x_t is what the CFM loss cannot fall below.
    Shapes, times and errors as in `log_likelihood`.
    """
    weights, points = posterior_weights(x, t, data, path), data.flatten(1)
    mean = weights @ points  # (batch, d)
    variance = weights @ points.square().sum(1) - mean.square().sum(1)
    factor = path.d_alpha(t) - path.d_sigma(t) * path.alpha(t) / path.sigma(t)
    return factor.to(x).square() * variance.clamp(min=0)  # rounding can dip below 0


def _velocity_to(x_1: Batch, x: Batch, t: Times, path: AffinePath) -> Batch:
    """The formula of `conditional_velocity`."""
    noise = (x - per_point(path.alpha(t), x) * x_1) / per_point(path.sigma(t), x)
    return per_point(path.d_alpha(t), x) * x_1 + per_point(path.d_sigma(t), x) * noise


def _rows_at_once(x: Batch, memory_mb: float) -> int:
    """How many rows of data `posterior_mean` of x may take at a time, to stay below `memory_mb`."""
    if not 0 < memory_mb < math.inf:
        raise ValueError(f"memory_mb needs a number above 0, but is {memory_mb}")
    size = x.shape[1:].numel()
    # alive at once: five of (batch, size), two of (batch, rows), one of (rows, size), one of (rows,)
    spare = memory_mb * 1e6 / x.element_size() - 5 * x.numel()
    rows = min(PIECE, int(spare / (2 * len(x) + size + 1)))
    if rows < 1:
        raise ValueError(f"memory_mb = {memory_mb:g} is too little for {len(x)} points at a time; give more")
    return rows


def _check_before_data(t: Times) -> None:
    check_times(t)
    if not holds(t <= 1 - TIME_SLACK):
        raise ValueError(
            "this field is 0/0 at t = 1; end the time grid just before it: fl.time_grid(50, end=0.99)"
        )


def _check_data(x: Batch, data: Batch) -> None:
    check_floats(x=x, data=data)
    if x.ndim < 2:
        raise ValueError(
            f"x needs the shape (batch, *dim), but has {tuple(x.shape)}; for one point pass x[None]"
        )
    if not len(data) or data.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"data needs at least one point of the shape of x, {tuple(x.shape[1:])}, "
            f"but has shape {tuple(data.shape)}"
        )
    if data.dtype != x.dtype:
        raise ValueError(
            f"data and x need one dtype, but are {data.dtype} and {x.dtype}; write data.to(x.dtype)"
        )


def _finite(result: Tensor) -> Tensor:
    """What came of x and data, which are too large to be looked through each time; `ValueError` for NaN."""
    if not holds(result.isfinite()):
        raise ValueError(
            "x and data must be finite, and not too far apart for their dtype, but what came of them is "
            f"{result[~result.isfinite()][0].item()} in {result.dtype}; check both, or take .double()"
        )
    return result
