"""A reader's drawing as an image: 256 hexadecimal digits, one a pixel, 0 (paper) to f (ink)."""

import re

import torch

from flowlib.paths import AffinePath
from flowlib.types import Batch

READY_MADE = {  # 16 rows of 16 pixels, ink from 0 to f
    "a three": "0000000000000000 0000000000000000 0000004772000000 00001bffff800000 0000af724af50000 "
    "0000560001f90000 0000000004f70000 000000089fe10000 0000000effb20000 0000000117fb0000 00000000009f1000 "
    "0000950000be0000 0000cfa67cf70000 000019fffd600000 0000000320000000 0000000000000000".replace(" ", ""),
    "a house": "0000000000000000 0000000000000000 00000003c3000000 0000001cfc100000 000000af5fa00000 "
    "000008f808f80000 00005fa000af5000 0003fc10001cf300 0005f5000005f500 0005f5000005f500 0005f5000005f500 "
    "0005f5000005f500 0005f5555555f500 0005fffffffff500 0000555555555000 0000000000000000".replace(" ", ""),
}


def image_of(drawing: str) -> Batch:
    """The drawing of a canvas as an image `(1, 1, 16, 16)` in [-1, 1].

    `drawing`: 256 hexadecimal digits, one a pixel, row by row, 0 (paper) to f (ink). Raises `ValueError`
    for anything else.
    """
    if not isinstance(drawing, str) or not re.fullmatch("[0-9a-f]{256}", drawing):
        raise ValueError(
            f"a drawing needs 256 hexadecimal digits, 0 to f, but is {str(drawing)[:20]!r}…, "
            f"of length {len(str(drawing))}; try drawings.READY_MADE['a three']"
        )
    ink = torch.tensor([int(digit, 16) for digit in drawing]) / 15
    return (2 * ink - 1).view(1, 1, 16, 16)


def noised(image: Batch, seed: int, t: float, path: AffinePath) -> Batch:
    """x_t = α_t image + σ_t noise, with the noise of `seed`."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed)).to(image)
    return path.sample(noise, image, torch.tensor([t]).to(image))[0]
