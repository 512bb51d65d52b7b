"""The velocity network for 16×16 images: a Gaussian field, and a small network for what it misses."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flowlib.gaussians import NO_CLASS, ClassGaussians, check_labels
from flowlib.interrupts import defer_interrupt
from flowlib.paths import AffinePath, LinearPath
from flowlib.solvers import Trajectory, solve_ode, time_grid
from flowlib.types import Batch, Times, check_count, check_floats, check_tensors


class VelocityNet(nn.Module):
    """v(x, t, label) = the field of Gaussian classes + what a network adds to it.

    A U-Net of two levels sees x and where the Gaussian field would take it: `fine` channels on the 8×8 grid
    of 2×2 pixel blocks, `coarse` ones on a 4×4 grid, and a skip connection; time and label reach every block
    as a vector of `context` numbers. The last layer starts at zero, so an untrained model is the Gaussian
    field: of N(0, I), or of what `model.gaussians.fit(digits)` was given.
    Source: the shape is that of Ronneberger et al. 2015, arXiv:1505.04597.
    """

    def __init__(self, path: AffinePath = LinearPath(), fine: int = 48, coarse: int = 96, context: int = 128):
        super().__init__()
        self.path, self.config = path, {"fine": fine, "coarse": coarse, "context": context}
        self.gaussians = ClassGaussians(path)
        self.embedding = TimeLabelEmbedding(context, NO_CLASS + 1)
        self.conv_in = nn.Conv2d(8, fine, 3, padding=1)
        self.down_block = Block(fine, context)
        self.down = nn.Sequential(nn.PixelUnshuffle(2), Conv1x1(4 * fine, coarse))
        self.middle = nn.ModuleList([Block(coarse, context), Block(coarse, context)])
        self.up = nn.Sequential(Conv1x1(coarse, 4 * fine), nn.PixelShuffle(2))
        self.up_block = Block(fine, context)
        self.norm = LayerNorm2d(fine, elementwise_affine=False)
        self.conv_out = zero(nn.Conv2d(fine, 4, 3, padding=1))

    def forward(self, x: Batch, t: Times, label: Tensor | None = None) -> Batch:
        """The velocity at x `(batch, 1, 16, 16)` and t `(batch,)` for classes `label` `(batch,)`, 0 to 9.

        10, or no label at all, means any digit. Raises `ValueError` for other shapes and labels, times
        outside [0, 1], and numbers that are not finite.
        """
        label = _checked_label(x, label)
        u = self.gaussians(x, t, label)
        guess = self.path.endpoint(x, u, t)
        context = self.embedding(t, label)

        h = F.pixel_unshuffle(torch.cat([x, guess], dim=1), 2)  # (batch, 8, 8, 8)
        h = h.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)  # channels last, the fastest on a CPU
        h = self.conv_in(h)
        h = skip = self.down_block(h, context)  # (batch, fine, 8, 8)
        h = self.down(h)  # (batch, coarse, 4, 4)
        for block in self.middle:
            h = block(h, context)
        h = self.up_block(skip + self.up(h), context)  # (batch, fine, 8, 8)
        h = self.conv_out(F.silu(self.norm(h)))
        return u + F.pixel_shuffle(h, 2)


class Block(nn.Module):
    """A 3×3 convolution of each channel, then two layers that mix the channels; begins as the identity.

    Source: the block of Liu et al. 2022, arXiv:2201.03545, with scale and shift from the context as in
    Perez et al. 2017, arXiv:1709.07871.
    """

    def __init__(self, channels: int, context: int):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = LayerNorm2d(channels, elementwise_affine=False)
        self.film = zero(nn.Linear(context, 2 * channels))
        self.expand = Conv1x1(channels, 2 * channels)
        self.project = zero(Conv1x1(2 * channels, channels))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """`x`: `(batch, channels, height, width)`; `context`: `(batch, context)`; the result is like x."""
        scale, shift = self.film(context)[:, :, None, None].chunk(2, dim=1)
        h = self.norm(self.depthwise(x)) * (1 + scale) + shift
        return x + self.project(F.silu(self.expand(h)))


class TimeLabelEmbedding(nn.Module):
    """Time and label as one vector: sines and cosines of t through two layers, plus a vector per label."""

    frequencies: Tensor

    def __init__(self, size: int, labels: int):
        super().__init__()
        self.register_buffer("frequencies", torch.logspace(0, 2, 16))
        self.time_embedding = nn.Sequential(nn.Linear(32, size), nn.SiLU(), nn.Linear(size, size))
        self.label_embedding = nn.Embedding(labels, size)

    def forward(self, t: Times, label: Tensor) -> Tensor:
        """`(batch,)` and `(batch,)` to `(batch, size)`."""
        angles = t.to(self.frequencies)[:, None] * self.frequencies
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        return F.silu(self.time_embedding(waves) + self.label_embedding(label))


class Conv1x1(nn.Linear):
    """A 1×1 convolution as a product of matrices, `(batch, channels, height, width)`: faster on a CPU."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels at each place of `(batch, channels, height, width)`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def zero(layer: nn.Module) -> nn.Module:
    """The layer with all its weights at zero, so that what it adds to begins as it is."""
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    return layer


def _checked_label(x: Batch, label: Tensor | None) -> Tensor:
    """The label, or "any digit" for all, where x is; what the Gaussians do not check, is checked here."""
    check_floats(x=x)
    if x.ndim != 4 or x.shape[1:] != (1, 16, 16) or not len(x):
        raise ValueError(
            f"x needs the shape (batch, 1, 16, 16), but has {tuple(x.shape)}; try x.view(-1, 1, 16, 16)"
        )
    if label is None:
        return torch.full((len(x),), NO_CLASS, device=x.device)
    check_tensors(label=label)
    return label.to(x.device)


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
    images, `(batch, 1, 16, 16)`, the same on every run; on another number of threads, up to 1e-5. It records
    no gradients: for those, call `solve_ode`. Raises `ValueError` for other labels, a seed that is no whole
    number, and as `time_grid` and `solve_ode` do.
    """
    check_tensors(label=label)
    check_labels(label, max(1, label.numel()))
    weight, seed = next(model.parameters()), check_count("seed", seed, 0, 2**64)
    generator = torch.Generator().manual_seed(seed)
    x_0 = torch.randn(len(label), 1, 16, 16, generator=generator, dtype=torch.float32).to(weight)
    label = label.to(weight.device, torch.int64)

    def field(x: Batch, t: Times) -> Batch:
        with defer_interrupt(), torch.no_grad():  # Ctrl-C just where no_grad ends would leave it on for good
            return model(x, t, label=label)

    return solve_ode(field, x_0, time_grid(steps, power=power), method)
