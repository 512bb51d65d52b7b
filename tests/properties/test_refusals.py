"""One wrong argument among good ones: a call answers as it promised, or refuses and names what came."""

import matplotlib.pyplot as plt
import pytest
from cases import CASES
from drawings import DRAWINGS
from hypothesis import given
from hypothesis import strategies as st
from wrong import WRONG, comes_to_good, spoiled

EVERY = CASES | DRAWINGS
each_call = pytest.mark.parametrize("name", EVERY)


@each_call
@given(data=st.data())
def test_a_good_call_keeps_its_promise(name, data):
    case = EVERY[name]
    comes_to_good(case, {name: value for name, (_, value) in case.arguments(data.draw).items()}, ())
    plt.close("all")


@each_call
@given(data=st.data())
def test_a_wrong_argument_is_refused_by_what_came_or_does_no_harm(name, data):
    values, spoilt, wrong = data.draw(spoiled(EVERY[name]))
    comes_to_good(EVERY[name], values, wrong.words(values[spoilt]))
    plt.close("all")


@pytest.mark.parametrize("name", [name for name in EVERY if name != "network"])  # its layers need an image
@given(data=st.data())
def test_no_points_at_all_give_an_empty_answer_or_are_refused(name, data):
    arguments = EVERY[name].arguments(data.draw)
    values = {
        key: WRONG["points"]["no rows"].make(x) if hasattr(x, "shape") else x
        for key, (_, x) in arguments.items()
    }
    comes_to_good(EVERY[name], values, ("0", "at least", "no elements"))
    plt.close("all")
