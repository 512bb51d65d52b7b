"""Drawings as images, and the canvas they come from."""

import sys

import pytest

from flowlib.lessons import explorer, lesson_01
from flowlib.lessons.drawings import READY_MADE, image_of

HOUSE = READY_MADE["a house"]


def test_digit_16_r_plus_c_of_a_drawing_is_the_pixel_in_row_r_and_column_c():
    image = image_of("0" * (16 * 5 + 7) + "f" + "5" + "0" * (256 - 16 * 5 - 9))
    assert image.shape == (1, 1, 16, 16)
    assert image[0, 0, 5, 7] == 1
    assert image[0, 0, 5, 8].item() == pytest.approx(2 * 5 / 15 - 1)
    assert (image == -1).sum() == 254


BAD = ["", "0" * 255, "0" * 257, "g" + "0" * 255, "0" * 255 + "\n", "٣" * 256, "F" * 256, None, 7, [0] * 256]


@pytest.mark.parametrize("drawing", BAD, ids=ascii)
def test_anything_but_256_hexadecimal_digits_is_refused_with_a_reason(drawing):
    with pytest.raises(ValueError, match=r"256 hexadecimal digits.*READY_MADE"):
        image_of(drawing)


@pytest.mark.parametrize("drawing", ["0" * 255, "x" * 256])
def test_a_canvas_refuses_other_values_and_keeps_its_own(drawing):
    canvas = explorer.drawing("drawing")
    with pytest.raises(ValueError, match="256 hexadecimal digits"):
        canvas.value = drawing
    assert canvas.value == READY_MADE["a three"]


def test_the_ready_made_drawings_are_drawings():
    assert all(image_of(drawing).amax() == 1 for drawing in READY_MADE.values())


def test_without_anywidget_there_are_ready_made_drawings_and_a_line_that_says_why(
    digits, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "flowlib.lessons.canvas", raising=False)
    explorer = lesson_01.drawing_as_vector(digits.only(3))
    assert capsys.readouterr().out.count("\n") == 1
    before = explorer.alt
    explorer.controls["drawing"].value = HOUSE
    assert explorer.alt != before
    assert list(explorer.controls["drawing"].options) == list(READY_MADE.items())
