"""The shape of the library: what imports what, how long a module is, and that all of it is described."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flowlib

PACKAGE = Path(flowlib.__file__).parent
WING = PACKAGE / "lessons"
FILES = sorted(PACKAGE.rglob("*.py"))
CONTRIBUTING = (PACKAGE.parent / "CONTRIBUTING.md").read_text("utf-8")


def drawn(folder):
    """The modules of a folder as CONTRIBUTING draws them: a list for each line of its drawing."""
    drawing = CONTRIBUTING.split(f"```text\n{folder}\n")[1].split("```")[0]
    names = [line.split("  ")[0].split(", ") for line in map(str.strip, drawing.splitlines())]
    return [[name for each in line for name in _spelled_out(each)] for line in names]


def _spelled_out(name):
    """`lesson_01 … lesson_03` as the three that it means."""
    first, *last = name.split(" … ")
    return [f"{first[:-2]}{n:02d}" for n in range(int(first[-2:]), int(last[0][-2:]) + 1)] if last else [name]


def module(path):
    """The module of a file: the name of its folder where that is a package of its own, `data`."""
    folder = WING if WING in path.parents else PACKAGE
    return path.relative_to(folder).parts[0].removesuffix(".py")


LINES = {folder: drawn(f"{folder.relative_to(PACKAGE.parent)}/") for folder in (PACKAGE, WING)}
MODULES = [path for path in FILES if path.name != "__init__.py" or path.parent not in LINES]
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def imports(tree):
    """The modules of flowlib that a piece of code names in its imports, wherever they stand: their parts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write flowlib.name, not .name"
            packages = ("flowlib", "flowlib.lessons")
            names = (
                [f"{node.module}.{a.name}" for a in node.names] if node.module in packages else [node.module]
            )
        else:
            continue
        for name in names:
            if name.split(".")[0] == "flowlib":
                assert "." in name, "import from a module of flowlib, not from all of it"
                yield name.split(".")[1:]


@pytest.mark.parametrize("folder", LINES, ids=lambda folder: folder.name)
def test_contributing_draws_every_module(folder):
    """But for the judge, whose folder holds a script."""
    elsewhere = {"judge", "lessons"} if folder == PACKAGE else set()
    here = {module(path) for path in MODULES if (WING in path.parents) == (folder == WING)}
    assert here - elsewhere == {name for line in LINES[folder] for name in line}


@each_module
def test_imports_go_one_way(path):
    """Each from the lines above its own in the drawing, and nothing outside the lessons' wing from it."""
    in_wing, name = WING in path.parents, module(path)
    folder = WING if in_wing else PACKAGE
    if name == "judge":
        return
    (place,) = [i for i, line in enumerate(LINES[folder]) if name in line]
    above = {each for line in LINES[folder][:place] for each in line}
    for first, *rest in imports(ast.parse(path.read_text("utf-8"))):
        if first == "lessons":
            assert in_wing, f"{name} imports from the lessons' wing"
            assert rest[0] in above, f"{name} imports {rest[0]}, which is not drawn above it"
        elif not in_wing and first != name:
            assert first in above, f"{name} imports {first}, which is not drawn above it"


def test_mathematics_loads_no_plots_no_widgets_and_no_downloader():
    heavy = ["matplotlib", "ipywidgets", "IPython", "pooch", "scipy"]
    code = f"import sys, flowlib; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_can_be_read_in_one_sitting(path):
    assert path.stem != "utils"
    lines = path.read_text("utf-8").count("\n")
    assert lines <= (300 if WING in path.parents else 250)


def test_without_the_lessons_it_stays_a_small_library():
    lines = [path.read_text("utf-8").count("\n") for path in FILES if WING not in path.parents]
    assert sum(lines) <= 3850


@each_module
def test_all_that_is_public_has_a_docstring(path):
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    assert ast.get_docstring(tree)
    assert [node.name for node in public if not ast.get_docstring(node)] == []


def test_every_name_that_flowlib_offers_is_there():
    missing = [
        name for name in (*getattr(flowlib, "__all__", ()), *dir(flowlib)) if not hasattr(flowlib, name)
    ]
    assert missing == []
    assert {"plots", "animations", "load_digits", "solve_ode"} <= set(dir(flowlib))


def test_a_name_that_flowlib_lacks_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'plot'"):
        _ = flowlib.plot
