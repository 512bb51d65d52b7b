"""The velocity network for 16×16 images: a Gaussian field, and a small network for what it misses."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flowlib.gaussians import NO_CLASS, ClassGaussians, check_labels
from flowlib.paths import AffinePath, LinearPath
from flowlib.solvers import Trajectory, solve_ode, time_grid
from flowlib.types import Batch, Times, check_floats, check_tensors, per_point


class VelocityNet(nn.Module):
    """v(x, t, label) = the field of Gaussian classes + what a network adds to it.

    The network sees x and where the Gaussian field would take it. It works on 2×2 blocks of pixels, an
    8×8 grid of places with `fine` channels each, and on a 4×4 grid with `coarse` ones; time and label reach
    every block through a vector of `context` numbers. Channels come last, so that most layers are products
    of matrices. The last layer starts at zero, so an untrained model is the Gaussian field: of N(0, I), or
    of what `model.gaussians.fit(digits)` was given.
    """

    def __init__(self, path: AffinePath = LinearPath(), fine: int = 48, coarse: int = 96, context: int = 128):
        super().__init__()
        self.path, self.config = path, {"fine": fine, "coarse": coarse, "context": context}
        self.gaussians = ClassGaussians(path)
        self.register_buffer("frequencies", torch.logspace(0, 2, 16))
        self.time = nn.Sequential(nn.Linear(32, context), nn.SiLU(), nn.Linear(context, context))
        self.label = nn.Embedding(NO_CLASS + 1, context)
        self.enter = Neighbours(8, fine, 3, padding=1)
        self.before = Block(fine, context)
        self.down = nn.Linear(4 * fine, coarse)
        self.middle = nn.ModuleList([Block(coarse, context), Block(coarse, context)])
        self.up = nn.Linear(coarse, 4 * fine)
        self.after = Block(fine, context)
        self.norm = nn.LayerNorm(fine, elementwise_affine=False)
        self.leave = _zero(Neighbours(fine, 4, 3, padding=1))
        self.to(memory_format=torch.channels_last)

    def forward(self, x: Batch, t: Times, label: Tensor | None = None) -> Batch:
        """The velocity at x `(batch, 1, 16, 16)` and t `(batch,)` for classes `label` `(batch,)`, 0 to 9.

        10, or no label at all, means any digit. Raises `ValueError` for other shapes and labels.
        """
        check_floats(x=x)
        if x.ndim != 4 or x.shape[1:] != (1, 16, 16) or not len(x):
            raise ValueError(
                f"x needs the shape (batch, 1, 16, 16), but has {tuple(x.shape)}; try x.view(-1, 1, 16, 16)"
            )
        label = torch.full((len(x),), NO_CLASS, device=x.device) if label is None else label
        check_tensors(label=label)
        t, label = per_point(t, x).flatten(), label.to(x.device)
        with torch.autocast(x.device.type, enabled=False):  # in bfloat16 its variances would be lost
            u = self.gaussians(x, t, label)  # it also refuses what is no class
        waves = t[:, None] * self.frequencies
        context = F.silu(self.time(torch.cat([waves.sin(), waves.cos()], dim=1)) + self.label(label))

        guess = self.path.endpoint(x, u, t)
        h = _fold(torch.cat([x, guess], dim=1).permute(0, 2, 3, 1))  # (batch, 8, 8, 8)
        h = self.before(self.enter(h), context)
        g = self.down(_fold(h))  # (batch, 4, 4, coarse)
        for block in self.middle:
            g = block(g, context)
        h = self.after(h + _unfold(self.up(g)), context)
        return u + _unfold(self.leave(F.silu(self.norm(h)))).permute(0, 3, 1, 2)


class Neighbours(nn.Conv2d):
    """A convolution over images whose channels come last, `(batch, height, width, channels)`."""

    def forward(self, x: Tensor) -> Tensor:
        """Like `nn.Conv2d`, with the channels last in what comes and in what is returned."""
        return super().forward(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class Block(nn.Module):
    """Look at the 3×3 neighbourhood in each channel, then mix the channels; begins as the identity.

    Source: the block of Liu et al. 2022, arXiv:2201.03545, with scale and shift from the context as in
    Perez et al. 2017, arXiv:1709.07871.
    """

    def __init__(self, channels: int, context: int):
        super().__init__()
        self.look = Neighbours(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.film = _zero(nn.Linear(context, 2 * channels))
        self.widen = nn.Linear(channels, 2 * channels)
        self.narrow = _zero(nn.Linear(2 * channels, channels))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """`x`: `(batch, height, width, channels)`; `context`: `(batch, context)`; the result is like x."""
        scale, shift = self.film(context)[:, None, None].chunk(2, dim=-1)
        h = torch.addcmul(shift, self.norm(self.look(x)), 1 + scale)
        return x + self.narrow(F.silu(self.widen(h)))


def _fold(x: Tensor) -> Tensor:
    """Each 2×2 block of places as one place, `(batch, height / 2, width / 2, 4 · channels)`."""
    batch, height, width, channels = x.shape
    blocks = x.reshape(batch, height // 2, 2, width // 2, 2, channels).transpose(2, 3)
    return blocks.reshape(batch, height // 2, width // 2, 4 * channels)


def _unfold(x: Tensor) -> Tensor:
    """The opposite of `_fold`, `(batch, 2 · height, 2 · width, channels / 4)`."""
    batch, height, width, channels = x.shape
    places = x.view(batch, height, width, 2, 2, channels // 4).transpose(2, 3)
    return places.reshape(batch, 2 * height, 2 * width, channels // 4)


def _zero(layer: nn.Module) -> nn.Module:
    """The layer, with all its weights at zero."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


@torch.no_grad()
def generate(
    model: nn.Module,
    label: Tensor,
    steps: int = 25,
    method: str = "euler",
    seed: int = 0,
    power: float = 1.0,
) -> Trajectory:
    """New images of the classes `label` `(batch,)`, 0 to 9 or 10 for any, from the noise of `seed`.

    `steps` and `power` make the grid, as in `time_grid`. Returns the whole `Trajectory`; its `end` is the
    images, `(batch, 1, 16, 16)`, the same on every run; on another number of threads, up to 1e-5. Raises
    `ValueError` for labels that are no class.
    """
    check_tensors(label=label)
    check_labels(label, max(1, label.numel()))
    device = next(model.parameters()).device
    x_0 = torch.randn(len(label), 1, 16, 16, generator=torch.Generator().manual_seed(seed)).to(device)
    field = partial(model, label=label.to(device, torch.int64))
    return solve_ode(field, x_0, time_grid(steps, power=power), method)
