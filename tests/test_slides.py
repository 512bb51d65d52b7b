"""The lessons as slides, as nbconvert makes them from the builder's cells; outputs play no part here."""

import json
import re
from functools import cache
from html.parser import HTMLParser

import jupytext
import pytest
import slides
from build import NOTEBOOKS, SOURCES, read_source
from nbconvert import SlidesExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from traitlets.config import Config

each_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name[:2])


class Lecture(HTMLParser):
    """The cells on each slide, `shown[slide]`, those `noted` for the speaker, and where a row `begins`."""

    def __init__(self, page):
        super().__init__()
        self.shown, self.noted, self.begins, self.open, self.aside = [], [], [], 0, 0
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        if tag == "section":
            self.open += 1
            if self.open == 1:
                self.begins.append(len(self.shown))
            else:
                self.shown.append([])
        self.aside += tag == "aside"
        if (names.get("id") or "").startswith("cell-id="):
            (self.noted if self.aside else self.shown[-1]).append(names["id"].removeprefix("cell-id="))

    def handle_endtag(self, tag):
        self.open -= tag == "section"
        self.aside -= tag == "aside"


@cache
def exporter():
    config = Config(json.loads((NOTEBOOKS / "slides.json").read_text("utf-8")))
    config.SlidesExporter.extra_template_basedirs = [str(NOTEBOOKS)]  # wherever the tests are started
    return SlidesExporter(config=config)


@cache
def lecture(source):
    return Lecture(exporter().from_notebook_node(read_source(source))[0])


def tags(cell):
    return set(cell.metadata.get("tags", []))


@each_lesson
def test_cutting_loses_no_word_of_a_lesson(source):
    whole = [cell.source for cell in jupytext.read(source).cells]
    parts = [cell.source for cell in read_source(source).cells]
    assert "\n\n".join(parts).split() == "\n\n".join(whole).split()


@each_lesson
def test_every_cell_is_shown_once_but_for_setup_stubs_and_solutions(source):
    cells = read_source(source).cells
    made = lecture(source)
    hidden = [cell.id for cell in cells if tags(cell) & {"setup", "exercise"}]
    assert made.noted == [cell.id for cell in cells if "solution" in tags(cell)]
    shown = [name for slide in made.shown for name in slide]
    assert shown == [cell.id for cell in cells if cell.id not in {*hidden, *made.noted}]
    assert all(made.shown)


@each_lesson
def test_a_heading_opens_a_row_and_a_question_keeps_its_answer_for_the_next_slide(source):
    cells = {cell.id: cell for cell in read_source(source).cells}
    made = lecture(source)
    text = "\n".join(cell.source for cell in cells.values() if cell.cell_type == "markdown")
    rows = [cells[made.shown[first][0]].source.splitlines()[0] for first in made.begins]
    assert rows == re.findall(r"^##? .*", text, re.MULTILINE)
    for slide in made.shown:
        assert not any("predict" in tags(cells[name]) for name in slide[:-1])
        assert sum(cells[name].cell_type == "code" for name in slide) <= 1


def test_code_that_only_draws_is_left_out_and_a_check_stays():
    codes = {"drawn_1": ["live"], "drawn_2": ["check"], "counted_3": []}
    cells = [new_code_cell(f"fl.plots.show({name})", metadata={"tags": tags}) for name, tags in codes.items()]
    cells[2].source = "print(counted_3)"
    slides.mark(cells)
    page, _ = exporter().from_notebook_node(new_notebook(cells=cells))
    assert [name in page for name in codes] == [False, True, True]


def test_formulas_in_tables_are_not_broken_at_every_sign():
    page, _ = exporter().from_notebook_node(new_notebook(cells=[new_markdown_cell("# $a$")]))
    assert re.findall(r"linebreaks:\s*{\s*automatic: (\w+)", page)[-1] == "false"  # the last one counts


def test_a_long_text_pushes_its_code_to_the_next_slide():
    for length, expected in ((slides.SHORT, "-"), (slides.SHORT + 1, "subslide")):
        assert slides.slide_type(new_code_cell("1"), new_markdown_cell("a" * length)) == expected


def test_text_with_tags_is_not_cut():
    text = "**Predict.** One.\n\n**Or** two?"
    plain, asked = new_markdown_cell(text), new_markdown_cell(text, metadata={"tags": ["predict"]})
    assert [cell.source for cell in slides.split_at_breaks([plain])] == text.split("\n\n")
    assert [cell.source for cell in slides.split_at_breaks([asked])] == [text]
