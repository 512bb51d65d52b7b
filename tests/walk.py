"""python tests/walk.py 06: walk once through a lesson, and on the way let copies of it stray.

Prints a line of JSON for each cell, `{"cell": 7, "printed": "…", "error": ""}`. Where a cell comes up for
which a mistake is planted, a copy of the process goes on with it, up to the first cell that fails, whose
message it prints: `{"bug": "…", "red": "…"}`. After each cell a copy runs it a second time,
`{"again": 7, "error": ""}`, and at the end all are run once more, `{"once more": 7, "error": ""}`: both but
for cells that take long.
"""

import contextlib
import io
import json
import os
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "notebooks"), str(ROOT / "tests")]
from build import SOURCES  # noqa: E402
from cells import Cell, code_cells  # noqa: E402
from planted_bugs import IN_LESSONS  # noqa: E402

from flowlib.lessons import CheckFailed  # noqa: E402

PASSED_OVER = {"explorer", "exercise", "solution", "live"}  # by a copy with a mistake, on its way to a check
LONG = 0.3  # seconds of processor time; such cells are run once


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


def report(facts: dict) -> None:
    """Print a line of JSON."""
    print(json.dumps(facts), flush=True)


@contextlib.contextmanager
def copy_of_the_process():
    """True in a copy of this process, which ends with the block; False in this one, which waits for it."""
    if child := os.fork():
        os.waitpid(child, 0)
        yield False
        return
    try:
        yield True
    finally:
        os._exit(0)


def main(number: str) -> None:
    """Walk through the lesson of this number."""
    (source,) = [source for source in SOURCES if source.name.startswith(number)]
    cells, names, short = code_cells(source), {"__name__": "__main__"}, []
    for place, cell in enumerate(cells):
        for bug in [bug for bug in IN_LESSONS if bug.where == number and bug.old in cell.code]:
            with copy_of_the_process() as here:
                if here:
                    following = [later for later in cells[place + 1 :] if not later.tags & PASSED_OVER]
                    spoiled = (run(each, names)[1] for each in (cell.with_(bug.old, bug.new), *following))
                    report({"bug": bug.name, "red": told(next(filter(None, spoiled), None))})
        begin = time.process_time()
        printed, error = run(cell, names)
        report({"cell": cell.number, "printed": printed, "error": told(error)})
        if time.process_time() - begin < LONG:
            short.append(cell)
            with copy_of_the_process() as here:
                if here:
                    report({"again": cell.number, "error": told(run(cell, names)[1])})
    for cell in short:
        report({"once more": cell.number, "error": told(run(cell, names)[1])})


if __name__ == "__main__":
    main(sys.argv[1])
