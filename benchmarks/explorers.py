"""How long does an explorer take to answer a move? Milliseconds for every explorer of every lesson.

python benchmarks/explorers.py          all lessons
python benchmarks/explorers.py 01 06    those

Every control is moved ten times, to values it has not shown before where it has as many. Live trainings
are cut to 20 steps. The bar: a median below 150 ms on two cores.
"""

import contextlib
import io
import os
import re
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "notebooks"))
from build import SOURCES
from cells import code_cells

from flowlib.lessons.explorer import Explorer

MOVES = 10


def values(control) -> list:
    """Up to `MOVES` values that a control can take, spread over its range, without the present one."""
    if hasattr(control, "options"):
        return [option for option in control.options if option != control.value][:MOVES]
    if isinstance(control.value, str):  # a drawing, moved to the left
        return [control.value[k:] + control.value[:k] for k in range(1, MOVES + 1)]
    places = round((control.max - control.min) / control.step)
    chosen = [control.min + control.step * round(places * k / MOVES) for k in range(MOVES + 1)]
    return [value for value in dict.fromkeys(chosen) if value != control.value]


def milliseconds(explorer: Explorer) -> list[float]:
    """The time from each move to the new picture."""
    times = []
    for control in explorer.controls.values():
        for value in values(control):
            start = time.perf_counter()
            control.value = value
            times.append(1000 * (time.perf_counter() - start))
    return times


def main() -> None:
    """Print a table, one row per explorer."""
    os.environ.setdefault("FLOWLIB_LIVE_SECONDS", "2")
    print(f"{'lesson':8}{'explorer':24}{'controls':>10}{'moves':>8}{'median ms':>12}{'worst ms':>12}")
    for source in SOURCES:
        if sys.argv[1:] and source.name[:2] not in sys.argv[1:]:
            continue
        names = {"__name__": "__main__"}
        for cell in code_cells(source):
            with contextlib.redirect_stdout(io.StringIO()):
                value = cell.run(names)
            if isinstance(value, Explorer):
                name = re.search(r"lesson_\d\d\.(\w+)\(", cell.code)[1]
                times = milliseconds(value)
                print(
                    f"{source.name[:2]:8}{name:24}{len(value.controls):10}{len(times):8}"
                    f"{statistics.median(times):12.0f}{max(times):12.0f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
