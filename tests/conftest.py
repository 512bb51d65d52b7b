"""What the tests of several modules share."""

import os
import re
import shutil
import signal
from importlib.util import find_spec

import pytest
import torch

from flowlib.data import load_digits

PATIENCE = 300_000  # milliseconds, in a browser, for what never happens
LONGEST_FIRST = ("browser", "test_walk", "test_checks_have_teeth")  # so that no process idles at the end


def pytest_configure(config) -> None:
    """Hear Ctrl-C even where a shell started the tests in its background and shut it out, for tests send it.

    Of several test processes each takes one thread: more threads than cores wait for one another. Live
    trainings run their first steps only, by the same switch that a teacher has.
    """
    os.environ.setdefault("FLOWLIB_LIVE_SECONDS", "1")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):  # of pytest-xdist
        torch.set_num_threads(1)
        os.environ["OMP_NUM_THREADS"] = "1"  # of the kernels and other processes that it starts


def pytest_collection_modifyitems(items) -> None:
    """Put what takes longest first."""
    items.sort(key=lambda item: _rank(item.nodeid))


@pytest.hookimpl(optionalhook=True)  # also where pytest-xdist is not loaded
def pytest_xdist_make_scheduler(config, log):
    """Let one process have all tests of a file, or of a lesson in a file that has long tests for each."""
    from xdist.scheduler import LoadScopeScheduling

    class ByLesson(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            lesson = re.search(r"\[(\d\d)\b", test) if _rank(nodeid) < len(LONGEST_FIRST) else None
            return f"{file}{lesson[1] if lesson else ''}"

    return ByLesson(config, log)


def _rank(nodeid: str) -> int:
    return next((i for i, part in enumerate(LONGEST_FIRST) if part in nodeid), len(LONGEST_FIRST))


@pytest.fixture(scope="session")
def digits():
    return load_digits()


@pytest.fixture(scope="session")
def chromium_program():
    """Where Chromium lies; a test that needs it skips where there is none, but in CI it fails."""
    give_up = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        give_up("no chromium on the PATH")
    if find_spec("playwright") is None:
        give_up("playwright is not installed: python -m pip install playwright")
    return program


@pytest.fixture(scope="module")
def chromium(chromium_program):
    """A headless Chromium, for one module: while it runs, no test can start an event loop of its own."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=chromium_program, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium):
    """Open pages, each in a context of its own; an error that no script caught fails the test.

    They are patient: what happens late on a busy machine is waited for.
    """
    contexts, errors = [], []

    def open_page(**settings):
        contexts.append(chromium.new_context(**settings))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not errors
