"""A class opens lesson 01 at the same minute: a kernel for each student, one cache for all."""

import asyncio
import os
import re

import nbformat
import pytest
from build import SOURCES
from cells import code_cells
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

SEAT = 0.45e9  # bytes, a little more than a kernel takes for itself at lesson 01, as TEACHING.md tells
STUDENTS = 3  # two share a cache while one still fills it; more prove nothing more
ITS_MEMORY = "import psutil\nprint(psutil.Process().memory_full_info().uss)"  # not shared with others


def lesson() -> nbformat.NotebookNode:
    """The code of lesson 01, its training of two steps the same for all, and a question for the memory."""
    cells = [re.sub(r"\bseconds=\d+", "steps=2", cell.code) for cell in code_cells(SOURCES[0])]
    return new_notebook(cells=[new_code_cell(code) for code in [*cells, ITS_MEMORY]])


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """What each of its cells printed, warnings included, in however many pieces it came."""
    return [
        "".join(output.text for output in cell.outputs if output.output_type == "stream")
        for cell in notebook.cells
    ]


@pytest.mark.slow
def test_a_whole_class_that_shares_one_cache_finishes_lesson_01_with_one_and_the_same_result(tmp_path):
    notebooks = [lesson() for student in range(STUDENTS)]
    shared = {"MPLCONFIGDIR": str(tmp_path / "matplotlib"), "FLOWLIB_CACHE_DIR": str(tmp_path / "flowlib")}

    def study(notebook, student):
        client = NotebookClient(notebook, kernel_name="python3", timeout=3600, startup_timeout=900)
        own = {"IPYTHONDIR": str(tmp_path / f"home_{student}"), "OMP_NUM_THREADS": "1"}
        return client.async_execute(env={**os.environ, **shared, **own})

    async def study_all():
        everyone = [study(notebook, student) for student, notebook in enumerate(notebooks)]
        return await asyncio.gather(*everyone, return_exceptions=True)

    failed = [str(result) for result in asyncio.run(study_all()) if isinstance(result, BaseException)]
    assert not failed, f"{len(failed)} of {STUDENTS} did not finish, the first with: {failed[0]}"
    words = [printed(notebook) for notebook in notebooks]
    assert "✓" in "".join(words[0])
    for each in words:
        assert each[:-1] == words[0][:-1]
    assert max(int(each[-1]) for each in words) <= SEAT
