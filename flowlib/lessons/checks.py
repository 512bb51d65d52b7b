"""The checks of a lesson: each prints what it measured, and raises where the claim fails."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowlib.types import check_tensors


class CheckFailed(AssertionError):
    """A claim of a lesson does not hold for the numbers it was given."""


def check_close(name: str, left: Any, right: Any, tol: float) -> None:
    """Print the largest gap max |left - right| and raise `CheckFailed` where it exceeds `tol`.

    `left` and `right` are tensors, arrays or numbers of one shape. `tol` is absolute: for an exact
    equality in float64 about 1e-10 is right, since rounding is near 1e-16 times the size of the terms.
    Raises `ValueError` for different shapes, no elements, or values that are not finite.
    """
    gap = _gap(name, left, right)
    _report(gap <= tol, f"{name}: max |left − right| = {gap:.1e} (tolerance {tol:g})")


def check_differs(name: str, left: Any, right: Any, at_least: float) -> None:
    """Print the largest gap max |left - right| and raise `CheckFailed` where it is below `at_least`.

    For statements of the form "these are not the same": the counterpart of `check_close`.
    """
    gap = _gap(name, left, right)
    _report(gap >= at_least, f"{name}: max |left − right| = {gap:.2g} (at least {at_least:g})")


def check_mean(name: str, samples: Tensor, expected: float, errors: float = 4.0) -> None:
    """Check a Monte-Carlo estimate: the mean of independent `samples` `(n,)` lies near `expected`.

    The tolerance is `errors` standard errors, std(samples) / √n. With hundreds of samples, a true
    statement misses four of them by chance about once in 16,000 runs; with few, more often.
    Raises `ValueError` for fewer than two samples, or samples that are not one number each.
    """
    samples = _finite(name, samples)
    if samples.ndim != 1 or len(samples) < 2:
        raise ValueError(
            f"{name}: samples needs at least 2 numbers, shape (n,), but has shape {tuple(samples.shape)}; "
            "check one coordinate at a time"
        )
    mean, error = samples.mean().item(), (samples.std() / len(samples) ** 0.5).item()
    distance = abs(mean - float(expected))
    off = distance / error if error else (math.inf if distance else 0.0)
    _report(
        distance <= errors * error,
        f"{name}: {mean:.4g} ± {error:.2g}, expected {float(expected):.4g} "
        f"(off by {off:.1f} standard errors, {errors:g} allowed)",
    )


def check_answer(
    name: str, answer: Any, right: Any, mistakes: dict[str, Any] | None = None, tol: float = 1e-4
) -> None:
    """Tell a reader whether `answer` is `right`, and if not, which usual mistake it looks like.

    `answer` is `...` (not attempted: said, never an error), or a number, list, array or tensor of the
    shape of `right`, where axes of length 1 do not count. `mistakes` maps a hint to the value, of any
    shape, that this mistake gives. `tol` is relative to the largest |right|, and absolute where that is 0.
    Raises `CheckFailed` for a wrong answer.
    """
    if answer is ...:
        print(f"○ {name}: not attempted yet. Replace the dots with your answer and run the cell again.")
        return
    try:
        given = _float64(answer)
    except (TypeError, ValueError, RuntimeError):
        raise CheckFailed(
            f"✗ {name}: a number or a tensor is needed, but this is a {type(answer).__name__}"
        ) from None
    right = _float64(right)
    if _near(given, right, tol):
        print(f"✓ {name}: right")
        return
    for hint, value in (mistakes or {}).items():
        if _near(given, _float64(value), tol):
            raise CheckFailed(f"✗ {name}: {hint}")
    if given.squeeze().shape != right.squeeze().shape:
        raise CheckFailed(
            f"✗ {name}: the answer needs shape {tuple(right.shape)}, but has shape {tuple(given.shape)}"
        )
    shown = f"{given.item():.6g} is not it" if given.numel() == 1 else "these numbers are not it"
    raise CheckFailed(f"✗ {name}: {shown}. The hint above the cell may help.")


def check_function(
    name: str, answer: Any, inputs: tuple[Tensor, ...], right: Tensor, mistakes: dict[str, Any]
) -> None:
    """Check a reader's function by what it returns for `inputs`, a tensor for each of its arguments.

    Where these are rows of numbers `(n,)`, a function of plain numbers will do as well.
    `...` counts as not attempted; `right` and `mistakes` hold values, as in `check_answer`. Raises
    `CheckFailed` for a wrong answer, for anything but a function, and for a function that fails; a
    `NameError` of the function as it is.
    """
    if answer is ...:
        return check_answer(name, answer, right)
    if not callable(answer):
        raise CheckFailed(f"✗ {name}: a function is needed, but this is a {type(answer).__name__}")
    try:
        value = _values(answer, inputs)
    except NameError:
        raise  # the notebook says which cell makes the name
    except Exception as error:
        shapes = ", ".join(str(tuple(values.shape)) for values in inputs)
        raise CheckFailed(
            f"✗ {name}: with inputs of the shapes {shapes} it stops: {type(error).__name__}: {error}"
        ) from error
    check_answer(name, value, right, mistakes)


def _near(given: Tensor, value: Tensor, tol: float) -> bool:
    given, value = given.squeeze(), value.squeeze()
    if given.shape != value.shape or not value.numel():
        return False
    scale = value.abs().max().item() or 1.0
    return bool(((given - value).abs() <= tol * scale).all())


def _gap(name: str, left: Any, right: Any) -> float:
    left, right = _finite(name, left), _finite(name, right)
    if left.shape != right.shape:
        raise ValueError(
            f"{name}: left and right need one shape, but have {tuple(left.shape)} and {tuple(right.shape)}"
        )
    return (left - right).abs().max().item()


def _finite(name: str, values: Any) -> Tensor:
    values = _float64(values)
    if not values.numel():
        raise ValueError(f"{name}: nothing to compare, one side has no elements")
    if not values.isfinite().all():
        bad = (~values.isfinite()).sum()
        raise ValueError(f"{name}: the values must be finite, but {bad} of {values.numel()} are not")
    return values


def _float64(values: Any) -> Tensor:
    if values is None:
        raise TypeError("a number or a tensor is needed, but this is None")
    if values.is_complex() if isinstance(values, Tensor) else np.iscomplexobj(values):
        raise TypeError(f"real numbers are needed, but these are complex: {values!r:.60}")
    if isinstance(values, Tensor):
        check_tensors(values=values)
        return values.detach().to("cpu", torch.float64)
    return torch.from_numpy(np.array(values, dtype=np.float64))


def _report(holds: bool, line: str) -> None:
    if not holds:
        raise CheckFailed(f"✗ {line}")
    print(f"✓ {line}")


def _values(function: Any, inputs: tuple[Tensor, ...]) -> Any:
    try:
        return function(*(values.clone() for values in inputs))
    except Exception:
        if any(values.ndim != 1 for values in inputs):
            raise
        return [function(*numbers) for numbers in zip(*(values.tolist() for values in inputs))]
