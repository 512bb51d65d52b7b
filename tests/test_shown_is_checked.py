"""Nothing visible without a check behind it: which of the names that a lesson's cells make lead to a check.

A cell tagged `draw` only arranges and draws what is checked elsewhere. In every other cell before the live
part, what is computed leads to a check.
"""

import ast
import builtins
from functools import cache
from typing import NamedTuple

import pytest
from build import SOURCES
from cells import Cell, code_cells

BESIDE = {"setup", "explorer", "exercise", "solution"}  # tested elsewhere: the explorers and their answers
CHANGED_BY = {"append", "extend", "update", "setdefault", "add", "add_", "fit", "step", "run", "take"}
CHANGED_BY |= {"backward", "load_state_dict", "manual_seed"}
AXES = {"ax", "axes", "figure"}
FOR_DRAWING = {"plots", "animations", "time_grid", "Trajectory"}  # all that a draw cell takes from flowlib

each_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name[:2])


class Statement(NamedTuple):
    """A statement of a cell, the names that it reads, and those that it makes or changes."""

    cell: Cell
    node: ast.stmt
    reads: frozenset[str]
    makes: frozenset[str]
    whole: bool  # what it makes owes nothing to what stood under these names before


@cache
def statements(source) -> list[Statement]:
    """The statements of a lesson up to its live part, without those of setup, explorers and exercises."""
    found = []
    for cell in code_cells(source):
        if "live" in cell.tags:
            break
        if not cell.tags & BESIDE:
            found += [_read(cell, node) for node in ast.parse(cell.code).body]
    return found


def _read(cell: Cell, node: ast.stmt) -> Statement:
    parts = list(ast.walk(node))
    inside = {  # names that live inside an expression or a function only
        name.id
        for part in parts
        for scope in ([part.target] if isinstance(part, ast.comprehension) else _body(part))
        for name in ast.walk(scope)
        if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
    } | {part.arg for part in parts if isinstance(part, ast.arg)}
    turns = {
        name.id for part in parts if isinstance(part, ast.For) for name in ast.walk(part.target) if _is(name)
    }
    names = {name.id: set() for name in parts if _is(name)}
    for name in filter(_is, parts):
        names[name.id].add(type(name.ctx))
    made = {name for name, uses in names.items() if ast.Store in uses} - turns
    made |= {part.name for part in parts if isinstance(part, ast.FunctionDef | ast.ClassDef)}
    changed = {name.id for part in parts for owner in _changed(part) for name in ast.walk(owner) if _is(name)}
    changed -= {"torch", "fl"}  # torch.Generator().manual_seed(0) changes no name
    reads = {name for name, uses in names.items() if ast.Load in uses} - inside - set(dir(builtins))
    whole = isinstance(node, ast.Assign | ast.FunctionDef | ast.ClassDef) and not changed
    return Statement(cell, node, frozenset(reads), frozenset((made | changed) - inside), whole)


def _is(part: ast.AST) -> bool:
    return isinstance(part, ast.Name)


def _body(part: ast.AST) -> list[ast.AST]:
    return part.body if isinstance(part, ast.FunctionDef) else []


def _changed(part: ast.AST) -> list[ast.AST]:
    """What a call such as `losses.append(1)`, `fl.fit(net, loss)` or an assignment to `xs[0]` changes."""
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) and part.func.attr in CHANGED_BY:
        return [part.func.value, *part.args[:1]] if part.func.attr == "fit" else [part.func.value]
    placed = isinstance(part, ast.Subscript | ast.Attribute) and isinstance(part.ctx, ast.Store)
    return [part.value] if placed else []


def checks(statement: Statement) -> bool:
    """Whether a statement compares something, and fails where it does not fit."""
    named = any(name.startswith("check_") for name in statement.reads)
    return named or any(isinstance(part, ast.Assert) for part in ast.walk(statement.node))


def leading_to_a_check(found: list[Statement]) -> set[int]:
    """Which of the statements make what a check reads, or what makes that, and so on."""
    fed, waiting = set(), [place for place, statement in enumerate(found) if checks(statement)]
    while waiting:
        place = waiting.pop()
        if place in fed:
            continue
        fed.add(place)
        for name in found[place].reads:
            for above in range(place - 1, -1, -1):
                if name in found[above].makes:
                    waiting.append(above)
                    if found[above].whole:
                        break
    return fed


def calls(node: ast.AST) -> set[str]:
    """What is called of flowlib, by name: `fl.plots.show(...)` is "plots"."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "fl"
    }


def prints(node: ast.AST) -> list[ast.Call]:
    """The calls of `print` in a statement."""
    every = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
    return [call for call in every if isinstance(call.func, ast.Name) and call.func.id == "print"]


@each_lesson
def test_what_a_cell_computes_leads_to_a_check_or_the_cell_only_draws(source):
    found = statements(source)
    fed = leading_to_a_check(found)
    loose = {}
    for place, statement in enumerate(found):
        if place not in fed and "draw" not in statement.cell.tags and statement.makes - AXES:
            loose.setdefault(f"cell {statement.cell.number}", []).extend(sorted(statement.makes - AXES))
    assert loose == {}, "no check reads these"


@each_lesson
def test_what_a_cell_prints_was_computed_where_a_check_can_read_it(source):
    found = statements(source)
    fed = leading_to_a_check(found)
    loose = [
        (statement.cell.number, ast.unparse(call))
        for place, statement in enumerate(found)
        if place not in fed
        for call in prints(statement.node)
        if calls(call) or "draw" in statement.cell.tags
    ]
    assert loose == [], "give it a name that a check reads"


@each_lesson
def test_a_cell_that_only_draws_computes_nothing_and_makes_nothing_for_others(source):
    found = statements(source)
    drawing = [statement for statement in found if "draw" in statement.cell.tags]
    computing = {(each.cell.number, name) for each in drawing for name in calls(each.node) - FOR_DRAWING}
    assert computing == set()
    for place, statement in enumerate(found):
        if "draw" in statement.cell.tags:
            continue
        for name in statement.reads:
            makers = [above for above in found[:place] if name in above.makes]
            if makers:
                assert "draw" not in makers[-1].cell.tags, f"cell {statement.cell.number} reads {name}"
