"""Mistakes that learners and programmers make, and what notices each, as the files in `planted` tell them.

A file has one part for each place, `# 06` for a lesson's cells or `# losses.py` for a file of flowlib. A
mistake is a line `name => what turns red`, then the lines with - that become those with +. What turns red is
how the message of the lesson's check begins; or, for flowlib, a test as file::name.
"""

from pathlib import Path
from typing import NamedTuple


class Bug(NamedTuple):
    """`old` becomes `new` in `where`; then `red` must fail."""

    name: str
    where: str  # a number of a lesson, or a file of flowlib
    old: str
    new: str
    red: str  # how the message of a lesson's check begins; or a test, as file::name


def _read(table: str) -> list[Bug]:
    """The bugs of one file's text."""
    bugs = []
    for part in f"\n{table}".split("\n# ")[1:]:
        where, *entries = part.strip("\n").split("\n\n")
        for entry in entries:
            title, *lines = entry.split("\n")
            name, red = title.split(" => ")
            old, new = ("\n".join(line[2:] for line in lines if line[0] == mark) for mark in "-+")
            bugs.append(Bug(name, where, old, new, red))
    return bugs


_FILES = sorted(Path(__file__).with_name("planted").glob("*.txt"))
_BUGS = [bug for file in _FILES for bug in _read(file.read_text("utf-8"))]
IN_LESSONS = [bug for bug in _BUGS if bug.where.isdigit()]
IN_FLOWLIB = [bug for bug in _BUGS if not bug.where.isdigit()]


def planted(text: str, bug: Bug) -> str:
    """The text with the mistake in it, which has one place there."""
    assert text.count(bug.old) == 1, f"{bug.where} holds {bug.old!r} {text.count(bug.old)} times, not once"
    return text.replace(bug.old, bug.new)
