"""Writing files so that a reader never meets half of one."""

import glob
import os
import time
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

ABANDONED = 3600  # seconds after which a draft is that of a writer that was killed


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all; missing folders are made.

    The bytes go to a temporary file in the same folder, which then takes the name in one move. An
    interrupt, a killed process or a full disk leaves what stood there before. Raises `OSError`, which
    names `path`, where it cannot write.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_drafts(path)
        draft = path.with_name(f".{path.name}.{uuid4().hex}")
        try:
            with draft.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        remedy = "nothing that stood there is lost; make room there, or choose another path"
        raise type(error)(error.errno, f"{error.strerror or error}; {remedy}", str(path)) from error


def _clear_drafts(path: Path) -> None:
    """Remove what killed writers of `path` left behind. A younger draft may still be written by someone."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}." + "[0-9a-f]" * 32):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > ABANDONED:
                draft.unlink()
