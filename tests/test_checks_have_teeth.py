"""Mistakes that learners and programmers make, planted one at a time in flowlib: each must turn a test red.

Those in the lessons' own code are planted on the walk through each lesson, in `test_walk.py`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from planted_bugs import IN_FLOWLIB

TESTS = Path(__file__).parent


WHAT_IS_SHOWN = ("lessons/lesson_", "plots/", "animations.py", "command.py")


@pytest.fixture(scope="module")
def outcomes(request) -> dict[str, dict]:
    """What `plant_in_flowlib.py` tells of each mistake that is tried, by its name."""
    tried = [item for item in request.session.items if item.path == request.path]
    names = [item.callspec.params["bug"].name for item in tried]
    done = subprocess.run(
        [sys.executable, str(TESTS / "plant_in_flowlib.py"), *names],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {outcome["bug"]: outcome for outcome in map(json.loads, done.stdout.splitlines())}


def _marked(bug):
    """What is drawn, moved and written takes longest to try."""
    return pytest.param(bug, marks=pytest.mark.slow) if bug.where.startswith(WHAT_IS_SHOWN) else bug


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each mistake gets a copy of one process by os.fork")
@pytest.mark.parametrize("bug", [_marked(bug) for bug in IN_FLOWLIB], ids=lambda bug: bug.name)
def test_a_bug_in_flowlib_turns_a_test_red(outcomes, bug):
    outcome = outcomes[bug.name]
    assert outcome["code"] == 1, f"{bug.red} does not notice:\n{outcome['said']}"
    assert "1 failed" in outcome["said"]
