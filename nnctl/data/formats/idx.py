"""The IDX format, that of the MNIST files: two zero bytes, a type, the number of axes, their lengths, the numbers.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import math
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.limits import require_memory, require_packing
from nnctl.data.opening import open_unpacked
from nnctl.errors import DataError
from nnctl.process.memory import in_bytes

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""Types of numbers by the byte that stands for them; the highest byte comes first."""
_CHUNK_BYTES = 1 << 20
_MOST_PUBLISHED = 1 << 29
"""Bytes to which a published file may unpack, 512 MiB: eleven times MNIST's images."""
_MOST_AXES = 8


def read_idx(path: Path, *, outline: bool = False) -> NDArray[Any]:
    """The array of an IDX file, plain or gzip: uint8, int8, int16, int32, float32 or float64 in native byte order.

    outline: only shape and type are read, and the numbers mean nothing. Raises DataError.
    """
    try:
        with open_unpacked(path) as stream:
            dtype, shape = _header(stream, path)
            size = math.prod(shape) * dtype.itemsize
            there = os.stat(path).st_size
            if isinstance(stream, gzip.GzipFile):
                require_packing(size, there, str(path), "unpack it")
            elif size > there:
                raise DataError(f"{path} ends early: it promises {in_bytes(size)}, and holds {in_bytes(there)}")
            if outline:
                return np.broadcast_to(np.zeros((), dtype.newbyteorder("=")), shape)
            require_memory(size, str(path))
            data = _read_exactly(stream, size, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    numbers = data.view(dtype).reshape(shape)
    return numbers if dtype.isnative else numbers.byteswap(inplace=True).view(dtype.newbyteorder("="))


def _header(stream: IO[bytes], path: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """(type, shape). Raises DataError."""
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES:
        raise DataError(f"{path} is no IDX file: it begins with {head.hex(' ') or 'nothing'}")
    if head[3] > _MOST_AXES:
        raise DataError(f"{path} has {head[3]} axes, and at most {_MOST_AXES} are read")
    lengths = stream.read(4 * head[3])
    if len(lengths) != 4 * head[3]:
        raise DataError(f"{path} ends inside its header")
    return np.dtype(_TYPES[head[2]]), tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))


def unpacked_md5(path: Path) -> str:
    """MD5 of a file's bytes, gzip undone.

    Raises DataError, or OSError, EOFError or zlib.error where it is damaged or unpacks to more than is ever read.
    """
    digest = hashlib.md5(usedforsecurity=False)
    size = 0
    with open_unpacked(path) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > _MOST_PUBLISHED:
                raise OSError(errno.EFBIG, f"it unpacks to more than {in_bytes(_MOST_PUBLISHED)}")
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
