"""The shapes that every module speaks: aliases, and the rules for times and velocities.

| name    | shape                        | meaning                                        |
|---------|------------------------------|------------------------------------------------|
| `Batch` | `(batch, *dim)`              | points: images are `(batch, 1, 16, 16)`        |
| `Times` | `(batch,)`                   | one time per point, 0 = noise, 1 = data        |
| `Grid`  | `(time,)`                    | the times that a solver steps through          |
| `Field` | `(Batch, Times) -> Batch`    | a velocity for every point at its time         |
"""

from collections.abc import Callable

from torch import Tensor

Batch = Tensor
Times = Tensor
Grid = Tensor
Field = Callable[[Batch, Times], Batch]


def per_point(values: Times, x: Batch) -> Tensor:
    """Reshape one number per point, `(batch,)`, so that it multiplies `x`, `(batch, *dim)`, in its dtype.

    Raises `ValueError` where `values` does not hold one number per point of `x`, or `x` holds no floats.
    """
    if not x.is_floating_point():
        raise ValueError(f"points need floats, but are {x.dtype}; convert them with x.float()")
    if values.shape != x.shape[:1]:
        raise ValueError(
            f"t needs one time per sample, shape ({x.shape[0] if x.ndim else '?'},), "
            f"but has shape {tuple(values.shape)}; for one shared time pass t.expand(len(x))"
        )
    return values.to(x).view(-1, *[1] * (x.ndim - 1))


def evaluate(field: Field, x: Batch, t: Times) -> Batch:
    """The velocity field(x, t), `(batch, *dim)`.

    Raises `ValueError` where the field returns anything but a tensor of the shape of `x`, which would
    otherwise broadcast into a wrong result without a word.
    """
    velocity = field(x, t)
    if not isinstance(velocity, Tensor) or velocity.shape != x.shape:
        came = f"shape {tuple(velocity.shape)}" if isinstance(velocity, Tensor) else type(velocity).__name__
        raise ValueError(f"a field maps x to a velocity of the same shape, {tuple(x.shape)}, but gave {came}")
    return velocity
