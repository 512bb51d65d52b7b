"""The networks that flowlib's is measured against: (x, t, label) -> velocity, without a head start.

x is `(batch, 1, 16, 16)`, t and label are `(batch,)`, a label is 0 to 9. Each is a small member of a
well-known family, and every one but torchcfm's takes time and class, embedded as flowlib does it, as scale
and shift after its norms (Perez et al. 2017, arXiv:1709.07871).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from flowlib.models import TimeLabelEmbedding, zero

CONTEXT, LABELS = 128, 10  # numbers that say which time and which class; classes


class ConvNet(nn.Module):
    """Two levels: 48 channels on the 8×8 grid of 2×2 pixel blocks, 96 on a 4×4 grid, and a skip."""

    def __init__(self, fine: int = 48, coarse: int = 96):
        super().__init__()
        self.embedding = TimeLabelEmbedding(CONTEXT, LABELS)
        self.conv_in = nn.Conv2d(4, fine, 3, padding=1)
        self.down_block = ConvBlock(fine)
        self.down = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.middle = nn.ModuleList([ConvBlock(coarse), ConvBlock(coarse)])
        self.up = nn.ConvTranspose2d(coarse, fine, 2, stride=2)
        self.up_block = ConvBlock(fine)
        self.norm = nn.GroupNorm(8, fine)
        self.conv_out = zero(nn.Conv2d(fine, 4, 3, padding=1))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        """The velocity, like x."""
        context = self.embedding(t, label)
        h = self.conv_in(F.pixel_unshuffle(x, 2))
        h = skip = self.down_block(h, context)  # (batch, fine, 8, 8)
        h = self.down(h)  # (batch, coarse, 4, 4)
        for block in self.middle:
            h = block(h, context)
        h = self.up_block(skip + self.up(h), context)  # (batch, fine, 8, 8)
        h = self.conv_out(F.silu(self.norm(h)))
        return F.pixel_shuffle(h, 2)


class ConvBlock(nn.Module):
    """x + two 3×3 convolutions of it, each after GroupNorm and SiLU (He et al. 2016, arXiv:1603.05027)."""

    def __init__(self, channels: int):
        super().__init__()
        self.first_norm, self.second_norm = nn.GroupNorm(8, channels), nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = zero(nn.Conv2d(channels, channels, 3, padding=1))
        self.film = zero(nn.Linear(CONTEXT, 2 * channels))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """`(batch, channels, height, width)`, like x."""
        scale, shift = self.film(context)[:, :, None, None].chunk(2, dim=1)
        h = self.first(F.silu(self.first_norm(x)))
        return x + self.second(F.silu(self.second_norm(h) * (1 + scale) + shift))


class ResidualMLP(nn.Module):
    """The image as a vector of 256 numbers, through four residual blocks of `width`."""

    def __init__(self, width: int = 512, depth: int = 4):
        super().__init__()
        self.embedding = TimeLabelEmbedding(CONTEXT, LABELS)
        self.linear_in = nn.Linear(256, width)
        self.blocks = nn.ModuleList([MLPBlock(width) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.linear_out = zero(nn.Linear(width, 256))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        """The velocity, like x."""
        context = self.embedding(t, label)
        h = self.linear_in(x.flatten(1))
        for block in self.blocks:
            h = block(h, context)
        return self.linear_out(self.norm(h)).view_as(x)


class MLPBlock(nn.Module):
    """x + two layers of it, the first after LayerNorm, scale and shift."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.film = zero(nn.Linear(CONTEXT, 2 * width))
        self.first, self.second = nn.Linear(width, width), zero(nn.Linear(width, width))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """`(batch, width)`, like x."""
        scale, shift = self.film(context).chunk(2, dim=1)
        return x + self.second(F.silu(self.first(self.norm(x) * (1 + scale) + shift)))


class Transformer(nn.Module):
    """16 patches of 4×4 pixels that attend to each other, as in Peebles & Xie 2022, arXiv:2212.09748."""

    def __init__(self, width: int = 128, depth: int = 4, heads: int = 4):
        super().__init__()
        self.embedding = TimeLabelEmbedding(CONTEXT, LABELS)
        self.linear_in = nn.Linear(16, width)
        self.position_embedding = nn.Parameter(0.02 * torch.randn(16, width))
        self.blocks = nn.ModuleList([TransformerBlock(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.linear_out = zero(nn.Linear(width, 16))

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        """The velocity, like x."""
        context = self.embedding(t, label)
        patches = F.pixel_unshuffle(x, 4).flatten(2).mT  # (batch, 16 patches, 16 pixels)
        h = self.linear_in(patches) + self.position_embedding
        for block in self.blocks:
            h = block(h, context)
        return F.pixel_shuffle(self.linear_out(self.norm(h)).mT.unflatten(2, (4, 4)), 4)


class TransformerBlock(nn.Module):
    """Attention, then two layers for each patch; both are scaled, shifted and gated by the context."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.film = zero(nn.Linear(CONTEXT, 6 * width))
        self.query_key_value, self.attention_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.project = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """`(batch, patches, width)`, like x."""
        scale_1, shift_1, gate_1, scale_2, shift_2, gate_2 = self.film(context)[:, None].chunk(6, dim=2)
        parts = self.query_key_value(self.norm(x) * (1 + scale_1) + shift_1).chunk(3, dim=2)
        query, key, value = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in parts)
        attention = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = x + gate_1 * self.attention_out(attention)
        h = self.expand(self.norm(x) * (1 + scale_2) + shift_2)
        return x + gate_2 * self.project(F.gelu(h))


class TorchCFMUNet(nn.Module):
    """The U-Net of the package torchcfm: 32 channels, 1 block a level, multipliers 1, 2, 2, else as it comes.

    Raises `ImportError` where the package is missing.
    """

    def __init__(self):
        from torchcfm.models.unet import UNetModel

        super().__init__()
        self.net = UNetModel((1, 16, 16), 32, 1, channel_mult=(1, 2, 2), class_cond=True, num_classes=10)

    def forward(self, x: Tensor, t: Tensor, label: Tensor) -> Tensor:
        """The velocity, like x."""
        return self.net(t, x, y=label)
