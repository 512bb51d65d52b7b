"""The explorer: what it computes anew, and that each explorer of the lessons shows what it should."""

import base64
import inspect
import io
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image
from seen import hold

from flowlib.lessons.explorer import Explorer, choice, number, real

MODULES = [import_module(file.stem) for file in sorted(Path(__file__).parent.glob("oracle_*.py"))]
EXPLORERS = {name: case for module in MODULES for name, case in module.EXPLORERS.items()}
each_explorer = pytest.mark.parametrize("name", EXPLORERS)


def test_the_table_has_every_explorer_of_every_lesson():
    for module in MODULES:
        lesson = import_module(f"flowlib.lessons.lesson_{module.__name__[-2:]}")
        made = [
            name
            for name, function in inspect.getmembers(lesson, inspect.isfunction)
            if inspect.signature(function).return_annotation is Explorer
            if function.__module__ == lesson.__name__
        ]
        assert sorted(made) == sorted(module.EXPLORERS)


@each_explorer
def test_an_explorer_shows_what_an_independent_calculation_gives_at_every_setting(name, digits, monkeypatch):
    monkeypatch.setattr("flowlib.lessons.explorer.figure_html", lambda *figure, **look: "")  # half the time
    explorer = EXPLORERS[name].make(digits)
    for setting in EXPLORERS[name].settings:
        for control, value in setting.items():
            explorer.controls[control].value = value
        values = {control: widget.value for control, widget in explorer.controls.items()}
        hold(explorer, EXPLORERS[name].expected(digits, **values))


@each_explorer
def test_each_control_of_an_explorer_is_tried_at_three_values_or_all(name, digits):
    for control, widget in EXPLORERS[name].make(digits).controls.items():
        values = {setting[control] for setting in EXPLORERS[name].settings if control in setting}
        assert len(values) >= min(3, len(getattr(widget, "options", "any"))), f"{control}: {values}"


def picture(explorer):
    data = explorer.picture.value.split("base64,")[1].split('"')[0]
    return Image.open(io.BytesIO(base64.b64decode(data)))


def draw(figure, value):
    figure.add_subplot().plot([0, 1], [0, value])
    return f"a line up to {value}"


def test_a_view_that_was_seen_is_not_computed_again():
    computed = []

    def compute(number):
        computed.append(number)
        return number

    explorer = Explorer(compute, draw, (2, 1), number=number("number", 0, 0, 5))
    for value in (1, 0, 1):
        explorer.controls["number"].value = value
    assert computed == [0, 1]


def test_the_picture_has_its_size_in_every_view_so_nothing_jumps():
    explorer = Explorer(lambda value: value, draw, (4, 2), value=real("value", 0, 0, 1e6, 1e5))
    assert picture(explorer).size == (400, 200)
    explorer.controls["value"].value = 5e5
    assert picture(explorer).size == (400, 200)


def test_a_picture_without_words_is_refused():
    with pytest.raises(ValueError, match="words"):
        Explorer(lambda name: name, lambda figure, name: " ", (2, 1), name=choice("name", ["a", "b"]))
