"""python tests/walk.py 06: walk once through a lesson, and plant each of its mistakes in a copy on the way.

Prints a JSON line for each cell, `{"cell": 7, "printed": "…", "error": ""}`, and for each mistake,
`{"bug": "…", "red": "…"}` with the message of the first cell that fails. Where a mistake's cell comes up, a
copy of the process goes on with the mistake in it, so that the lesson itself runs once. With `--again`: each
cell twice in place, then all once more, without mistakes; and each cell right after the first.
"""

import contextlib
import io
import json
import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "tests")]
from build import SOURCES  # noqa: E402
from cells import Cell, code_cells  # noqa: E402
from planted_bugs import IN_LESSONS  # noqa: E402

from flowlib.lessons import CheckFailed  # noqa: E402

PASSED_OVER = {"explorer", "exercise", "solution", "live"}  # by a copy with a mistake, on its way to a check


def run(cell: Cell, names: dict) -> tuple[str, Exception | None]:
    """What the cell printed, and the error that ended it; a warning is one, as a reader would see it."""
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # as a notebook does, for those of libraries
        try:
            cell.run(names)
        except Exception as error:
            return printed.getvalue(), error
    return printed.getvalue(), None


def told(error: Exception | None) -> str:
    """An error in a line; a check's without its kind."""
    if error is None or isinstance(error, CheckFailed):
        return str(error or "")
    return f"{type(error).__name__}: {error}"


def report(**facts) -> None:
    """Print a line of JSON."""
    print(json.dumps(facts), flush=True)


def once(cells: list[Cell], bugs: list) -> None:
    """Run the cells, and where one holds a bug, a copy of the process that has it."""
    names = {"__name__": "__main__"}
    for place, cell in enumerate(cells):
        for bug in [bug for bug in bugs if bug.old in cell.code]:
            if child := os.fork():
                os.waitpid(child, 0)
                continue
            following = [later for later in cells[place + 1 :] if not later.tags & PASSED_OVER]
            spoiled = (run(each, names)[1] for each in (cell.with_(bug.old, bug.new), *following))
            report(bug=bug.name, red=told(next(filter(None, spoiled), None)))
            os._exit(0)
        printed, error = run(cell, names)
        report(cell=cell.number, printed=printed, error=told(error))


def again(cells: list[Cell]) -> None:
    """Run each cell twice in place, then all once more; then each right after the first."""
    names = {"__name__": "__main__"}
    for cell in (*(cell for cell in cells for _ in range(2)), *cells):
        report(cell=cell.number, error=told(run(cell, names)[1]))
    begin = {"__name__": "__main__"}
    run(cells[0], begin)
    for cell in cells[1:]:
        error = run(cell, dict(begin))[1]
        report(early=cell.number, lacks=error.name if isinstance(error, NameError) else None)


if __name__ == "__main__":
    number, *how = sys.argv[1:]
    (source,) = [source for source in SOURCES if source.name.startswith(number)]
    if how == ["--again"]:
        again(code_cells(source))
    else:
        planted = [bug for bug in IN_LESSONS if bug.where == number] if hasattr(os, "fork") else []
        once(code_cells(source), planted)
