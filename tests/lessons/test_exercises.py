"""The exercises: what they accept, what they refuse, and what they say."""

import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from flowlib.lessons.checks import CheckFailed

MODULES = [import_module(file.stem) for file in sorted(Path(__file__).parent.glob("oracle_*.py"))]
EXERCISES = {f"{m.__name__[-2:]}: {e.check.__name__}": e for m in MODULES for e in m.EXERCISES}
each_exercise = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)


def forms(answer) -> list:
    """The same answer as learners hand it in; a function as it is."""
    if callable(answer):
        return [answer]
    numbers = np.array(answer, dtype=float)
    listed = [numbers, numbers[None], torch.tensor(numbers), torch.tensor(numbers).float(), numbers.tolist()]
    return [*listed, tuple(numbers) if numbers.ndim else np.float64(answer)]


def a_little_off(answer) -> list:
    """The same answer, but 5 % too large or too small, as a whole and in each number."""
    if callable(answer):
        return [lambda *args, by=by: by * answer(*args) for by in (0.95, 1.05)]
    numbers = np.array(answer, dtype=float)
    single = [
        1 + by * np.eye(numbers.size)[k].reshape(numbers.shape)
        for k in range(numbers.size)
        for by in (-0.05, 0.05)
    ]
    return [numbers * by for by in (0.95, 1.05, *single) if not np.array_equal(numbers * by, numbers)]


def test_the_table_has_every_exercise_of_every_lesson():
    for module in MODULES:
        lesson = import_module(f"flowlib.lessons.lesson_{module.__name__[-2:]}")
        exercises = {
            name
            for name, function in inspect.getmembers(lesson, inspect.isfunction)
            if list(inspect.signature(function).parameters) == ["answer"]
            if function.__module__ == lesson.__name__
        }
        assert {exercise.check.__name__ for exercise in module.EXERCISES} == exercises


@each_exercise
def test_no_answer_is_no_error(exercise, capsys):
    exercise.check(...)
    assert "not attempted yet" in capsys.readouterr().out


@each_exercise
def test_a_right_answer_is_right_in_every_form(exercise, capsys):
    for answer in [*forms(exercise.right[0]), *exercise.right]:
        exercise.check(answer)
        assert "✓" in capsys.readouterr().out


@each_exercise
def test_an_answer_5_percent_off_is_refused(exercise):
    for answer in a_little_off(exercise.right[0]):
        with pytest.raises(CheckFailed):
            exercise.check(answer)


@each_exercise
def test_a_known_mistake_gets_its_own_words(exercise):
    for answer, words in exercise.wrong.items():
        with pytest.raises(CheckFailed, match=words):
            exercise.check(answer)
