"""A real JupyterLab in a real browser, with a reader's hands: pages that a notebook is opened in."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat

# What JupyterLab 4.6 shows where something failed, inside widgets too, and where a kernel died.
COMPLAINTS = ", ".join(
    [
        "[data-mime-type='application/vnd.jupyter.stderr']",
        "[data-mime-type='application/vnd.jupyter.error']",
        ".jupyter-widgets-error-widget",
        ".jp-OutputArea :text-matches('Error (displaying|creating) widget')",
        ".jp-Dialog-content",
    ]
)

# What anywidget says where a page is too busy to load a widget's script within two seconds. The widget draws
# and sends all the same; it does not hear what the kernel sets later, which no lesson does.
TOO_BUSY = "[anywidget] Failed to initialize model."

ASKED_SELDOM = 400  # milliseconds between two looks at a page, since each look takes the page some work
PATIENCE = 600  # seconds for what never happens; what happens late on a busy machine is waited for

# Before that, JupyterLab shows its sign of an idle kernel, but asks a reader who runs a cell for a kernel.
KERNEL_IS_IDLE = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab, which shows its scripts as `jupyterapp`."""

    url: str
    token: str
    folder: Path  # its notebooks

    @contextmanager
    def open(self, browser, notebook: nbformat.NotebookNode, name: str) -> Iterator["Notebook"]:
        """A copy of a notebook in a page of its own, ready to run; its kernel ends with the page."""
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        context = browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        context.set_default_timeout(PATIENCE * 1000)
        page = Notebook(context.new_page())
        page.page.goto(f"{self.url}/lab/tree/{name}.ipynb?reset&token={self.token}")
        page.page.wait_for_function(KERNEL_IS_IDLE, polling=200)
        try:
            yield page
        finally:
            answers, header = context.request, {"Authorization": f"token {self.token}"}
            for session in answers.get(f"{self.url}/api/sessions", headers=header).json():
                answers.delete(f"{self.url}/api/sessions/{session['id']}", headers=header)
            context.close()


class Notebook:
    """A notebook that is open in JupyterLab; `script_errors`: those that no script caught, but `TOO_BUSY`."""

    def __init__(self, page):
        self.page, self.script_errors = page, []
        page.on("pageerror", lambda error: str(error) == TOO_BUSY or self.script_errors.append(str(error)))
        self.cells = page.locator(".jp-Notebook .jp-Cell")

    def run_all(self) -> None:
        """Choose Run All Cells from the menu."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()

    def prompts(self) -> list[str]:
        """What stands beside the code cells: [ ]: before they run, [*]: while they wait, then a number.

        A folded cell has none.
        """
        return self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputPrompt").all_text_contents()

    def complaints(self) -> list[str]:
        """The errors and warnings that a reader sees, and the widgets that could not be shown."""
        return self.page.locator(COMPLAINTS).all_text_contents()

    def wait_until(self, happened: Callable[[], object], what: str) -> None:
        """Wait for what a slow machine may show late; an error in the notebook ends it at once."""
        end, pause = time.monotonic() + PATIENCE, 25.0
        while not happened():
            complaints = self.complaints() if pause >= ASKED_SELDOM else []
            assert not complaints, f"{what}: an error instead: {complaints[0]}"
            assert time.monotonic() < end, f"{what}: not within {PATIENCE} s; prompts {self.prompts()}"
            self.page.wait_for_timeout(pause)
            pause = min(1.5 * pause, ASKED_SELDOM)


def pictures(images) -> str:
    """What all these `img` and `canvas` show, as one text that changes with them."""
    return images.evaluate_all("all => all.map(one => one.src ?? one.toDataURL()).join()")
