"""What flowlib says of itself, and what travels with it: version, files, types, authors, forms."""

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

import flowlib

PACKAGE = Path(flowlib.__file__).parent
ROOT = PACKAGE.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_version_stands_in_one_place():
    assert metadata.version("flowlib") == flowlib.__version__, "type python -m pip install -e . again"
    assert "version" not in PYPROJECT["project"]
    assert PYPROJECT["tool"]["setuptools"]["dynamic"] == {"version": {"attr": "flowlib.__version__"}}
    assert "version" not in CITATION


def test_every_file_of_flowlib_is_installed_with_it():
    """Else a reader with an editable installation has what others miss."""
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["flowlib"]
    installed = {path for pattern in ("**/*.py", *patterns) for path in PACKAGE.glob(pattern)}
    there = {path for path in PACKAGE.rglob("*.*") if "__pycache__" not in path.parts}
    assert there - installed == set()
    assert PACKAGE / "py.typed" in installed


def test_licence_package_and_citation_name_the_same_authors():
    (author,) = PYPROJECT["project"]["authors"]
    assert CITATION["authors"] == [author]
    licence = (ROOT / "LICENSE").read_text("utf-8").splitlines()[0].lower()
    assert licence.endswith(author["name"].lower())


def test_the_citation_has_what_its_format_needs():
    assert CITATION["cff-version"] == "1.2.0"
    assert all(CITATION[key].strip() for key in ("message", "title"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_can_be_filled_in(path):
    """A form with a mistake is left out of the list without a word."""
    form = yaml.safe_load(path.read_text("utf-8"))
    assert form["name"].strip() and form["description"].strip()
    ids = [part["id"] for part in form["body"]]
    assert ids and len(ids) == len(set(ids))
    assert {part["type"] for part in form["body"]} <= {"input", "textarea", "dropdown", "checkboxes"}
    assert all(part["attributes"]["label"].strip() for part in form["body"])


def test_there_is_a_form_for_a_reader_who_is_lost_and_one_for_what_is_broken():
    assert {path.stem for path in FORMS} == {"lost", "bug"}


WRONG = {
    "a grid that is a number": ("fl.solve_ode(lambda x, t: -x, torch.zeros(3, 2), 25)", "bad-argument-type"),
    "a label that is a number": ("fl.generate(fl.VelocityNet(), 3)", "bad-argument-type"),
    "a trajectory that is taken for a tensor": (
        "fl.solve_ode(lambda x, t: -x, torch.zeros(3, 2), fl.time_grid(9)).mean()",
        "missing-attribute",
    ),
    "an option that is not there": ("fl.time_grid(25, last=1)", "unexpected-keyword"),
}


def test_a_type_checker_knows_flowlib_from_outside_and_finds_what_is_wrong(tmp_path):
    """By one run over a file for each mistake, and one without."""
    start = "import torch\n\nimport flowlib as fl\n\n"
    (tmp_path / "right.py").write_text(start + "print(fl.time_grid(25).mean())\n")
    for i, (code, _) in enumerate(WRONG.values()):
        (tmp_path / f"wrong_{i}.py").write_text(f"{start}{code}\n")
    check = [sys.executable, "-m", "pyrefly", "check", "--output-format", "min-text"]
    check += ["--preset", "default", "--search-path", ROOT, *sorted(tmp_path.iterdir())]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, encoding="utf-8")
    for i, (name, (_, kind)) in enumerate(WRONG.items()):
        (line,) = [line for line in done.stdout.splitlines() if f"wrong_{i}.py" in line]
        assert kind in line, f"{name}: {line}"
    assert "right.py" not in done.stdout
    assert done.returncode == 1
