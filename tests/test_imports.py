"""The shape of the library: what imports what, how long a module is, and that all of it is described."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flowlib

PACKAGE = Path(flowlib.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ORDER = [  # each imports only from those before it
    "types",
    "files",
    "hints",
    "checks",
    "data",
    "paths",
    "fields",
    "solvers",
    "losses",
    "mlp",
    "gaussians",
    "models",
    "parallel",
    "training",
    "snapshots",
    "checkpoints",
    "metrics",
    "exercises",
    "plots",
    "animations",
    "explorers",
    "live",
    "__main__",
]


def module(path):
    """The module of a file: the name of its folder where that is a package of its own, `data`."""
    return path.parent.name if path.parent != PACKAGE else path.stem


MODULES = [path for path in FILES if module(path) in ORDER]
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def imports(tree):
    """The modules of flowlib that a piece of code names in its imports, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "write flowlib.name, not .name"
            names = [node.module] if node.module != "flowlib" else [f"flowlib.{a.name}" for a in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "flowlib":
                assert "." in name, "import from a module of flowlib, not from all of it"
                yield name.split(".")[1]


def test_every_file_is_a_module_with_a_place_in_the_order():
    """`__init__` gathers them all, and the judge's folder holds a script."""
    assert {path for path in FILES if path not in MODULES} == {
        PACKAGE / "__init__.py",
        PACKAGE / "judge" / "train_judge.py",
    }
    assert {module(path) for path in MODULES} == set(ORDER)


@each_module
def test_imports_go_one_way(path):
    name = module(path)
    used = set(imports(ast.parse(path.read_text("utf-8")))) - {name}
    assert used <= set(ORDER[: ORDER.index(name)]), f"{name} comes before some of {sorted(used)}"


def test_mathematics_loads_no_plots_no_widgets_and_no_downloader():
    heavy = ["matplotlib", "ipywidgets", "IPython", "pooch", "scipy"]
    code = f"import sys, flowlib; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_can_be_read_in_one_sitting(path):
    assert path.stem != "utils"
    lines = path.read_text("utf-8").count("\n")
    assert lines <= 250


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
    assert {"plots", "animations", "explorers", "load_digits", "solve_ode"} <= set(dir(flowlib))


def test_a_name_that_flowlib_lacks_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'plot'"):
        _ = flowlib.plot
