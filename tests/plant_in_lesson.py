"""python tests/plant_in_lesson.py 06: plant every bug of a lesson, one by one, and say what each turned red.

Prints one JSON line per bug, `[name, message]`, with an empty message where nothing failed. The lesson runs
once; where a bug's cell comes up, a copy of the process goes on with the bug in it, up to the first failure.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from planted_bugs import IN_LESSONS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "notebooks"))
from build import SOURCES  # noqa: E402
from cells import Cell, code_cells  # noqa: E402

import flowlib as fl  # noqa: E402
from flowlib.lessons import CheckFailed  # noqa: E402

PASSED_OVER = {"explorer", "exercise", "solution", "live"}


def first_failure(cells: list[Cell], names: dict) -> str:
    """What the first cell that fails says; empty where none does."""
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in cells:
            try:
                cell.run(names)
            except Exception as error:
                return str(error) if isinstance(error, CheckFailed) else f"{type(error).__name__}: {error}"
    return ""


def main(number: str) -> None:
    """Run the lesson, and a copy of it for every bug."""
    fl.plots.show = lambda figure, alt: fl.plots.figure_html(figure, alt) and None  # closes it, shows nothing
    (source,) = [source for source in SOURCES if source.name.startswith(number)]
    cells = [cell for cell in code_cells(source) if not cell.tags & PASSED_OVER]
    bugs = [bug for bug in IN_LESSONS if bug.where == number]
    names = {"__name__": "__main__"}
    for place, cell in enumerate(cells):
        for bug in [bug for bug in bugs if bug.old in cell.code]:
            bugs.remove(bug)
            if child := os.fork():
                os.waitpid(child, 0)
                continue
            spoiled = [cell.with_(bug.old, bug.new), *cells[place + 1 :]]
            print(json.dumps([bug.name, first_failure(spoiled, names)]), flush=True)
            os._exit(0)
        if not bugs:
            break
        with contextlib.redirect_stdout(io.StringIO()):
            cell.run(names)


if __name__ == "__main__":
    main(sys.argv[1])
