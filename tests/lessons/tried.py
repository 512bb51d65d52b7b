"""Answers to try on an exercise."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Exercise(NamedTuple):
    """An exercise, answers that are right, and wrong ones `{answer: words of the reply}`.

    The first right answer is in plain numbers or a function; the table tries it in other forms, and 5 % off.
    """

    check: Callable[[Any], None]
    right: list
    wrong: dict
