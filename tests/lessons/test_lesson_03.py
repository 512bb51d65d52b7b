"""Lesson 03: which field its explorers say that they show."""

import pytest
from oracle_03 import FIELDS

from flowlib.lessons import lesson_03


@pytest.mark.parametrize("make", [lesson_03.drifting_point, lesson_03.mapped_lattice])
def test_the_words_name_the_field_that_is_shown(make):
    explorer = make(FIELDS)
    for name in reversed(FIELDS):
        explorer.controls["name"].value = name
        assert explorer.alt.startswith(f"Field {name} at t = ")
