"""Writing files so that a reader never meets half of one, nor those of two writers in one folder."""

import glob
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

if sys.platform != "win32":
    import fcntl

ABANDONED = 3600  # seconds after which a draft is that of a writer that was killed


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all; missing folders are made, and ~ is the user's own.

    The bytes go to a temporary file in the same folder, which then takes the name in one move. An
    interrupt, a killed process or a full disk leaves what stood there before. Raises `OSError`, which
    names `path`, where it cannot write.
    """
    path = expanded(path)
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


def expanded(path: str | os.PathLike) -> Path:
    """The path with ~ as the user's own folder; the ~ of nobody stays, and is told as not found."""
    return Path(os.path.expanduser(path))


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Make a folder and keep it for a block: until then, another process that asks for it is refused.

    The system lets go of it however this process ends. Raises `OSError` where it can't be written to, or
    another process has it; where the system locks no folders, as on some networks, nobody is refused.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        reason = "a file has its name" if folder.is_file() else error.strerror
        raise OSError(f"{folder} is no folder to write to ({reason}); name another") from error
    with ExitStack() as held:
        try:
            if sys.platform == "win32":  # which removes such a file once it is closed
                held.callback(os.close, os.open(folder / ".lock", os.O_CREAT | os.O_EXCL | os.O_TEMPORARY))
            else:
                held.callback(os.close, lock := os.open(folder, os.O_RDONLY))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, FileExistsError, PermissionError):
            raise OSError(f"another process writes to {folder}; wait for its end, or name another") from None
        except OSError:
            pass
        yield


def _clear_drafts(path: Path) -> None:
    """Remove what killed writers of `path` left behind. A younger draft may still be written by someone."""
    for draft in path.parent.glob(f".{glob.escape(path.name)}." + "[0-9a-f]" * 32):
        with suppress(OSError):
            if time.time() - draft.stat().st_mtime > ABANDONED:
                draft.unlink()
