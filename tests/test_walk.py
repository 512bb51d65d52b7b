"""A walk through each lesson: its cells run, print what is stored, and notice what is planted in them.

`walk.py` runs a lesson once, in a process of its own, and reports; the tests read the report. The slow ones
are about readers who run cells twice, and Run All after Run All, and one cell without those above it.
"""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import nbformat
import pytest
from build import NOTEBOOKS, SOURCES
from cells import code_cells
from planted_bugs import IN_LESSONS

from flowlib.lessons.hints import maker

TESTS = Path(__file__).parent
NUMBERS = [source.name[:2] for source in SOURCES]
each_lesson = pytest.mark.parametrize("number", NUMBERS)


@cache
def _walked(number: str, *how: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(TESTS / "walk.py"), number, *how],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"},
    )


def walk(number: str, *how: str) -> list[dict]:
    """The report of a walk through this lesson, which is taken once."""
    done = _walked(number, *how)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def cells_of(number: str):
    """The code cells of a lesson."""
    return code_cells(SOURCES[NUMBERS.index(number)])


def stored(number: str) -> dict[int, str]:
    """What the stored notebook's cells that are to be compared have printed, by their place."""
    (path,) = NOTEBOOKS.glob(f"{number}_*.ipynb")
    return {
        place: "".join(output.text for output in cell.outputs)
        for place, cell in enumerate(nbformat.read(path, as_version=4).cells)
        if "nbval-check-output" in cell.metadata.get("tags", [])
    }


def sanitised(text: str) -> str:
    """The text after the replacements that nbval makes, too."""
    rules = (TESTS / "nbval.cfg").read_text("utf-8")
    for pattern, replacement in re.findall(r"^regex: (.*)\nreplace: (.*)$", rules, re.MULTILINE):
        text = re.sub(pattern, replacement, text)
    return text


@each_lesson
def test_every_cell_runs_without_an_error_or_a_warning(number):
    facts = [fact for fact in walk(number) if "cell" in fact]
    assert [fact for fact in facts if fact["error"]] == []
    assert [fact["cell"] for fact in facts] == [cell.number for cell in cells_of(number)]


@each_lesson
def test_what_is_compared_prints_what_is_stored(number):
    printed = {fact["cell"]: fact["printed"] for fact in walk(number) if "cell" in fact}
    assert stored(number)
    for place, text in stored(number).items():
        assert sanitised(printed[place]) == sanitised(text), f"cell {place}"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a lesson is copied with all its state by os.fork")
@pytest.mark.parametrize("bug", IN_LESSONS, ids=lambda bug: f"{bug.where}: {bug.name}")
def test_a_bug_in_a_lesson_turns_its_check_red(bug):
    cells = [cell.code for cell in cells_of(bug.where) if bug.old in cell.code]
    assert sum(code.count(bug.old) for code in cells) == 1, f"{bug.old!r} stands in {len(cells)} cells"
    (red,) = [fact["red"] for fact in walk(bug.where) if fact.get("bug") == bug.name]
    assert red.startswith(f"✗ {bug.red}"), red


@pytest.mark.slow
@each_lesson
def test_every_cell_runs_twice_in_place_and_all_of_them_once_more(number):
    runs = [fact for fact in walk(number, "--again") if "cell" in fact]
    assert [fact for fact in runs if fact["error"]] == []
    assert len(runs) == 3 * len(cells_of(number))


@pytest.mark.slow
@each_lesson
def test_a_cell_runs_right_after_setup_or_lacks_a_name_that_a_cell_above_makes(number):
    """Hence whoever runs the cells in any order, and follows the hints, comes to an end."""
    _, *later = cells_of(number)
    early = [fact["lacks"] for fact in walk(number, "--again") if "early" in fact]
    assert len(early) == len(later)
    for place, name in enumerate(early):
        assert name is None or maker(name, [cell.code for cell in later[:place]]), (later[place].number, name)
