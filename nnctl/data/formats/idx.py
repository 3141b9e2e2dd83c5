"""The IDX format of the MNIST files: two zero bytes, a type, the number of axes, their lengths, the numbers.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import errno
import hashlib
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nnctl.data.limits import require_memory
from nnctl.data.opening import open_unpacked
from nnctl.errors import DataError
from nnctl.process.memory import in_bytes

_UINT8 = 0x08
_CHUNK_BYTES = 1 << 20
_MOST_BYTES = 1 << 29
"""Bytes of numbers that are read of one file, 512 MiB: eleven times MNIST's images."""
_MOST_AXES = 8


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes, plain or gzip. Raises DataError."""
    try:
        with open_unpacked(path) as stream:
            head = stream.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != _UINT8:
                raise DataError(f"{path} is no IDX file of unsigned bytes: it begins with {head.hex(' ') or 'nothing'}")
            if head[3] > _MOST_AXES:
                raise DataError(f"{path} has {head[3]} axes, and at most {_MOST_AXES} are read")
            lengths = stream.read(4 * head[3])
            if len(lengths) != 4 * head[3]:
                raise DataError(f"{path} ends inside its header")
            shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
            size = math.prod(shape)
            if size > _MOST_BYTES:
                raise DataError(f"{path} promises {in_bytes(size)}, and at most {in_bytes(_MOST_BYTES)} are read")
            require_memory(size, str(path))
            data = _read_exactly(stream, size, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return data.reshape(shape)


def unpacked_md5(path: Path) -> str:
    """MD5 of a file's bytes, gzip undone.

    Raises DataError, or OSError, EOFError or zlib.error where it is damaged or unpacks to more than is ever read.
    """
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    with open_unpacked(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > _MOST_BYTES:
                raise OSError(errno.EFBIG, f"it unpacks to more than {in_bytes(_MOST_BYTES)}")
            digest.update(chunk)
    return digest.hexdigest()


def _read_exactly(stream: IO[bytes], count: int, path: Path) -> NDArray[np.uint8]:
    """`count` bytes, in parts, into memory that is taken as they come."""
    data = np.empty(count, dtype=np.uint8)
    memory, filled = data.data, 0
    while filled < count:
        chunk = stream.read(min(count - filled, _CHUNK_BYTES))
        if not chunk:
            raise DataError(f"{path} ends early: {filled:,} of {count:,} bytes of data")
        memory[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
    if stream.read(1):
        raise DataError(f"{path} goes on after its {count:,} bytes of data")
    return data
