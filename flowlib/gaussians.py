"""The best field without a network: what flow matching would learn if each class were one Gaussian."""

import math

import torch
from torch import Tensor, nn

from flowlib.data import Digits
from flowlib.paths import AffinePath, LinearPath, check_times
from flowlib.types import Batch, Times, check_count, check_finite, check_tensors, holds, is_hidden, per_point

NO_CLASS = 10  # the label that says "any digit"
RANK = 64  # directions of a class that keep a variance of their own
FLOOR = 0.05  # smallest standard deviation: no direction is ever quite certain


class ClassGaussians(nn.Module):
    """The exact marginal field of data whose class k is N(m_k, C_k), with C_k = V diag(λ) Vᵀ.

    Along a direction of variance λ the field is linear in x,

        u_t(x) = α̇ m + (α̇ α λ + σ̇ σ) / (α² λ + σ²) · (x - α m),

    the conditional expectation of α̇ x_1 + σ̇ x_0 given x for jointly normal x_1, x_0. Unfitted, the data
    are N(0, I). Row 10 of each buffer is "any digit": one Gaussian for all. Directions beyond the `rank`
    widest of a class share one variance. All but `fit` is differentiable in points and times, in both modes
    and under `torch.func.vmap`. Raises `ValueError` unless 1 <= `rank` < `pixels`; its methods do where
    points, times or labels do not fit, or are not finite.
    """

    mean: Tensor
    basis: Tensor
    variance: Tensor

    def __init__(self, path: AffinePath = LinearPath(), pixels: int = 256, rank: int = RANK):
        super().__init__()
        rank, pixels = check_count("rank", rank), check_count("pixels", pixels, least=2)
        if rank >= pixels:
            raise ValueError(f"rank needs 1 to pixels - 1 = {pixels - 1} directions, but is {rank}")
        self.path = path
        self.register_buffer("mean", torch.zeros(NO_CLASS + 1, pixels))
        self.register_buffer("basis", torch.zeros(NO_CLASS + 1, pixels, rank))
        self.register_buffer("variance", torch.ones(NO_CLASS + 1, rank + 1))  # the last: of all others

    def fit(self, digits: Digits) -> None:
        """Take means and covariances from `digits`, at least two of them, of the size of this model.

        A class with fewer than two digits gets the Gaussian of all. Raises `ValueError` for fewer in all,
        and for another size.
        """
        if len(digits) < 2:
            raise ValueError(f"a covariance needs at least 2 digits, but there are {len(digits)}")
        if digits.images[0].numel() != self.mean.shape[1]:
            raise ValueError(f"this model has {self.mean.shape[1]} pixels, but the digits have another size")
        images, labels = digits.images.detach().flatten(1).cpu(), digits.labels.cpu()
        rank = self.basis.shape[2]
        for k in range(NO_CLASS + 1):
            rows = images[labels == k] if k < NO_CLASS else images
            rows = rows if len(rows) > 1 else images
            rows = rows.to(torch.float64, copy=True)  # in float32, a threaded eigh gave NaN for few digits
            mean = rows.mean(0)
            rows -= mean  # in place: of 60,000 digits, each copy takes 123 MB
            values, axes = torch.linalg.eigh(rows.T @ rows / (len(rows) - 1))  # ascending
            variances = torch.cat([values[-rank:], values[:-rank].mean().reshape(1)])
            self.mean[k], self.basis[k] = mean, axes[:, -rank:]
            self.variance[k] = variances.clamp(min=FLOOR**2)

    def forward(self, x: Batch, t: Times, label: Tensor) -> Batch:
        """u_t(x) of the class `label` `(batch,)`, 0 to 10, of each x `(batch, *dim)`."""
        check_times(t)
        rows, path = self._rows(x, label), self.path
        mean, variance, t = self.mean[label], self.variance[label], per_point(t, rows)
        alpha, sigma, d_alpha, d_sigma = (f(t) for f in (path.alpha, path.sigma, path.d_alpha, path.d_sigma))
        gain = (d_alpha * alpha * variance + d_sigma * sigma) / (alpha**2 * variance + sigma**2)
        return (d_alpha * mean + self._along(rows - alpha * mean, gain, label)).view_as(x)

    def sample(self, x_0: Batch, label: Tensor) -> Batch:
        """One image of the class `label` `(batch,)`, 0 to 10, from each noise x_0 `(batch, *dim)`.

        x_1 = m + L x_0 with L = V diag(√λ) Vᵀ, so that x_0 ~ N(0, I) gives x_1 ~ N(m, C). It is where the
        field of this class carries x_0. Pixels may lie outside [-1, 1].
        """
        stretched = self._along(self._rows(x_0, label), self.variance[label].sqrt(), label)
        return (self.mean[label] + stretched).view_as(x_0)

    def log_density(self, x: Batch, label: Tensor) -> Tensor:
        """The log-density log N(x; m, C) `(batch,)` of each x `(batch, *dim)` for its class `label`, 0 to 10.

        A natural logarithm, of a density per unit of every pixel: it may be above 0.
        """
        away, variance = self._rows(x, label) - self.mean[label], self.variance[label]
        pixels, rank = self.basis.shape[1:]
        distance = (away * self._along(away, 1 / variance, label)).sum(1)
        log_det = variance[:, :-1].log().sum(1) + (pixels - rank) * variance[:, -1].log()
        return -(distance + log_det + pixels * math.log(2 * math.pi)) / 2

    def covariance(self, label: int) -> Tensor:
        """C `(pixels, pixels)` of one class, 0 to 10."""
        if label not in range(NO_CLASS + 1):
            raise ValueError(f"label needs a whole number 0 to 9, or 10 for any digit, but is {label!r}")
        basis, variance = self.basis[int(label)], self.variance[int(label)]
        elsewhere = torch.eye(len(basis)).to(basis) - basis @ basis.T
        return basis * variance[:-1] @ basis.T + variance[-1] * elsewhere

    def _rows(self, x: Batch, label: Tensor) -> Tensor:
        """Each x as a row, `(batch, pixels)`; `ValueError` where its size or its label does not fit."""
        check_finite(x=x)
        pixels, dtype = self.mean.shape[1], self.mean.dtype
        if torch.promote_types(x.dtype, dtype) != dtype:
            raise ValueError(f"x needs no more than the dtype of this model, {dtype}, but is {x.dtype}")
        if x.ndim < 2 or x.shape[1:].numel() != pixels:
            raise ValueError(f"x needs {pixels} numbers for each point, but has shape {tuple(x.shape)}")
        check_labels(label, len(x))
        return x.flatten(1).to(dtype)

    def _along(self, x: Tensor, gain: Tensor, label: Tensor) -> Tensor:
        """Each x `(batch, pixels)` with its part along each direction of its class times the `gain` there."""
        more, elsewhere = gain[:, :-1] - gain[:, -1:], gain[:, -1:]
        with torch.autocast(x.device.type, enabled=False):  # in bfloat16 the variances would be lost
            if is_hidden(label):
                basis = self.basis[label]
                along = (basis @ (more * (x[:, None] @ basis)[:, 0])[..., None])[..., 0]
            else:  # class by class, since one basis per image would fill the memory
                order, sizes = label.argsort(), label.bincount(minlength=len(self.basis)).tolist()
                pieces = zip(x[order].split(sizes), more[order].split(sizes), self.basis)
                along = torch.cat([(piece @ V * g) @ V.T for piece, g, V in pieces])[order.argsort()]
        return elsewhere * x + along


def check_labels(label: Tensor, count: int) -> None:
    """Raise `ValueError` unless `label` holds `count` classes: whole numbers 0 to 9, or 10 for any digit."""
    check_tensors(label=label)
    whole = label.dtype in (torch.int64, torch.int32)  # smaller ones cannot be an index; label.long() can
    if label.shape != (count,) or not whole or not holds((label >= 0) & (label <= NO_CLASS)):
        raise ValueError(
            f"label needs whole numbers 0 to 9, or 10 for any digit, torch.int64 of shape ({count},), "
            f"but is {label.dtype} of shape {tuple(label.shape)}: {label.tolist()}"
        )
