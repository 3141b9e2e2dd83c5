"""The IDX format of the MNIST files: two zero bytes, a type, the number of axes, their lengths, the numbers.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from nnctl.errors import DataError

_UINT8 = 0x08
_CHUNK_BYTES = 1 << 20


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, plain or gzip. Raises DataError."""
    try:
        with open_unpacked(path) as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UINT8:
                raise DataError(f"{path} is no IDX file of unsigned bytes: it begins with {head.hex(' ') or 'nothing'}")
            lengths = stream.read(4 * head[3])
            shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
            if len(shape) != head[3]:
                raise DataError(f"{path} ends inside its header")
            data = _read_exactly(stream, math.prod(shape), path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return data.reshape(shape)


def unpacked_md5(path: Path) -> str:
    """MD5 of a file's bytes, gzip undone. Raises OSError, EOFError or zlib.error where it is damaged."""
    digest = hashlib.md5(usedforsecurity=False)
    with open_unpacked(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def open_unpacked(path: Path) -> IO[bytes]:
    """The file, through gzip where its first two bytes say so: its name may not."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def _read_exactly(stream: IO[bytes], count: int, path: Path) -> NDArray[np.uint8]:
    """`count` bytes, in parts: a damaged header that promises terabytes must not allocate them."""
    parts: list[NDArray[np.uint8]] = []
    missing = count
    while missing:
        chunk = stream.read(min(missing, 64 * _CHUNK_BYTES))
        if not chunk:
            raise DataError(f"{path} ends early: {count - missing:,} of {count:,} bytes of data")
        parts.append(np.frombuffer(chunk, dtype=np.uint8))
        missing -= len(chunk)
    if stream.read(1):
        raise DataError(f"{path} goes on after its {count:,} bytes of data")
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)
