"""MNIST's file format: a gzip file of one array, unpacked with care and verified."""

import gzip
import hashlib
import zlib
from math import prod
from typing import BinaryIO

import numpy as np


def read_idx(payload: bytes) -> np.ndarray:
    """The uint8 array in an IDX file: bytes 0, 0, 8, rank; a big-endian uint32 for each length; the data.

    Source: LeCun, Cortes and Burges, "The MNIST database", section "File formats".
    """
    start = 4 + 4 * payload[3] if payload[:3] == b"\0\0\x08" and len(payload) > 3 else None
    if start is None or len(payload) < start:
        raise ValueError(f"expected an IDX file (00 00 08 ...), but came one with {payload[:4].hex(' ')} ...")
    shape = tuple(np.frombuffer(payload[4:start], dtype=">u4").tolist())
    if len(payload) != start + prod(shape):
        raise ValueError(f"expected {start + prod(shape)} bytes for shape {shape}, but came {len(payload)}")
    return np.frombuffer(payload, dtype=np.uint8, offset=start).reshape(shape)


def unpack(stream: BinaryIO, size: int, sha256: str) -> bytes:
    """The contents of a gzip file, which must be `size` bytes with this SHA-256; unpacks no more than that.

    Raises `ValueError`, with what was expected and what came.
    """
    head = stream.read(64)
    stream.seek(0)
    if head[:2] != b"\x1f\x8b":
        raise ValueError(f"expected a gzip file, but came {_described(head)}")
    try:
        with gzip.GzipFile(fileobj=stream) as packed:
            payload = packed.read(size + 1)  # the one byte more shows a file that is too long
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ValueError(
            f"expected a gzip file of {size:,} bytes when unpacked, but came one cut off or damaged ({error})"
        ) from error
    if len(payload) != size:
        came = f"only {len(payload):,}" if len(payload) < size else "more"
        raise ValueError(f"expected {size:,} bytes when unpacked, but came {came}")
    digest = hashlib.sha256(payload).hexdigest()
    if digest != sha256:
        raise ValueError(f"expected contents with SHA-256 {sha256}, but came {digest}, which is other data")
    return payload


def _described(head: bytes) -> str:
    if not head:
        return "an empty file"
    if head.lstrip().startswith(b"<"):
        return "a web page (HTML), such as a login or an error page"
    if head.startswith(b"\0\0\x08"):
        return "an IDX file that is already unpacked (gzip it, or take the .gz)"
    return f"a file that begins with {head[:8]!r}"
