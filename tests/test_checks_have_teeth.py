"""Mistakes that learners and programmers make, planted one at a time: each must turn a check or a test red.

A bug in the code of a lesson is planted in its text (by `plant_in_lesson.py`), a bug in `flowlib` in a copy;
each names the check or the test that has to fail.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from planted_bugs import IN_FLOWLIB, IN_LESSONS, Bug

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}


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
        cwd=tmp_path, capture_output=True, text=True, env=ENVIRONMENT,
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
def failures(lesson: str) -> dict[str, str]:
    """What each bug of a lesson turned red: the message by the name of the bug."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "plant_in_lesson.py"), lesson],
        capture_output=True, encoding="utf-8", env={**ENVIRONMENT, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(line) for line in done.stdout.splitlines())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a lesson is copied with all its state by os.fork")
@pytest.mark.parametrize("bug", IN_LESSONS, ids=lambda bug: f"{bug.where}: {bug.name}")
def test_a_bug_in_a_lesson_turns_its_check_red(bug):
    (source,) = (ROOT / "notebooks" / "source").glob(f"{bug.where}_*.md")
    planted(source.read_text("utf-8"), bug)
    assert failures(bug.where)[bug.name].startswith(f"✗ {bug.red}"), failures(bug.where)[bug.name]
