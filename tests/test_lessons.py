"""Each lesson: its notebook is what its source says, and it has all that a lesson promises its readers."""

import json
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import build
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
PARTS = {"setup", "predict", "check", "explorer", "exercise", "solution", "live"}
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
MACHINE = re.compile(
    r"(?<![\w.:/])/(?:home|root|tmp|opt|mnt|var|usr|Users|private)/\w|[A-Z]:\\(?:Users|Program)"
)
PACKED = re.compile(r"[A-Za-z0-9+/=]{200,}")  # pictures and trajectories as text: nobody reads a path in them


each_lesson = pytest.mark.parametrize("source", build.SOURCES, ids=lambda source: source.name[:2])


@cache
def cells(source):
    """The cells of the stored notebook; a markdown cell has no outputs, a cell without tags an empty list."""
    notebook = nbformat.read(build.NOTEBOOKS / f"{source.stem}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.setdefault("outputs", [])
        cell.metadata.setdefault("tags", [])
    return notebook.cells


def tagged(source, tag):
    return [cell for cell in cells(source) if tag in cell.metadata.tags]


def places(source, tag):
    return [place for place, cell in enumerate(cells(source)) if tag in cell.metadata.tags]


def code(some):
    return [cell for cell in some if cell.cell_type == "code"]


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def shown(cell):
    """All that a reader may see or hear of a cell's outputs: (MIME type, text)."""
    for output in cell.outputs:
        yield from [("text/plain", output.text)] if "text" in output else output.get("data", {}).items()


class Pictures(HTMLParser):
    """The text alternatives of all `<img>` of a piece of HTML; `None` where one has none."""

    def __init__(self, html):
        super().__init__()
        self.alts = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alts.append(dict(attributes).get("alt"))


def films(cell):
    """What the players of a cell hold."""
    for text in (str(text) for kind, text in shown(cell) if kind == "text/html"):
        for film in re.finditer(r'\{"states"', text):
            yield json.JSONDecoder().raw_decode(text, film.start())[0]


def pictures(cell):
    return [alt for kind, text in shown(cell) if kind == "text/html" for alt in Pictures(text).alts]


def test_there_are_lessons():
    assert build.SOURCES


# What a repository, a reader without a kernel and a reader without sight need


@each_lesson
def test_notebook_is_what_its_source_says(source):
    assert build.problems(source) == []


@each_lesson
def test_source_names_its_kernel_and_the_pinned_jupytext(source):
    header = source.read_text("utf-8").split("---")[1]
    pin = re.search(r"^jupytext==(\S+)", (ROOT / "tests/requirements.txt").read_text("utf-8"), re.MULTILINE)
    assert f"jupytext_version: {pin[1]}\n" in header
    assert re.search(r"^kernelspec:\n(  .*\n)*  name: python3$", header, re.MULTILINE)


@each_lesson
def test_every_picture_has_words(source):
    for cell in cells(source):
        for output in cell.outputs:
            data, about = output.get("data", {}), output.get("metadata", {})
            for kind in data:
                if kind.startswith(("image/", "application/pdf")):
                    words = about.get(kind, {}).get("alt", "").strip()
                    assert words, f"show it by fl.plots.show(ax, alt=...): {cell.source}"
                    assert Pictures(data["text/html"]).alts == [words] == [data["text/plain"]]
        assert all((alt or "").strip() for alt in pictures(cell)), f"an <img> without alt: {cell.source}"
        assert all(film["alt"].strip() for film in films(cell)), f"a player without alt: {cell.source}"


def test_there_are_players():
    assert any(next(films(cell), None) for source in build.SOURCES for cell in cells(source))


@each_lesson
def test_no_output_tells_of_the_machine_that_made_it(source):
    for cell in cells(source):
        for _, text in shown(cell):
            text = PACKED.sub("", str(text))
            assert not ADDRESS.search(text), f"an object's address, from {cell.source}"
            assert not MACHINE.search(text), f"a path of one machine, from {cell.source}"


@each_lesson
def test_nothing_was_written_to_stderr(source):
    written = [
        output.text for cell in cells(source) for output in cell.outputs if output.get("name") == "stderr"
    ]
    assert written == []


@each_lesson
def test_links_lead_somewhere(source):
    text = "\n".join(cell.source for cell in cells(source) if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)\s]+)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    here = [link.split("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    assert [link for link in here if not (build.NOTEBOOKS / link).exists()] == []


# The anatomy of a lesson


@each_lesson
def test_it_opens_with_its_question_and_has_no_second_title(source):
    text = "\n".join(cell.source for cell in cells(source) if cell.cell_type == "markdown")
    assert cells(source)[0].source.startswith("# ")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert re.match(r"# .*\?", text)


@each_lesson
def test_it_has_every_part_and_each_in_its_place(source):
    assert {tag for cell in cells(source) for tag in cell.metadata.tags} >= PARTS
    assert "setup" in code(cells(source))[0].metadata.tags
    assert min(places(source, "predict")) < min(places(source, "check"))
    assert max(places(source, "exercise")) < min(places(source, "live"))


@each_lesson
def test_setup_imports_openly_and_installs_nothing(source):
    setup = [line.split("  #")[0].strip() for line in code(cells(source))[0].source.splitlines()]
    assert {"import torch", "import flowlib as fl"} <= set(setup)
    for cell in code(cells(source)):
        assert not re.search(r"import \*|^\s*[!%]|^[^#]*pip install", cell.source, re.MULTILINE), cell.source


ALONE = """
import sys, types
from IPython.core.interactiveshell import InteractiveShell

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name == "flowlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())
sys.modules["torch"] = types.ModuleType("torch")
InteractiveShell.instance().run_cell(sys.stdin.read())
"""


def test_a_lesson_that_was_downloaded_alone_says_how_to_get_flowlib():
    setup = code(cells(build.SOURCES[0]))[0].source
    done = subprocess.run([sys.executable, "-c", ALONE], input=setup, capture_output=True, encoding="utf-8")
    shown = re.sub(r"\x1b\[[\d;]*m", "", done.stdout)
    assert "No module named 'flowlib'" in shown
    assert "python -m pip install -r requirements.txt in their repository" in shown
    assert "stranger's" in shown


def test_every_lesson_imports_flowlib_with_the_same_words():
    setups = [code(cells(source))[0].source for source in build.SOURCES]
    openings = [re.search("^import torch$.*?(?=^from flowlib)", text, re.M | re.S) for text in setups]
    assert len({opening[0] for opening in openings}) == 1


@each_lesson
def test_every_check_says_what_it_measured(source):
    for cell in tagged(source, "check"):
        assert "✓" in printed(cell), cell.source
        assert "✗" not in printed(cell), cell.source


@each_lesson
def test_some_output_is_compared_at_every_test(source):
    compared = tagged(source, "nbval-check-output")
    assert compared
    assert all(cell.outputs for cell in compared)


@each_lesson
def test_each_explorer_has_a_still_picture_and_a_hint_above_it(source):
    last = 0
    for place in places(source, "explorer"):
        above = cells(source)[last:place]
        assert any(pictures(cell) for cell in above), f"no picture stands above {cells(source)[place].source}"
        assert re.search(r"\bTry\b.*\bNotice\b", above[-1].source, re.DOTALL), above[-1].source
        assert cells(source)[place].outputs, "an explorer leaves a word for readers without a kernel"
        last = place + 1


@each_lesson
def test_an_exercise_waits_for_an_answer_and_a_folded_solution_passes_its_check(source):
    exercises, solutions = code(tagged(source, "exercise")), code(tagged(source, "solution"))
    assert 2 <= len(exercises) <= 4
    assert len(solutions) == len(exercises)
    for exercise, solution in zip(exercises, solutions):
        following = code(cells(source)[cells(source).index(exercise) + 1 :])[0]
        assert following is solution, f"no solution follows {exercise.source}"
        assert "not attempted yet" in printed(exercise), exercise.source
        assert "✓" in printed(solution), solution.source
        assert solution.metadata.get("jupyter", {}).get("source_hidden"), f"not folded: {solution.source}"


@each_lesson
def test_the_live_cells_leave_a_picture(source):
    assert any(pictures(cell) for cell in tagged(source, "live"))


@each_lesson
def test_it_closes_with_what_we_saw_and_its_sources(source):
    text = "\n".join(cell.source for cell in cells(source) if cell.cell_type == "markdown")
    end = re.split(r"^## What we saw$", text, flags=re.MULTILINE)[-1]
    assert len(re.findall(r"^- ", end, re.MULTILINE)) == 3
    assert re.search(r"arXiv:\d{4}\.\d{5}", end)


# The builder itself, on a lesson of four cells

HEADER = """---
jupytext:
  text_representation: {extension: .md, format_name: myst}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# What is one and one?

```{code-cell} ipython3
print(1 + 1)
```

```{code-cell} ipython3
:tags: [explorer]

import ipywidgets
ipywidgets.IntSlider(2)
```

```{code-cell} ipython3
:tags: [live]

from IPython.display import HTML
ipywidgets.IntProgress(1)
```
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A source and its built notebook's JSON."""
    source = tmp_path_factory.mktemp("lesson") / "07_one_and_one.md"
    source.write_text(HEADER, "utf-8")
    return source, build.build(source, source.parent).read_text("utf-8")


@pytest.fixture
def lesson(tiny, tmp_path):
    """A copy of both to spoil: (source, path of the notebook)."""
    source, notebook = tmp_path / tiny[0].name, tmp_path / f"{tiny[0].stem}.ipynb"
    source.write_text(HEADER, "utf-8")
    notebook.write_text(tiny[1], "utf-8")
    return source, notebook


def test_a_built_lesson_has_no_problems_and_no_widgets(lesson):
    source, path = lesson
    assert build.problems(source, source.parent) == []
    outputs = [cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert outputs[0][0].text == "2\n"
    assert outputs[1][0].data["text/plain"] == build.NOTE
    assert outputs[2] == []
    assert "widget" not in path.read_text("utf-8").replace("ipywidgets", "")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("print(1 + 1)", "print(1 + 2)", r"cell 1 \('print\(1 \+ 2\)'\): source not as"),
        ("What is one", "Who is one", "cell 0 .* source not as"),
        ("[live]", "[check]", "cell 3 .* metadata not as"),
        ("```{code-cell} ipython3\nprint(1 + 1)\n```", "print(1 + 1)", "source has 3 cells, the notebook 4"),
    ],
)
def test_a_change_of_the_source_is_noticed(lesson, old, new, words):
    source, _ = lesson
    assert old in HEADER
    source.write_text(HEADER.replace(old, new), "utf-8")
    assert re.search(words, "\n".join(build.problems(source, source.parent)))


def _spoil(notebook, how):
    first = notebook.cells[1]
    if how == "widgets":
        notebook.metadata.widgets = {}
    elif how == "executed":
        first.execution_count = None
    elif how == "error":
        first.outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
    elif how == "more than 3 MB":
        first.outputs[0].text = "2" * 3_000_000


@pytest.mark.parametrize("how", ["widgets", "executed", "error", "more than 3 MB"])
def test_a_notebook_that_is_not_as_it_was_built_is_noticed(lesson, how):
    source, path = lesson
    notebook = nbformat.read(path, as_version=4)
    _spoil(notebook, how)
    nbformat.write(notebook, path)
    (problem,) = build.problems(source, source.parent)
    assert how in problem


@pytest.mark.parametrize("text", ["", "{}", '{"cells": [', "<html>"])
def test_half_a_notebook_is_noticed(lesson, text):
    source, path = lesson
    path.write_text(text, "utf-8")
    assert "no valid notebook" in build.problems(source, source.parent)[0]
    path.unlink()
    assert "missing" in build.problems(source, source.parent)[0]


def test_a_failing_cell_is_named_and_the_earlier_notebook_stays(lesson):
    source, path = lesson
    before = path.read_bytes()
    source.write_text(HEADER.replace("print(1 + 1)", "answer = 2\nanswer / 0"), "utf-8")
    with pytest.raises(build.BuildError, match=r"07_one_and_one.md, cell 1 \('answer = 2'\)") as error:
        build.build(source, source.parent)
    assert "ZeroDivisionError" in str(error.value)
    assert path.read_bytes() == before
    assert set(source.parent.iterdir()) == {source, path}


def test_a_wrong_number_lists_the_lessons(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["build.py", "--check", "77"])
    with pytest.raises(SystemExit):
        build.main()
    assert ", ".join(source.name[:2] for source in build.SOURCES) in capsys.readouterr().err
