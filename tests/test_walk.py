"""A walk through each lesson: its cells run, print what is stored, and notice what is planted in them.

`walk.py` runs a lesson once, in a process of its own, and reports; the tests read the report. Readers run
cells twice, and Run All after Run All, and one cell without those above it.
"""

import builtins
import json
import os
import re
import subprocess
import symtable
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


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="a lesson is copied with all its state by os.fork")


@cache
def _walked(number: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(TESTS / "walk.py"), number],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"},
    )


def walk(number: str, kind: str) -> list[dict]:
    """What is reported of this kind on the walk through this lesson, which is taken once."""
    done = _walked(number)
    assert done.returncode == 0, done.stderr[-3000:]
    return [fact for fact in map(json.loads, done.stdout.splitlines()) if kind in fact]


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


@forks
@each_lesson
def test_every_cell_runs_without_an_error_or_a_warning(number):
    facts = walk(number, "cell")
    assert [fact for fact in facts if fact["error"]] == []
    assert [fact["cell"] for fact in facts] == [cell.number for cell in cells_of(number)]


@forks
@each_lesson
def test_what_is_compared_prints_what_is_stored(number):
    printed = {fact["cell"]: fact["printed"] for fact in walk(number, "cell")}
    assert stored(number)
    for place, text in stored(number).items():
        assert sanitised(printed[place]) == sanitised(text), f"cell {place}"


@forks
@each_lesson
def test_a_cell_can_be_run_twice_and_all_of_them_once_more(number):
    again, once_more = walk(number, "again"), walk(number, "once more")
    assert [fact for fact in again + once_more if fact["error"]] == []
    assert [fact["again"] for fact in again] == [fact["once more"] for fact in once_more]
    assert len(again) > 0.5 * len(cells_of(number))


@forks
@pytest.mark.parametrize("bug", IN_LESSONS, ids=lambda bug: f"{bug.where}: {bug.name}")
def test_a_bug_in_a_lesson_turns_its_check_red(bug):
    cells = [cell.code for cell in cells_of(bug.where) if bug.old in cell.code]
    assert sum(code.count(bug.old) for code in cells) == 1, f"{bug.old!r} stands in {len(cells)} cells"
    (red,) = [fact["red"] for fact in walk(bug.where, "bug") if fact["bug"] == bug.name]
    assert red.startswith(f"✗ {bug.red}"), red


@each_lesson
def test_whoever_runs_a_cell_too_early_is_told_which_cell_above_makes_what_it_lacks(number):
    """Hence whoever runs the cells in any order, and follows the hints, comes to an end."""
    setup, *later = cells_of(number)
    for place, cell in enumerate(later):
        above = [setup.code, *(each.code for each in later[:place])]
        for name in names_read(cell.code):
            assert maker(name, [*above, cell.code]), f"cell {cell.number}: no cell above makes {name}"


def names_read(code: str) -> set[str]:
    """The names that a cell reads, in its functions too, and that are not its own or Python's."""

    def free(table: symtable.SymbolTable) -> set[str]:
        here = {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (symbol.is_global() or table.get_type() == "module")
        }
        return here.union(*(free(each) for each in table.get_children()))

    return free(symtable.symtable(code, "cell", "exec")) - set(dir(builtins))
