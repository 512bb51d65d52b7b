"""Build the lessons: each MyST source in notebooks/source becomes an executed notebook in notebooks.

python notebooks/build.py            build every lesson
python notebooks/build.py 01 09      build those
python notebooks/build.py --check    write nothing; exit with 1 where a notebook is not what its source says
"""

import argparse
import sys
import time
from copy import deepcopy
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError
from nbformat import NotebookNode
from slides import mark, split_at_breaks

NOTEBOOKS = Path(__file__).resolve().parent
SOURCES = sorted((NOTEBOOKS / "source").glob("*.md"))
LARGEST = 3_000_000  # bytes; repository viewers give up on larger files
LANGUAGE = {
    "name": "python",
    "pygments_lexer": "ipython3",
    "file_extension": ".py",
    "nbconvert_exporter": "python",
}
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTE = "Interactive: run this cell to use its controls."


class BuildError(Exception):
    """A lesson that could not be built: which one, where, and why."""


def read_source(source: Path) -> NotebookNode:
    """The lesson as a notebook without outputs; cell ids are the same at every reading."""
    notebook = jupytext.read(source)
    if not (kernel := notebook.metadata.get("kernelspec")):
        raise BuildError(f"{source.name}: the header needs a kernelspec with the name python3")
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": LANGUAGE})
    notebook.cells = split_at_breaks(notebook.cells)
    mark(notebook.cells)
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{source.name[:2]}-{index:03d}"
    return notebook


def build(source: Path, folder: Path = NOTEBOOKS) -> Path:
    """Execute the lesson in a new kernel that works in `folder`, and write it there with its outputs.

    Returns the notebook's path. Raises `BuildError`, which names the cell that fails or takes more than
    ten minutes, and then leaves an earlier notebook as it was.
    """
    from flowlib.files import write_atomically  # here, since --check can do without PyTorch

    path = folder / f"{source.stem}.ipynb"
    notebook, begun = read_source(source), [0]
    metadata = deepcopy(notebook.metadata)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=600,  # seconds, for one cell
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
        record_timing=False,
        on_cell_start=lambda cell, cell_index: begun.append(cell_index),
    )
    try:
        client.execute()
    except (CellControlSignal, DeadKernelError) as error:
        raise BuildError(f"{source.name}, {_cell(notebook, begun[-1])}: {error}") from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := without_widget(output, cell))]
    notebook.metadata = metadata  # without the widgets' states and the kernel's exact version
    write_atomically(path, (nbformat.writes(notebook) + "\n").encode())
    return path


def without_widget(output: NotebookNode, cell: NotebookNode) -> NotebookNode | None:
    """The output as it can be seen without a kernel, `None` where nothing of it can.

    A widget that has no picture or HTML beside it leaves a short note in a cell tagged `explorer`;
    elsewhere it is a progress bar, and leaves nothing.
    """
    data = output.get("data", {})
    if data.pop(WIDGET, None) is None or any(kind.startswith(("text/html", "image/")) for kind in data):
        return output
    if "explorer" in cell.metadata.get("tags", []):
        return nbformat.v4.new_output("display_data", {"text/markdown": f"*{NOTE}*", "text/plain": NOTE})
    return None


def problems(source: Path, folder: Path = NOTEBOOKS) -> list[str]:
    """What is wrong with the stored notebook of `source`, one line each; empty where nothing is."""
    path = folder / f"{source.stem}.ipynb"
    if not path.exists():
        return [f"{path.name} is missing"]
    try:
        have = nbformat.read(path, as_version=nbformat.NO_CONVERT)
        nbformat.validate(have)
    except (ValueError, nbformat.ValidationError) as error:
        return [f"{path.name} is no valid notebook: {str(error).splitlines()[0]}"]
    want, found = read_source(source), []
    if have.metadata != want.metadata:
        found.append(f"its metadata, {', '.join(have.metadata)}, is not as it was built")
    if len(have.cells) != len(want.cells):
        found.append(f"the source has {len(want.cells)} cells, the notebook {len(have.cells)}")
    for index, (theirs, ours) in enumerate(zip(want.cells, have.cells)):
        parts = [part for part in ("cell_type", "source", "metadata") if theirs[part] != ours[part]]
        if parts:
            found.append(f"{_cell(want, index)}: {' and '.join(parts)} not as in the source")
            break  # after an inserted cell all others differ too
    code = [cell for cell in have.cells if cell.cell_type == "code" and cell.source.strip()]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        found.append("not every code cell was executed once, from top to bottom")
    if any(output.output_type == "error" for cell in code for output in cell.outputs):
        found.append("an error is stored in it")
    if path.stat().st_size > LARGEST:
        found.append(f"{path.stat().st_size / 1e6:.1f} MB is more than {LARGEST / 1e6:.0f} MB")
    return [f"{path.name}: {line}" for line in found]


def _cell(notebook: NotebookNode, index: int) -> str:
    return f"cell {index} ({notebook.cells[index].source.strip().splitlines()[0]!r})"


def main() -> int:
    """Build or check the lessons that the command line names; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the lessons, or check that they are built.")
    parser.add_argument("lessons", nargs="*", metavar="NN", help="numbers of lessons; none means all")
    parser.add_argument("--check", action="store_true", help="write nothing, tell what is not built")
    options = parser.parse_args()
    there = {source.name[:2] for source in SOURCES}
    if not there or set(options.lessons) - there:
        parser.error(f"the lessons are {', '.join(sorted(there)) or 'missing'}, not {options.lessons}")
    chosen = [source for source in SOURCES if not options.lessons or source.name[:2] in options.lessons]
    if options.check:
        found = [line for source in chosen for line in problems(source)]
        orphans = {path.stem for path in NOTEBOOKS.glob("*.ipynb")} - {source.stem for source in SOURCES}
        found += [f"{stem}.ipynb has no source" for stem in sorted(orphans)]
        print("\n".join(found) or f"{len(chosen)} lesson(s), each as its source says")
        return int(bool(found))
    for source in chosen:
        began = time.monotonic()
        size = build(source).stat().st_size
        print(f"{source.stem}: {time.monotonic() - began:.0f} s, {size / 1e3:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BuildError as error:
        sys.exit(str(error))
