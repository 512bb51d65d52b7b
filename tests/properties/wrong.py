"""Wrong arguments, by kind, and what must come of a call that got one: a good answer, or a refusal."""

import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor


class Wrong(NamedTuple):
    """What becomes of a good argument, and words of which a refusal must hold one."""

    make: Callable[[Any], Any]
    words: Callable[[Any], tuple[str, ...]]


class Case(NamedTuple):
    """A call; its good arguments, drawn anew each time, as `{name: (kind, value)}`; and what it promises."""

    call: Callable
    arguments: Callable[[Callable], dict[str, tuple[str, Any]]]
    promise: Callable[..., None] = lambda result, **arguments: None


def _shapes(made: Tensor) -> tuple[str, ...]:
    """The shape as a message may put it: whole, its batch, its points, or how many there are."""
    shape = tuple(made.shape)
    parts = [
        str(shape),
        str(shape[:1]),
        str(shape[1:]),
        f"but got {made.size if hasattr(made, 'tobytes') else made.numel()}",
    ]
    return (*parts, "has 0", "is 0", "data, 0", "no elements") if 0 in shape else tuple(parts)


def _itself(made: Any) -> tuple[str, ...]:
    """What a message may say of something that is no tensor: itself, its type, or that it has no axes."""
    return repr(made)[:40], type(made).__name__, "()", f"{made:g}" if isinstance(made, float) else "None"


def _instead(*values: Any) -> dict[str, Wrong]:
    return {repr(value): Wrong(lambda good, value=value: value, _itself) for value in values}


def _one_is(value: float, *words: str) -> Wrong:
    """One number of the tensor becomes `value`."""

    def make(good: Tensor) -> Tensor:
        made = good.clone()
        made.view(-1)[-1] = value
        return made

    return Wrong(make, lambda made: words or (f"{value:g}", str(value)))


def _as(*dtypes: torch.dtype) -> dict[str, Wrong]:
    return {
        str(dtype): Wrong(lambda x, dtype=dtype: x.to(dtype), lambda made: (str(made.dtype), "complex"))
        for dtype in dtypes
    }


SHAPES = {
    "a row more": Wrong(lambda x: torch.cat([x, x[:1]]), _shapes),
    "no rows": Wrong(lambda x: x[:0], _shapes),
    "no batch axis": Wrong(lambda x: x[0], lambda made: (*_shapes(made), str(tuple(made[None].shape)))),
    "an axis more": Wrong(lambda x: x[None], _shapes),
    "an axis more at the end": Wrong(lambda x: x[..., None], _shapes),
    "a column more": Wrong(lambda x: torch.cat([x, x[..., :1]], dim=-1), _shapes),
}
FLOATS = _as(torch.int64, torch.bool, torch.complex64, torch.float16, torch.float32, torch.float64)
ELSEWHERE = {"meta": Wrong(lambda x: x.to("meta"), lambda made: ("meta",))}
NOT_FINITE = {
    str(value): _one_is(value, "finite", "nan", "NaN", "inf") for value in (torch.nan, torch.inf, -torch.inf)
}
NO_TENSOR = _instead(None, "x", 0.5) | {"a list": Wrong(lambda x: x.tolist(), _itself)}
OUTSIDE = {str(value): _one_is(value) for value in (-0.25, 1.25, 1e9)}
NO_CLASS = {str(value): _one_is(value) for value in (-1, 11, 10**6)}
BRIGHT = {str(value): _one_is(value, f"{value:.2f}", f"{value:g}") for value in (-1.5, 255.0)}
BROKEN = {
    "None": Wrong(lambda field: lambda x, t: None, lambda made: ("None",)),
    "another shape": Wrong(lambda field: lambda x, t: field(x, t)[:, :1], lambda made: ("shape", "gave")),
    "meta": Wrong(lambda field: lambda x, t: field(x, t).to("meta"), lambda made: ("meta",)),
    "complex": Wrong(lambda field: lambda x, t: field(x, t) * 1j, lambda made: ("complex",)),
}
NAN = {"NaN": Wrong(lambda field: lambda x, t: field(x, t) * torch.nan, lambda made: ("finite",))}

POINTS = SHAPES | FLOATS | ELSEWHERE | NO_TENSOR
WRONG = {  # by kind of argument
    "points": POINTS | NOT_FINITE,
    "points of a formula": POINTS,  # a bare formula hands NaN on; whoever calls it looks
    "points of the network": SHAPES | FLOATS | ELSEWHERE | NOT_FINITE,
    "images": POINTS | NOT_FINITE | BRIGHT,
    "times": POINTS | NOT_FINITE | OUTSIDE,
    "any times": POINTS | NOT_FINITE,
    "grid": SHAPES | ELSEWHERE | NO_TENSOR | NOT_FINITE,
    "labels": SHAPES
    | ELSEWHERE
    | NO_TENSOR
    | NO_CLASS
    | _as(torch.uint8, torch.int16, torch.float32, torch.bool),
    "labels of the network": SHAPES | NO_CLASS | _as(torch.uint8, torch.int16, torch.float32, torch.bool),
    "class": _instead(-1, 11, 1.5, None, "3"),
    "count": _instead(0, -1, 1.5, 2.0, torch.nan, torch.inf, None, "5", True),
    "seed": _instead(-1, 1.5, 2**64, torch.nan, None, "5"),
    "number": _instead(0.0, -1.0, torch.nan, torch.inf, None),
    "choice": _instead("", "no such", None, 3),
    "field": BROKEN | NAN,
    "model": BROKEN,  # the loss of a model that gives NaN is NaN, and `fit` says so
    "answer": SHAPES | ELSEWHERE | NOT_FINITE | _as(torch.complex64, torch.int64) | _instead(None, 0.5),
    "bytes": {
        "no batch axis": Wrong(lambda x: x[0], _shapes),
        "a column less": Wrong(lambda x: x[..., 1:], _shapes),
        "floats": Wrong(lambda x: x.astype(float), lambda made: ("float64",)),
        "None": Wrong(lambda x: None, lambda made: ("object",)),
    },
}


@st.composite
def spoiled(draw, case: Case) -> tuple[dict[str, Any], str, Wrong]:
    """The arguments of a case with one of them made wrong; which one, and how."""
    arguments = case.arguments(draw)
    name = draw(st.sampled_from([name for name, (kind, _) in arguments.items() if kind in WRONG]))
    ways = WRONG[arguments[name][0]]
    wrong = ways[draw(st.sampled_from(sorted(ways)))]
    values = {name: value for name, (_, value) in arguments.items()}
    return values | {name: wrong.make(values[name])}, name, wrong


def comes_to_good(case: Case, values: dict[str, Any], words: tuple[str, ...]) -> None:
    """The call keeps its promise without NaN, or refuses in words of its own that name what came."""
    try:
        result = case.call(**values)
    except (ValueError, TypeError, AssertionError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        deliberate = last.line.startswith("raise ") or isinstance(error, TypeError)  # Python names the type
        assert deliberate, f"an accident in {last.filename}:{last.lineno}: {error}"
        assert any(word in str(error) for word in words), f"it says none of {words}: {error}"
    else:
        assert all(tensor.isfinite().all() for tensor in tensors(result)), "NaN or infinity without a word"
        case.promise(result, **values)


def tensors(result: Any) -> list[Tensor]:
    """All tensors in a result, however it is packed."""
    if isinstance(result, Tensor | float):
        return [torch.as_tensor(result)]
    if isinstance(result, list | tuple):
        return [tensor for part in result for tensor in tensors(part)]
    return [tensor for name in ("ts", "xs", "images") for tensor in tensors(getattr(result, name, []))]
