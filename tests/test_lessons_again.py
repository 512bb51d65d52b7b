"""Readers run cells twice, and Run All after Run All, and one cell without those above it, and press stop."""

import contextlib
import io
import os
import re
import warnings

import pytest
from build import SOURCES
from cells import code_cells
from jupyter_client.manager import start_new_kernel

from flowlib.lessons.hints import maker

each_lesson = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name[:2])


@each_lesson
def test_every_cell_runs_twice_in_place_and_all_of_them_once_more(source):
    names = {"__name__": "__main__"}
    cells = code_cells(source, steps=2)
    twice = [cell for cell in cells for _ in range(2)]
    for cell in (*twice, *cells):
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", DeprecationWarning)  # as a notebook does, for those of libraries
            try:
                cell.run(names)
            except Exception as error:
                pytest.fail(f"cell {cell.number}: {type(error).__name__}: {error}\n{cell.code}")


@each_lesson
def test_a_cell_runs_right_after_setup_or_lacks_a_name_that_a_cell_above_makes(source):
    """Hence whoever runs the cells in any order, and follows the hints, comes to an end."""
    setup, *later = code_cells(source, steps=2)
    begin = {"__name__": "__main__"}
    setup.run(begin)
    for place, cell in enumerate(later):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                cell.run(dict(begin))
        except NameError as error:
            above = [cell.code for cell in later[:place]]
            assert maker(error.name, above), f"cell {cell.number}: no cell above makes {error.name}"


@pytest.fixture(scope="module")
def kernel():
    """A kernel as Jupyter starts it for lesson 09, a client of it, and the cells."""
    source = SOURCES[-1]
    session = str(source.parents[1] / f"{source.stem}.ipynb")
    manager, client = start_new_kernel(env={**os.environ, "JPY_SESSION_NAME": session})
    yield manager, client, code_cells(source)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_cell_run_too_early_is_answered_with_the_cell_to_run_first(kernel):
    _, client, (setup, *later) = kernel
    assert client.execute_interactive(setup.code, timeout=120)["content"]["status"] == "ok"
    early = next(cell for cell in later if "training.model" in cell.code)
    answer = client.execute_interactive(early.code, output_hook=str, timeout=120)["content"]
    assert answer["ename"] == "NameError"
    words = r"`training` is made by the cell that begins with\s+training = fl.Training\(digits, seed=0\)\n"
    assert re.search(words, "\n".join(answer["traceback"]))


def test_the_stop_button_in_the_live_cell_leaves_a_notebook_that_goes_on(kernel):
    manager, client, (setup, *later) = kernel
    pages = []

    def stop_at_the_first_picture(message):
        pages.append(message["content"].get("data", {}).get("text/html", ""))
        if "<img" in pages[-1] and sum("<img" in page for page in pages) == 1:
            manager.interrupt_kernel()

    live = next(cell for cell in later if "live" in cell.tags)
    assert "seconds=60" in live.code
    assert client.execute_interactive(setup.code, timeout=120)["content"]["status"] == "ok"
    answer = client.execute_interactive(live.code, output_hook=stop_at_the_first_picture, timeout=50)
    assert answer["content"]["status"] == "ok", answer
    assert "stopped by hand" in "".join(pages)
    after = later[later.index(live) + 1 :]
    following = [cell for cell in after if "training.model" in cell.code and "blobs" not in cell.code]
    for cell in (*following[:2], live.with_("seconds=60", "steps=2")):
        answer = client.execute_interactive(cell.code, output_hook=str, timeout=120)["content"]
        assert answer["status"] == "ok", answer
