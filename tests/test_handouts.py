"""The lessons as pages to hand out and as scripts, by nbconvert, as TEACHING.md says."""

import ast
import json
import re

import pytest
from build import NOTEBOOKS, SOURCES, read_source
from nbconvert import HTMLExporter, ScriptExporter
from nbformat.v4 import new_code_cell, new_notebook
from traitlets.config import Config

each_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name[:2])


def page(notebook, **settings) -> str:
    config = Config(json.loads((NOTEBOOKS / "handout.json").read_text("utf-8")))
    config.HTMLExporter.extra_template_basedirs = [str(NOTEBOOKS)]  # wherever the tests are started
    config.TagRemovePreprocessor.update(settings)
    return HTMLExporter(config=config).from_notebook_node(notebook)[0]


def folds(text: str) -> list[tuple[str, str]]:
    """What stands on each fold of code, and what lies in it."""
    return re.findall(r'<details class="folded"><summary>(.*?)</summary>(.*?)</details>', text, re.DOTALL)


def test_what_is_folded_in_jupyter_is_folded_on_the_page_under_its_first_line():
    folded = new_code_cell(
        "# One way & another\nanswer = 1 < 2", metadata={"jupyter": {"source_hidden": True}}
    )
    text = page(new_notebook(cells=[folded, new_code_cell("task = 3")]))
    ((title, inside),) = folds(text)
    assert title == "One way &amp; another"
    assert "answer" in inside and "task" not in inside
    assert text.count("answer") == 1 and "task" in text


def test_a_page_folds_each_solution_and_leaves_it_out_on_demand():
    notebook = read_source(SOURCES[0])
    solutions = [cell for cell in notebook.cells if "solution" in cell.metadata.get("tags", [])]
    inside = [text for _, text in folds(page(notebook)) if "celltag_solution" in text]
    assert len(inside) == len(solutions) > 0
    assert "celltag_solution" not in page(notebook, remove_cell_tags={"solution"})


@each_lesson
def test_a_folded_cell_begins_with_a_comment_that_tells_nothing(source):
    """JupyterLab shows the first line of a folded cell, and so does a page to hand out."""
    for cell in read_source(source).cells:
        if cell.metadata.get("jupyter", {}).get("source_hidden"):
            first = cell.source.splitlines()[0]
            assert re.fullmatch(r"# [^=\d]+", first), first


@each_lesson
def test_a_lesson_becomes_a_script_of_python(source):
    code, resources = ScriptExporter().from_notebook_node(read_source(source))
    assert resources["output_extension"] == ".py"
    names = {name.id for name in ast.walk(ast.parse(code)) if isinstance(name, ast.Name)}
    assert "explain_missing_names" in names


def test_teachers_are_told_the_commands():
    text = (NOTEBOOKS.parent / "TEACHING.md").read_text("utf-8")
    command = "jupyter nbconvert --to html --config notebooks/handout.json"
    assert text.count(command) == 2
    assert "--TagRemovePreprocessor.remove_cell_tags=solution" in text
