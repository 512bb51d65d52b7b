"""What the exercises share: an answer that is a function."""

from typing import Any

from torch import Tensor

from flowlib.checks import CheckFailed, check_answer


def check_function(
    name: str, answer: Any, inputs: tuple[Tensor, ...], right: Tensor, mistakes: dict[str, Any]
) -> None:
    """Check a reader's function by what it returns for `inputs`, a tensor for each of its arguments.

    Where these are rows of numbers `(n,)`, a function of plain numbers will do as well.
    `...` counts as not attempted; `right` and `mistakes` hold values, as in `check_answer`. Raises
    `CheckFailed` for a wrong answer, for what is no function, and for a function that fails; a `NameError`
    of the function as it is.
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


def _values(function: Any, inputs: tuple[Tensor, ...]) -> Any:
    try:
        return function(*(values.clone() for values in inputs))
    except Exception:
        if any(values.ndim != 1 for values in inputs):
            raise
        return [function(*numbers) for numbers in zip(*(values.tolist() for values in inputs))]
