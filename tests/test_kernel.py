"""What a kernel tells a reader who runs a cell too early, or presses ■ while one trains."""

import os
import re

import pytest
from build import SOURCES
from cells import code_cells
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow
PATIENCE = 900  # seconds for what never happens


@pytest.fixture(scope="module")
def kernel():
    """A kernel as Jupyter starts it for lesson 09, what runs a piece of code in it, and the cells."""
    source = SOURCES[8]
    session = str(source.parents[1] / f"{source.stem}.ipynb")
    uncapped = {name: value for name, value in os.environ.items() if name != "FLOWLIB_LIVE_SECONDS"}
    manager, client = start_new_kernel(
        startup_timeout=PATIENCE, env={**uncapped, "JPY_SESSION_NAME": session}
    )

    def run(code, hear=str):
        return client.execute_interactive(code, output_hook=hear, timeout=PATIENCE)["content"]

    yield manager, run, code_cells(source)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_cell_run_too_early_is_answered_with_the_cell_to_run_first(kernel):
    _, run, (setup, *later) = kernel
    assert run(setup.code)["status"] == "ok"
    early = next(cell for cell in later if "training.model" in cell.code)
    answer = run(early.code)
    assert answer["ename"] == "NameError"
    words = r"`training` is made by the cell that begins with\s+training = fl.Training\(digits, seed=0\)\n"
    assert re.search(words, "\n".join(answer["traceback"]))


def test_an_interrupt_in_the_live_cell_leaves_a_notebook_that_goes_on(kernel):
    manager, run, (setup, *later) = kernel
    pages = []

    def stop_at_the_first_picture(message):
        pages.append(message["content"].get("data", {}).get("text/html", ""))
        if "<img" in pages[-1] and sum("<img" in page for page in pages) == 1:
            manager.interrupt_kernel()

    live = next(cell for cell in later if "live" in cell.tags)
    assert "seconds=60" in live.code
    endless = live.with_("seconds=60", f"seconds={PATIENCE}")
    assert run(setup.code)["status"] == "ok"
    answer = run(endless.code, stop_at_the_first_picture)
    assert answer["status"] == "ok", answer
    assert "stopped by hand" in "".join(pages)
    after = later[later.index(live) + 1 :]
    following = [cell for cell in after if "training.model" in cell.code and "blobs" not in cell.code]
    for cell in (*following[:2], live.with_("seconds=60", "steps=2")):
        answer = run(cell.code)
        assert answer["status"] == "ok", answer
