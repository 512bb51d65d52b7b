"""Muon: for a weight that is a matrix, a step whose singular values are all about the same."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = 3.4445, -4.7750, 2.0315
ROUNDS = 5


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U Vᵀ for the matrix U diag(s) Vᵀ, `(rows, columns)`: its singular values become 0.7 to 1.2.

    Divided by its Frobenius norm, a matrix has singular values in [0, 1]. Each round sends every s to
    a s + b s³ + c s⁵ and leaves U and V as they are. (a, b, c) lift small values fast; they never settle at
    exactly 1, which does no harm. Values below about a thousandth of the norm stay smaller.
    Source: Jordan 2024, "Muon: an optimizer for hidden layers in neural networks".
    """
    a, b, c = QUINTIC
    x = matrix.T if len(matrix) > matrix.shape[1] else matrix  # the Gram matrix is then the smaller one
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if len(matrix) > matrix.shape[1] else x


class Muon(torch.optim.Optimizer):
    """Descent along the orthogonalised momentum, scaled so that a weight moves by 0.2 `lr` at a time.

    A convolution's weight counts as the matrix `(channels out, channels in · height · width)`. With the
    scale 0.2 √max(rows, columns), the root mean square of a step is what AdamW's tends to be, so one
    learning rate serves both. Source: Liu et al. 2025, arXiv:2502.16982, section 2.2.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, momentum: float = 0.95):
        super().__init__(weights, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["speed"] = torch.zeros_like(weight)
                speed = state["speed"].mul_(group["momentum"]).add_(weight.grad)
                ahead = weight.grad + group["momentum"] * speed  # Nesterov: where the momentum will point
                direction = orthogonalised(ahead.flatten(1))
                size = 0.2 * max(direction.shape) ** 0.5
                weight.sub_(group["lr"] * size * direction.view_as(weight))
