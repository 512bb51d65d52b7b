"""Readers run cells twice, and Run All after Run All, in one and the same kernel."""

import contextlib
import io
import warnings

import pytest
from build import SOURCES
from cells import code_cells


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name[:2])
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
