import re

import pytest
import torch

from flowlib import explorers
from flowlib.data import five_points, load_digits
from flowlib.fields import marginal_field
from flowlib.models import VelocityNet
from flowlib.paths import LinearPath


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def make(name, digits):
    if name == "image_as_vector":
        return explorers.image_as_vector(digits.images[:20])
    if name == "pixel_neighbours":
        return explorers.pixel_neighbours(digits)
    if name == "shadows":
        return explorers.shadows(digits, torch.linalg.qr(torch.randn(256, 5))[0])
    if name == "solver_steps":
        return explorers.solver_steps(
            marginal_field(five_points(), LinearPath()), five_points(), torch.randn(9, 2)
        )
    return explorers.heading(VelocityNet())


def alt(explorer):
    return re.search(r'alt="([^"]*)"', explorer.picture.value)[1]


@pytest.mark.parametrize(
    "name", ["image_as_vector", "pixel_neighbours", "shadows", "solver_steps", "heading"]
)
def test_every_control_changes_the_picture_and_its_words(name, digits):
    explorer = make(name, digits)
    for control in explorer.controls.values():
        before = explorer.picture.value
        control.value = control.options[3] if hasattr(control, "options") else control.value + control.step
        assert explorer.picture.value != before
        assert control.description
        assert alt(explorer).strip()


def test_a_view_that_was_seen_is_not_computed_again():
    computed = []
    explorer = explorers.Explorer(
        lambda number: computed.append(number),
        lambda figure, frame: "words",
        (1, 1),
        number=explorers._number("number", 0, 0, 5),
    )
    for value in (1, 0, 1):
        explorer.controls["number"].value = value
    assert computed == [0, 1]


def test_the_words_of_the_vector_explorer_are_the_numbers_of_the_row(digits):
    explorer = explorers.image_as_vector(digits.images[:3])
    explorer.controls["row"].value = 6
    numbers = ", ".join(f"{v:.1f}" for v in digits.images[0, 0, 6])
    assert alt(explorer) == f"Row 6 of the image is entries 96 to 111 of the vector: {numbers}."
