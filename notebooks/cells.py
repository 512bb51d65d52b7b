"""The code cells of a lesson, run in this process without Jupyter: for tests and benchmarks."""

import ast
from dataclasses import dataclass, replace
from pathlib import Path

from build import read_source


@dataclass(frozen=True)
class Cell:
    """A code cell: its number in the notebook, its tags and its text."""

    number: int
    tags: frozenset[str]
    code: str

    def with_(self, old: str, new: str) -> "Cell":
        """The cell with another piece of text in it."""
        return replace(self, code=self.code.replace(old, new))

    def run(self, names: dict):
        """Execute it in the namespace `names`; the value of its last line, if that is an expression."""
        *body, last = ast.parse(self.code).body
        name = f"cell {self.number}"
        if not isinstance(last, ast.Expr):
            exec(compile(self.code, name, "exec"), names)
            return None
        exec(compile(ast.Module(body, []), name, "exec"), names)
        return eval(compile(ast.Expression(last.value), name, "eval"), names)


def code_cells(source: Path) -> list[Cell]:
    """The code cells of a lesson's source."""
    return [
        Cell(number, frozenset(cell.metadata.get("tags", [])), cell.source)
        for number, cell in enumerate(read_source(source).cells)
        if cell.cell_type == "code"
    ]
