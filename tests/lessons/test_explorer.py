import base64
import io

import pytest
from PIL import Image

from flowlib.lessons.explorer import Explorer, choice, number, real


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
