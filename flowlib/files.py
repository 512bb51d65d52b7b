"""Writing files so that a reader never meets half of one."""

import os
from pathlib import Path
from uuid import uuid4


def write_atomically(path: str | Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all; missing folders are made.

    The bytes go to a temporary file in the same folder, which then takes the name in one move. An
    interrupt or a full disk leaves what stood there before. Raises `OSError` where it cannot write.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
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
