"""Mistakes that learners and programmers make, planted one at a time: each must turn a check or a test red.

A bug in a lesson's own code is planted in its text, and the lesson is run up to the check that has to fail.
A bug in `flowlib` is planted in a copy, and the test that has to fail is run on that copy.
"""

import contextlib
import io
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from planted_bugs import IN_FLOWLIB, IN_LESSONS, Bug

from flowlib.checks import CheckFailed

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
from build import SOURCES  # noqa: E402
from cells import code_cells  # noqa: E402

PASSED_OVER = {"explorer", "exercise", "solution", "live"}


def planted(text: str, bug: Bug) -> str:
    assert text.count(bug.old) == 1, f"{bug.where} holds {bug.old!r} {text.count(bug.old)} times, not once"
    return text.replace(bug.old, bug.new)


@pytest.mark.parametrize("bug", IN_FLOWLIB, ids=lambda bug: bug.name)
def test_a_bug_in_flowlib_turns_a_test_red(bug, tmp_path):
    shutil.copytree(ROOT / "flowlib", tmp_path / "flowlib", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "flowlib" / bug.where
    file.write_text(planted(file.read_text("utf-8"), bug), "utf-8")
    test = ROOT / "tests" / bug.red
    done = subprocess.run(  # python -m pytest puts the folder that it runs in first, so the copy is imported
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", f"--rootdir={ROOT}", str(test)],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1, f"{bug.red} does not notice:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    assert "1 failed" in done.stdout


def test_the_copy_is_what_those_tests_import(tmp_path):
    (tmp_path / "flowlib").mkdir()
    (tmp_path / "flowlib" / "__init__.py").write_text("raise SystemExit(77)")
    done = subprocess.run([sys.executable, "-m", "pytest", str(ROOT / "tests/test_paths.py")], cwd=tmp_path,
                          capture_output=True)  # fmt: skip
    assert done.returncode == 77


@cache
def lesson(number: str) -> Path:
    (source,) = [source for source in SOURCES if source.name.startswith(number)]
    return source


@pytest.mark.parametrize("bug", IN_LESSONS, ids=lambda bug: f"{bug.where}: {bug.name}")
def test_a_bug_in_a_lesson_turns_its_check_red(bug, monkeypatch):
    monkeypatch.setattr("flowlib.plots.show", lambda figure, alt: None)
    source = lesson(bug.where)
    planted(source.read_text("utf-8"), bug)
    names = {"__name__": "__main__"}
    with contextlib.redirect_stdout(io.StringIO()) as printed, pytest.raises(CheckFailed) as failure:
        for cell in code_cells(source):
            if not cell.tags & PASSED_OVER:
                cell.with_(bug.old, bug.new).run(names)
    assert str(failure.value).startswith(f"✗ {bug.red}"), printed.getvalue()[-500:]
