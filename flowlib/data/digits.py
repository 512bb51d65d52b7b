"""MNIST digits at 16×16 as tensors: `load_digits` and the `Digits` that it returns."""

import operator
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from flowlib.data.full import load_full
from flowlib.types import check_tensors, hint_at_scale

BUNDLE = Path(__file__).with_name("mnist_16x16.npz")
SOURCES = ("bundled", "full")
SPLITS = ("train", "test")
PIXEL_SLACK = 1e-3  # how far a pixel may lie outside [-1, 1]


@dataclass(frozen=True, eq=False, repr=False)
class Digits:
    """Digits and what they show; `len(digits)` of them, `digits.only(3, 8)` picks classes.

    images: float32 (n, 1, 16, 16) in [-1, 1], ink +1, paper -1. Warns where they seem to be in [0, 1], or
        the paper to be +1.
    labels: int64 (n,), 0 to 9, or 10 for a digit whose class is not given.
    `digits[i]` is one image and its label, so that PyTorch's `DataLoader` makes batches of both.
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self) -> None:
        """Raise `ValueError` for shapes that don't belong together, and for other pixels or labels."""
        check_tensors(images=self.images, labels=self.labels)
        shape = (len(self.labels), 1, 16, 16)
        if tuple(self.images.shape) != shape or self.labels.ndim != 1:
            raise ValueError(
                f"Digits needs images of shape (n, 1, 16, 16) and labels of shape (n,), but got "
                f"{tuple(self.images.shape)} and {tuple(self.labels.shape)}; for flat images pass "
                "images.reshape(-1, 1, 16, 16)"
            )

        if not self.images.is_floating_point() or self.labels.dtype != torch.int64:
            raise ValueError(
                f"Digits needs float images and int64 labels, but got {self.images.dtype} and "
                f"{self.labels.dtype}; write images.float() / 127.5 - 1 and labels.long()"
            )

        for name, values, low, high in (("images", self.images, -1, 1), ("labels", self.labels, 0, 10)):
            least, most = values.aminmax() if len(values) else (low, high)
            inside = least >= low - PIXEL_SLACK and most <= high + PIXEL_SLACK  # so that NaN lies outside
            if not inside:
                raise ValueError(
                    f"Digits needs {name} between {low} and {high}, but they span [{least:.7g}, {most:.7g}]"
                )

        hint_at_scale(self.images, stacklevel=4)

    def __len__(self) -> int:
        """How many."""
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """One image `(1, 16, 16)` and its label `()`; a negative index counts from the end."""
        index = operator.index(index)
        return self.images[index], self.labels[index]

    def __repr__(self) -> str:
        """How many and of which classes, not all their pixels."""
        return f"Digits({len(self):,} images of the classes {_listed(self._classes())})"

    def _classes(self) -> list[int]:
        return self.labels.unique().tolist()

    def only(self, *classes: int) -> "Digits":
        """The digits of these classes, in their order here: `digits.only(3)`, `digits.only(3, 4, 8)`.

        Raises `ValueError` when no class is given, or one that does not occur.
        """
        present = self._classes()
        if not classes or any(c not in present for c in classes):
            raise ValueError(
                f"only() needs one or more of the classes {_listed(present)}, "
                f"but got {_listed(classes) or 'none'}; for the threes and eights type digits.only(3, 8)"
            )
        chosen = torch.isin(self.labels, torch.tensor([int(c) for c in classes], device=self.labels.device))
        return Digits(self.images[chosen], self.labels[chosen])


def load_digits(
    source: str = "bundled", split: str = "train", folder: str | os.PathLike | None = None
) -> Digits:
    """MNIST digits at 16×16: the 5,000 that come with flowlib (no network), or all 60,000 + 10,000.

    source: "bundled", 500 training digits of each class, labels running 0, 1, ..., 9, 0, 1, ...;
        or "full", in MNIST's own order.
    split: "train", or for the full set also "test".
    folder: for the full set, where MNIST's four .gz files lie. Without it the variable FLOWLIB_MNIST_DIR is
        asked, then flowlib's cache; then the files are downloaded, checked and kept in the cache
        (in the folder FLOWLIB_CACHE_DIR, else in the user's cache folder).

    Raises `ValueError` for another choice; for the full set also `FileNotFoundError` or `ValueError` for a
    folder whose files are missing or not MNIST's, and `ConnectionError` where they can't be downloaded.
    Source: LeCun, Cortes and Burges, the MNIST database; see PROVENANCE.md beside this file.
    """
    if source not in SOURCES:
        raise ValueError(
            f'source needs to be one of {_listed(SOURCES)}, but is {source!r}; type fl.load_digits("full")'
        )
    if split not in SPLITS:
        raise ValueError(f'split needs to be one of {_listed(SPLITS)}, but is {split!r}; type split="train"')
    if source == "full":
        return _as_tensors(*load_full(split, folder))
    if split == "test":
        raise ValueError(
            'the bundled digits have only the split "train", but "test" was asked for; '
            'the test digits are in the full set: type fl.load_digits("full", split="test")'
        )
    if folder is not None:
        raise ValueError(
            "folder belongs to the full set, but source is 'bundled'; "
            f'type fl.load_digits("full", folder={str(folder)!r})'
        )
    with np.load(BUNDLE) as bundle:
        return _as_tensors(bundle["images"], bundle["labels"])


def _as_tensors(images: np.ndarray, labels: np.ndarray) -> Digits:
    """uint8 (n, 16, 16), 0 to 255, and uint8 (n,) -> Digits."""
    pixels = torch.from_numpy(images).to(torch.float32).div_(127.5).sub_(1)  # 0 -> -1, 255 -> +1
    return Digits(pixels.unsqueeze(1), torch.from_numpy(labels).to(torch.int64))


def _listed(items: Iterable[object]) -> str:
    return ", ".join(repr(item) for item in items)
