"""The velocity network for 16×16 images: a Gaussian field, and a small network for what it misses."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flowlib.gaussians import NO_CLASS, ClassGaussians, check_labels
from flowlib.paths import AffinePath, LinearPath
from flowlib.solvers import Trajectory, solve_ode, time_grid
from flowlib.types import Batch, Times, per_point


class VelocityNet(nn.Module):
    """v(x, t, label) = the field of Gaussian classes + what a network adds to it.

    The network sees x and where the Gaussian field would take it. It works on 2×2 blocks of pixels, an
    8×8 grid of `fine` channels, and on a 4×4 grid of `coarse` ones; time and label reach every block
    through a vector of `context` numbers. Its last layer starts at zero, so an untrained model is the
    Gaussian field: of N(0, I), or of what `model.gaussians.fit(digits)` was given.
    """

    def __init__(self, path: AffinePath = LinearPath(), fine: int = 48, coarse: int = 96, context: int = 128):
        super().__init__()
        self.path, self.config = path, {"fine": fine, "coarse": coarse, "context": context}
        self.gaussians = ClassGaussians(path)
        self.register_buffer("frequencies", torch.logspace(0, 2, 16))
        self.time = nn.Sequential(nn.Linear(32, context), nn.SiLU(), nn.Linear(context, context))
        self.label = nn.Embedding(NO_CLASS + 1, context)
        self.enter = nn.Conv2d(8, fine, 3, padding=1)
        self.before = Block(fine, context)
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.middle = nn.ModuleList([Block(coarse, context), Block(coarse, context)])
        self.up = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.after = Block(fine, context)
        self.norm = nn.GroupNorm(8, fine, affine=False)
        self.leave = _zero(nn.Conv2d(fine, 4, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Batch, t: Times, label: Tensor | None = None) -> Batch:
        """The velocity at x `(batch, 1, 16, 16)` and t `(batch,)` for classes `label` `(batch,)`, 0 to 9.

        10, or no label at all, means any digit. Raises `ValueError` for other shapes and labels.
        """
        if x.ndim != 4 or x.shape[1:] != (1, 16, 16):
            raise ValueError(
                f"x needs the shape (batch, 1, 16, 16), but has {tuple(x.shape)}; try x.view(-1, 1, 16, 16)"
            )
        label = torch.full((len(x),), NO_CLASS, device=x.device) if label is None else label
        t, label = per_point(t, x).flatten(), label.to(x.device)
        u = self.gaussians(x, t, label)  # it also refuses what is no class
        waves = t[:, None] * self.frequencies
        context = F.silu(self.time(torch.cat([waves.sin(), waves.cos()], dim=1)) + self.label(label))

        guess = self.path.endpoint(x, u, t)
        h = F.pixel_unshuffle(torch.cat([x, guess], dim=1), 2)  # (batch, 8, 8, 8)
        h = self.before(self.enter(h.contiguous(memory_format=torch.channels_last)), context)
        g = self.down(h)  # (batch, coarse, 4, 4)
        for block in self.middle:
            g = block(g, context)
        h = self.after(h + self.up(g), context)
        return u + F.pixel_shuffle(self.leave(F.silu(self.norm(h))), 2)


class Block(nn.Module):
    """Look at the 3×3 neighbourhood in each channel, then mix the channels; begins as the identity.

    Source: the block of Liu et al. 2022, arXiv:2201.03545, with scale and shift from the context as in
    Perez et al. 2017, arXiv:1709.07871.
    """

    def __init__(self, channels: int, context: int):
        super().__init__()
        self.look = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.GroupNorm(8, channels, affine=False)
        self.film = _zero(nn.Linear(context, 2 * channels))
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = _zero(nn.Conv2d(2 * channels, channels, 1))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """`x`: `(batch, channels, height, width)`; `context`: `(batch, context)`; the result is like x."""
        scale, shift = self.film(context)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(self.look(x)) * (1 + scale) + shift
        return x + self.narrow(F.silu(self.widen(h)))


def _zero(layer: nn.Module) -> nn.Module:
    """The layer, with all its weights at zero."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


@torch.no_grad()
def generate(
    model: nn.Module, label: Tensor, steps: int = 25, method: str = "euler", seed: int = 0
) -> Trajectory:
    """New images of the classes `label` `(batch,)`, 0 to 9 or 10 for any, from the noise of `seed`.

    Returns the whole `Trajectory`; its `end` is the images, `(batch, 1, 16, 16)`. Raises `ValueError` for
    labels that are no class.
    """
    check_labels(label, max(1, label.numel()))
    device = next(model.parameters()).device
    x_0 = torch.randn(len(label), 1, 16, 16, generator=torch.Generator().manual_seed(seed)).to(device)
    return solve_ode(partial(model, label=label.to(device, torch.int64)), x_0, time_grid(steps), method)
