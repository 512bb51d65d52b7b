"""A small network for points on a line or in the plane, and the loop that fits any model to any loss."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from flowlib.types import Batch, Times, check_count, check_finite, check_floats, per_point


class VelocityMLP(nn.Module):
    """v(x, t) for points `(batch, dim)`: x and t go in side by side, through two hidden layers of `width`.

    `seed` fixes the weights to begin with; the reader's own random numbers stay untouched. Raises
    `ValueError` for a `dim` or a `width` below 1, and for a seed that is no whole number.
    """

    def __init__(self, dim: int = 2, width: int = 64, seed: int = 0):
        super().__init__()
        dim, width = check_count("dim", dim), check_count("width", width)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(check_count("seed", seed, 0, 2**64))
            self.layers = nn.Sequential(
                nn.Linear(dim + 1, width),
                nn.SiLU(),
                nn.Linear(width, width),
                nn.SiLU(),
                nn.Linear(width, dim),
            )

    def forward(self, x: Batch, t: Times) -> Batch:
        """The velocity at x `(batch, dim)`, in the dtype of the weights, and t `(batch,)`.

        Raises `ValueError` for other shapes, another dtype, and numbers that are not finite.
        """
        check_floats(x=x)
        dim, dtype = self.layers[-1].out_features, self.layers[-1].weight.dtype
        if x.ndim != 2 or x.shape[1] != dim:
            raise ValueError(f"x needs the shape (batch, {dim}), but has {tuple(x.shape)}")
        if x.dtype != dtype:
            raise ValueError(f"x needs the dtype of the weights, {dtype}, but is {x.dtype}")
        rows = torch.cat([x, per_point(t, x)], dim=1)
        check_finite(**{"x and t": rows})
        return self.layers(rows)


@torch.inference_mode(False)  # with gradients, whatever the caller has switched off
def fit(model: nn.Module, loss: Callable[[], Tensor], steps: int, learning_rate: float = 1e-2) -> list[float]:
    """Move the parameters of `model` downhill on `loss()`, `steps` times; returns the loss at every step.

    `loss` takes nothing and returns a scalar: it draws its own batch, anew at each call. The optimiser is
    Adam, and its learning rate falls in a straight line to zero. Raises `ValueError` for fewer than one
    step, a learning rate that is not above 0, and a loss that is not a scalar tensor or knows nothing of the
    model; `RuntimeError` where the loss is no longer finite.
    """
    steps = check_count("steps", steps)
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate needs a number above 0, but is {learning_rate}")
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    for step in range(steps):
        value = loss()
        if not isinstance(value, Tensor) or value.ndim:
            came = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(f"loss() needs to return a scalar tensor, but gave {came}; try .mean()")
        if not value.requires_grad:
            raise ValueError("loss() needs to depend on the parameters of the model, but has no gradient")
        if not value.isfinite():
            raise RuntimeError(f"the loss is {value.item()} at step {step}; try a smaller learning_rate")
        optimizer.zero_grad()
        value.backward()
        optimizer.param_groups[0]["lr"] = learning_rate * (1 - step / steps)
        optimizer.step()
        losses.append(value.item())
    return losses
