"""The shapes that every module speaks: aliases, and the rules for points, times, velocities and counts.

| name    | shape                        | meaning                                        |
|---------|------------------------------|------------------------------------------------|
| `Batch` | `(batch, *dim)`              | points: images are `(batch, 1, 16, 16)`        |
| `Times` | `(batch,)`                   | one time per point, 0 = noise, 1 = data        |
| `Grid`  | `(time,)`                    | the times that a solver steps through          |
| `Field` | `(Batch, Times) -> Batch`    | a velocity for every point at its time         |
"""

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch

Batch = Tensor
Times = Tensor
Grid = Tensor
Field = Callable[[Batch, Times], Batch]

_assume_valid = ContextVar("assume_valid", default=False)


def per_point(values: Times, x: Batch) -> Tensor:
    """Reshape one number per point, `(batch,)`, so that it multiplies `x`, `(batch, *dim)`, in its dtype.

    Raises `ValueError` where `values` does not hold one number per point of `x`, or one of them holds
    no floats. It does not look at them: that is for its callers, once each.
    """
    check_floats(t=values)
    check_floats(x=x)
    if values.shape != x.shape[:1]:
        raise ValueError(
            f"t needs one time per sample, shape ({x.shape[0] if x.ndim else '?'},), "
            f"but has shape {tuple(values.shape)}; for one shared time pass t.expand(len(x))"
        )
    return values.to(x).view(-1, *[1] * (x.ndim - 1))


def evaluate(field: Field, x: Batch, t: Times) -> Batch:
    """The velocity field(x, t), `(batch, *dim)`.

    Raises `ValueError` where `x` holds no floats, and where the field returns anything but floats of the
    shape of `x`, which would otherwise broadcast into a wrong result without a word.
    """
    check_floats(x=x)
    velocity = field(x, t)
    if not isinstance(velocity, Tensor) or velocity.shape != x.shape:
        came = f"shape {tuple(velocity.shape)}" if isinstance(velocity, Tensor) else type(velocity).__name__
        raise ValueError(f"a field maps x to a velocity of the same shape, {tuple(x.shape)}, but gave {came}")
    check_floats(x=x, velocity=velocity)
    return velocity


def check_tensors(**tensors: Any) -> None:
    """Raise `ValueError` unless each is a tensor that holds numbers, and all lie on one device."""
    (first, x_first), *_ = tensors.items()
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} needs a tensor, but is {x!r:.60}; write torch.tensor(...)")
        if x.device != x_first.device:
            raise ValueError(
                f"{name} and {first} need one device, but are on {x.device} and {x_first.device}; "
                f"write {name}.to({first}.device)"
            )
        if x.is_meta:
            raise ValueError(f"{name} lies on the device meta, which holds no numbers; make it on another")


def check_floats(**tensors: Any) -> None:
    """As `check_tensors`, and each must hold floats."""
    check_tensors(**tensors)
    for name, x in tensors.items():
        if not x.is_floating_point():
            raise ValueError(f"{name} needs floats, but is {x.dtype}; convert with {name}.float()")


def check_finite(**tensors: Any) -> None:
    """As `check_floats`, and all numbers must be finite, since one NaN soon spreads to all others."""
    check_floats(**tensors)
    if _assume_valid.get():
        return
    for name, x in tensors.items():
        if not holds(x.isfinite()):
            raise ValueError(f"{name} must be finite, but holds {x[~x.isfinite()][0].item()}")


def check_grid(ts: Any) -> Grid:
    """The times in float64; `ValueError` unless they are at least two and rise or fall throughout."""
    ts = torch.as_tensor(ts, dtype=torch.float64)
    check_tensors(ts=ts)
    gaps = ts.diff() if ts.ndim == 1 else ts.new_empty(0)
    if not len(gaps) or not gaps.isfinite().all() or not ((gaps > 0).all() or (gaps < 0).all()):
        raise ValueError(
            "ts needs at least two finite times, shape (time,), that rise or fall throughout, but has shape "
            f"{tuple(ts.shape)}: {ts.tolist()!s:.60}; try fl.time_grid(25)"
        )
    return ts


def check_count(name: str, number: Any, least: int = 1, below: float = math.inf) -> int:
    """The `number` as an `int`; `ValueError` unless it is whole, at least `least` and below `below`."""
    try:
        whole = below > int(number) == number >= least
    except (TypeError, ValueError, OverflowError, RuntimeError):  # None, NaN, infinity, many numbers
        whole = False
    if not whole:
        limit = f" and below {below}" if below < math.inf else ""
        raise ValueError(f"{name} needs a whole number, at least {least}{limit}, but {name} is {number!r}")
    return int(number)


def hint_at_scale(images: Batch, stacklevel: int = 3) -> None:
    """Warn where images seem to be in [0, 1], or inverted: of a digit, the mean pixel is -0.94 to -0.38."""
    no_paper = images.any() and images.min() >= 0  # all grey means no scale
    if no_paper or images.mean() > 0.2:
        seen, remedy = ("lie in [0, 1]", "2 * images - 1") if no_paper else ("are mostly ink", "-images")
        warnings.warn(
            f"these images {seen}, where digits are mostly paper, -1, with ink up to +1; if that is "
            f"not meant, write {remedy}",
            stacklevel=stacklevel,
        )


def holds(condition: Tensor) -> bool:
    """Whether a condition holds everywhere; it passes where its values are hidden, or assumed to be valid."""
    return _assume_valid.get() or is_hidden(condition) or bool(condition.all())


@contextmanager
def assume_valid() -> Iterator[None]:
    """Look at no values in a block, only at shapes and dtypes; for a caller that looks at the outcome.

    On a GPU, each look waits for all that was started before. Like `assume_finite` of scikit-learn.
    """
    token = _assume_valid.set(True)
    try:
        yield
    finally:
        _assume_valid.reset(token)


def is_hidden(x: Tensor) -> bool:
    """Whether `torch.func.vmap` hides the values of x; torch 2.13 has no public way to ask."""
    while _functorch.is_functorch_wrapped_tensor(x):
        if _functorch.is_batchedtensor(x):
            return True
        x = _functorch.get_unwrapped(x)
    return False
