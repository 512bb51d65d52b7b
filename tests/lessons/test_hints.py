"""What a notebook says of a name that no cell has made yet."""

import json
from types import SimpleNamespace

import pytest

from flowlib.lessons import hints


@pytest.mark.parametrize(
    "code",
    ["x = 1", "x: int = 1", "a, (x, *b) = c", "for x in c: pass", "def x(): pass", "class x: pass",
     "import x", "import x.y", "from a import b as x", "with a as x: pass", "print(x := 2)", "x += 1"],
)  # fmt: skip
def test_a_cell_makes_what_it_assigns_defines_or_imports(code):
    assert hints.maker("x", [code]) == code


@pytest.mark.parametrize(
    "code", ["print(x)", "def f():\n    x = 1", "f(x=1)", "a.x = 1", "import y.x", "%x = 1", ""]
)
def test_a_cell_that_uses_a_name_or_keeps_it_inside_does_not_make_it(code):
    assert hints.maker("x", [code]) is None


def shell(session=None, cell=None):
    names = {} if session is None else {"__session__": str(session)}
    return SimpleNamespace(user_ns=names, get_parent=lambda: {"metadata": {"cellId": cell}})


@pytest.fixture
def notebook(tmp_path):
    """The path of a notebook that makes x twice, uses it, and makes it once more."""
    sources = {"a": ["# first\n", "x = 1"], "b": "\nx = 2", "c": "print(x)", "d": "x = 3"}
    cells = [{"cell_type": "code", "id": name, "source": source} for name, source in sources.items()]
    cells.insert(2, {"cell_type": "markdown", "id": "text", "source": "x = 4"})
    path = tmp_path / "notebook.ipynb"
    path.write_text(json.dumps({"cells": cells}), "utf-8")
    return path


@pytest.mark.parametrize(("cell", "begin"), [("c", "x = 2"), ("b", "# first")])
def test_of_several_cells_above_the_nearest_is_named(notebook, cell, begin):
    assert f"begins with\n    {begin}\n" in hints.hint(shell(notebook, cell), "x")


def test_a_name_that_no_cell_above_makes_gets_no_hint(notebook):
    assert hints.hint(shell(notebook, "a"), "x") is None
    assert hints.hint(shell(notebook, "c"), "y") is None


@pytest.mark.parametrize("session", [None, "nowhere.ipynb"])
def test_where_the_notebook_cannot_be_read_the_hint_says_so_much(session):
    assert "If a cell above makes `x`, run that cell first" in hints.hint(shell(session), "x")


@pytest.mark.parametrize(
    "other",
    [None, SimpleNamespace(custom_exceptions=()), SimpleNamespace(kernel=1, custom_exceptions=(OSError,))],
)
def test_no_notebook_a_terminal_and_another_handler_are_left_alone(monkeypatch, other):
    monkeypatch.setattr("builtins.get_ipython", lambda: other, raising=False)
    hints.explain_missing_names()  # else it would miss set_custom_exc
