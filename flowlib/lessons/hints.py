"""A cell that is run too early: in a notebook, a `NameError` says which cell above makes the name."""

import builtins
import json
import symtable
from itertools import takewhile
from pathlib import Path
from typing import Any

ALL_ABOVE = "or all cells above this one: Run ▸ Run All Above Selected Cell"


def maker(name: str, cells: list[str]) -> str | None:
    """The last of these pieces of code that assigns, defines or imports `name`; `None` where none does."""
    return next((code for code in reversed(cells) if _makes(code, name)), None)


def _makes(code: str, name: str) -> bool:
    try:
        symbol = symtable.symtable(code, "cell", "exec").lookup(name)
    except (KeyError, SyntaxError):  # the name does not occur; a cell that is not plain Python
        return False
    return symbol.is_assigned() or symbol.is_imported()


def hint(shell, name: str) -> str | None:
    """What to run for `name` to exist; `None` where no cell above makes it: a slip of the pen."""
    try:  # Jupyter tells its kernels in which file the notebook lies, and which cell it sends
        notebook = json.loads(Path(shell.user_ns["__session__"]).read_text("utf-8"))
        now = shell.get_parent()["metadata"].get("cellId")
        above = takewhile(lambda cell: cell.get("id") != now, notebook["cells"])
        cells = ["".join(cell["source"]) for cell in above if cell["cell_type"] == "code"]
    except (OSError, ValueError, KeyError):  # other notebooks do not tell
        return f"If a cell above makes `{name}`, run that cell first, {ALL_ABOVE}."
    if not (code := maker(name, cells)):
        return None
    begin = code.strip().splitlines()[0]
    return f"`{name}` is made by the cell that begins with\n    {begin}\nRun it first, {ALL_ABOVE}."


def explain_missing_names() -> None:
    """Let Jupyter show a `NameError` with its `hint`; do nothing elsewhere, or where another handler is."""
    shell: Any = getattr(builtins, "get_ipython", lambda: None)()
    if not hasattr(shell, "kernel") or shell.custom_exceptions:
        return

    def show(shell, kind, error, traceback, tb_offset=None):
        if error.name and (words := hint(shell, error.name)):
            error.add_note(words)
        shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)

    shell.set_custom_exc((NameError,), show)
