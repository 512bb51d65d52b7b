"""The one way from 28×28 to 16×16, used for the bundled digits and for the full set alike."""

import numpy as np

# 28 / 16 = 7 / 4: along an axis, four output pixels lie over seven input pixels, each over 7/4 of one.
# Row i: how many quarters of each of the seven lie under output pixel i.
QUARTERS = np.array(
    [
        [4, 3, 0, 0, 0, 0, 0],
        [0, 1, 4, 2, 0, 0, 0],
        [0, 0, 0, 2, 4, 1, 0],
        [0, 0, 0, 0, 0, 3, 4],
    ],
    dtype=np.uint16,
)


def area_average(images: np.ndarray) -> np.ndarray:
    """Resize 28×28 to 16×16: each new pixel is the mean over the area that it covers, rounded.

    out[y, x] = round(sum_ij Q[y, i] Q[x, j] in[i, j] / 49), Q in quarters of a pixel, rows summing to 7.
    All in integers (a sum is at most 49 * 255 = 12,495; as 49 is odd, nothing lies halfway between two),
    hence the same to the bit on every machine.

    images: uint8 `(n, 28, 28)`, 0 to 255. Returns uint8 `(n, 16, 16)`, 0 to 255.
    Raises `ValueError` for another shape or dtype.
    """
    images = np.asarray(images)
    if images.ndim != 3 or images.shape[1:] != (28, 28) or images.dtype != np.uint8:
        raise ValueError(
            f"area_average needs uint8 images of shape (n, 28, 28), but got {images.dtype} of shape "
            f"{images.shape}; for a single image pass image[None]"
        )
    n = len(images)
    rows = images.reshape(n, 4, 7, 28)
    rows = np.einsum("yi,nbix->nbyx", QUARTERS, rows, dtype=np.uint16)  # (n, 4, 4, 28): 4 blocks of 4 rows
    both = rows.reshape(n, 16, 4, 7)
    both = np.einsum("xj,nybj->nybx", QUARTERS, both, dtype=np.uint16)  # (n, 16, 4, 4): 4 blocks of 4 columns
    return ((both.reshape(n, 16, 16) + 24) // 49).astype(np.uint8)
