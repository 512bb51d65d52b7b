"""The full MNIST at 16×16: from a folder, the cache, or two mirrors; verified, resized once, kept."""

import io
import math
import os
import time
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from flowlib.data.idx import read_idx, unpack
from flowlib.data.resize import area_average
from flowlib.files import expanded, write_atomically

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
TIMEOUT = (10, 30)  # seconds: to connect, and between two pieces of a file
PATIENCE, SLOWEST = 60, 1000  # after so many seconds, so many bytes per second are too few
BUNDLED = "The 5,000 digits that come with flowlib always work: fl.load_digits()"


@dataclass(frozen=True)
class IdxFile:
    """One of MNIST's files: its name, the shape of its bytes, the SHA-256 of its contents when unpacked."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Bytes when unpacked: 4 of magic number, 4 for each length, then the data."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


# fmt: off
FILES = {  # split -> images, labels
    "train": (
        IdxFile("train-images-idx3-ubyte.gz", (60000, 28, 28),
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        IdxFile("train-labels-idx1-ubyte.gz", (60000,),
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
    ),
    "test": (
        IdxFile("t10k-images-idx3-ubyte.gz", (10000, 28, 28),
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        IdxFile("t10k-labels-idx1-ubyte.gz", (10000,),
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
}
# fmt: on


def load_full(split: str, folder: str | os.PathLike | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 `(n, 16, 16)` and labels uint8 `(n,)` of one split of the full MNIST, in its own order.

    A folder (the argument, else FLOWLIB_MNIST_DIR) is read and verified each time: files that are missing or
    wrong are an error, never a reason to download. Without a folder: the cache, else the mirrors.
    """
    folder = folder if folder is not None else os.environ.get("FLOWLIB_MNIST_DIR") or None
    payloads = None if folder is None else read_folder(folder, split)
    kept = read_cache(split)
    if kept is not None:
        return kept
    images, labels = (read_idx(payload) for payload in payloads or download(split))
    images = area_average(images)
    write_cache(split, images, labels)
    return images, labels.copy()


def read_folder(folder: str | os.PathLike, split: str) -> list[bytes]:
    """The verified contents of a split's image and label files in a folder.

    Raises `ValueError` for a file with other contents, `FileNotFoundError` or another `OSError` for one
    that can't be read.
    """
    folder = expanded(folder)
    names = " and ".join(file.name for file in FILES[split])
    elsewhere = (
        f"Take the file again from {MIRRORS[0]}, or have it downloaded: no folder=, no FLOWLIB_MNIST_DIR."
    )
    payloads = []
    for file in FILES[split]:
        path = folder / file.name
        try:
            with path.open("rb") as stream:
                payloads.append(unpack(stream, file.size, file.sha256))
        except ValueError as error:
            raise ValueError(f"{path}: {error}. {elsewhere} {BUNDLED}") from error
        except OSError as error:
            reason = f"{file.name} can't be read ({error.strerror})"
            raise type(error)(f"expected {names} in {folder}, but {reason}. {elsewhere} {BUNDLED}") from error
    return payloads


class _Bounded(io.BytesIO):
    """Bytes in memory, at most `limit` of them, which must not come too slowly."""

    def __init__(self, limit: int):
        super().__init__()
        self.limit, self.start = limit, math.inf

    def write(self, piece: Any) -> int:
        self.start = min(self.start, time.monotonic())  # when the first piece came
        size, seconds = self.tell() + len(piece), time.monotonic() - self.start
        if size > self.limit:
            raise ValueError(f"expected at most {self.limit:,} bytes, but more came")
        if seconds > PATIENCE and size < SLOWEST * seconds:
            raise ValueError(f"expected {SLOWEST:,} bytes a second, but {size:,} came in {seconds:.0f} s")
        return super().write(piece)


def download(split: str) -> list[bytes]:
    """The verified contents of a split's image and label files, each from the first mirror that has it.

    Raises `ConnectionError`, with what came from each mirror, where none has it.
    """
    return [_download(file) for file in FILES[split]]


def _download(file: IdxFile) -> bytes:
    came = []
    for mirror in MIRRORS:
        url = mirror + file.name
        try:
            return unpack(_fetch(url, file), file.size, file.sha256)
        except (OSError, ValueError) as error:  # requests' errors are OSErrors
            came.append(f"  {url}: {_reason(error)}")
    raise ConnectionError(
        f"expected MNIST's {file.name} from one of {len(MIRRORS)} mirrors, but none gave it:\n"
        + "\n".join(came)
        + "\nCheck the network and try again, or put MNIST's four .gz files in a folder and type "
        f'fl.load_digits("full", folder="..."). {BUNDLED}'
    )


def _fetch(url: str, file: IdxFile) -> BinaryIO:
    import pooch  # here, so that whoever needs no network loads neither
    from tqdm.auto import tqdm

    packed = _Bounded(file.size + 2**16)  # no mirror needs more, even for what gzip can't make smaller
    as_it_lies = {"Accept-Encoding": "identity"}  # else the gzip file may come unpacked
    with tqdm(desc=file.name, total=file.size, unit="B", unit_scale=True) as bar:  # pooch sets the true total
        # in small pieces, so that a server that drips is found out
        pooch.HTTPDownloader(bar, 2**8, timeout=TIMEOUT, headers=as_it_lies)(url, packed, None)
    packed.seek(0)
    return packed


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    if isinstance(error, OSError):
        return f"no connection, or it broke off ({type(error).__name__})"
    return str(error)


def cache_path(split: str) -> Path:
    """Where a split is kept: in FLOWLIB_CACHE_DIR, else in the user's cache folder.

    Raises `RuntimeError` where the user has none.
    """
    folder = os.environ.get("FLOWLIB_CACHE_DIR")
    if not folder:
        import pooch

        folder = pooch.os_cache("flowlib")
    return Path(folder).expanduser() / f"mnist_16x16_{split}.npz"


def read_cache(split: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Images and labels as kept before; None where there are none, or none that can be used."""
    n = FILES[split][1].shape[0]
    try:
        path = cache_path(split)
        with zipfile.ZipFile(path) as packed:
            if sum(member.file_size for member in packed.infolist()) > n * 257 + 2**10:  # two headers
                return None
        with np.load(path) as kept:
            images, labels = kept["images"], kept["labels"]
    except Exception:  # not there, or damaged in whatever way: prepare it anew
        return None
    fits = images.shape == (n, 16, 16) and labels.shape == (n,) and images.dtype == labels.dtype == np.uint8
    return (images, labels) if fits and labels.max() <= 9 else None


def write_cache(split: str, images: np.ndarray, labels: np.ndarray) -> None:
    """Keep a split in one step, so that others find the whole file or none. Where that can't be, warn."""
    packed = io.BytesIO()
    np.savez(packed, images=images, labels=labels)
    try:
        write_atomically(cache_path(split), packed.getvalue())
    except (OSError, RuntimeError) as error:
        if read_cache(split) is None:  # else another process has just kept the same
            warnings.warn(
                f"the digits are loaded, but can't be kept in flowlib's cache ({error}), so next time they "
                "are prepared anew; set FLOWLIB_CACHE_DIR to a folder where you may write",
                stacklevel=4,
            )
