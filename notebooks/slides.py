"""A lesson as a lecture: where its text is split into cells, and which of them share a slide.

The builder calls this on every source, so a source holds no word about slides. `slides.json` is the
configuration of `jupyter nbconvert --to slides` that goes with it.
"""

import re
from copy import deepcopy

from nbformat import NotebookNode

BREAK = re.compile(r"\n\n+(?=## |\*\*|By hand|Why)")  # where a lesson begins something new
SHORT = 300  # characters: text that leaves room on its slide for the code below it
DRAWS = "fl.plots.show("


def split_at_breaks(cells: list[NotebookNode]) -> list[NotebookNode]:
    """The cells, with text split before headings, bold openings, a case by hand, and an answer to "Why?".

    Text that carries tags stays whole: a question and its numbered parts are one thing.
    """
    parts = []
    for cell in cells:
        whole = cell.cell_type != "markdown" or cell.metadata.get("tags")
        for text in [cell.source] if whole else BREAK.split(cell.source):
            parts.append(deepcopy(cell))
            parts[-1].source = text
    return parts


def slide_type(cell: NotebookNode, above: NotebookNode) -> str:
    """What a cell is in a lecture: "slide" (to the right), "subslide" (below), "-" (on the slide above it),
    "notes" (for the speaker's eyes) or "skip".
    """
    tags, asked = cell.metadata.get("tags", []), "predict" in above.metadata.get("tags", [])
    if "solution" in tags:
        return "notes"
    if "setup" in tags or "exercise" in tags:
        return "skip"
    if cell.cell_type == "markdown":
        return "slide" if cell.source.startswith(("# ", "## ")) else "subslide"
    if above.cell_type == "code" or asked or len(above.source) > SHORT:
        return "subslide"
    return "-"


def mark(cells: list[NotebookNode]) -> None:
    """Give each cell its place in a lecture, and the tag `hide-input` where its code only draws."""
    for above, cell in zip([cells[0], *cells], cells):
        cell.metadata.slideshow = {"slide_type": slide_type(cell, above)}
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and DRAWS in cell.source and "check" not in tags:
            cell.metadata.tags = [*tags, "hide-input"]
