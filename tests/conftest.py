"""What the tests of several modules share."""

import re
from types import SimpleNamespace

import pytest

from flowlib.checks import CheckFailed
from flowlib.data import load_digits


@pytest.fixture(scope="session")
def digits():
    return load_digits()


@pytest.fixture
def try_exercise(capsys):
    """Try `exercise` on no answer, on right answers, and on wrong ones `{answer: words of the reply}`."""

    def tried(exercise, right: list, wrong: dict) -> None:
        exercise(...)
        assert "not attempted" in capsys.readouterr().out
        for answer in right:
            exercise(answer)
            assert "✓" in capsys.readouterr().out
        for answer, words in wrong.items():
            with pytest.raises(CheckFailed, match=words):
                exercise(answer)

    return tried


@pytest.fixture
def move():
    """Move every control of an explorer once: each must change the picture, and leave words for it."""

    def alt(explorer) -> str:
        return re.search(r'alt="([^"]*)"', explorer.picture.value)[1]

    def every(explorer) -> None:
        for name, control in explorer.controls.items():
            before = explorer.picture.value
            if hasattr(control, "options"):
                control.value = next(option for option in control.options if option != control.value)
            else:
                control.value = control.value + (1 if control.value < control.max else -1) * control.step
            assert explorer.picture.value != before, f"{name} moves nothing"
            assert control.description
            assert alt(explorer).strip()

    return SimpleNamespace(every=every, alt=alt)
