"""Headers of NumPy's format, read strictly: what an array would take is known before any of it is there."""

from __future__ import annotations

import ast
import math
import re
from typing import IO, Any

import numpy as np

from nnctl.errors import DataError
from nnctl.late import dataclass

MAGIC = b"\x93NUMPY"
_MOST_CHARACTERS = 10_000
_MOST_AXES = 32
_MOST_BYTES = 1 << 60
_PLAIN = re.compile(r"[<>|=]?[?bBhHiuIlLqQefdgnpcFDGSUVOmM]\d{0,9}(\[\w+\])?")
"""Descriptions of dtypes that are one word; of records they are lists."""


@dataclass(frozen=True)
class Header:
    """The header of an array: its shape, its dtype, whether the first axis varies fastest, its own size in bytes."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    size: int

    @property
    def data_bytes(self) -> int:
        """Bytes of the numbers behind it."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: IO[bytes], what: str) -> Header:
    """The header that the stream begins with; the stream then stands at the numbers. Raises DataError.

    Objects, which only a pickle could hold, and records are refused.
    """
    start = stream.read(8)
    if start[:6] != MAGIC or len(start) < 8:
        raise DataError(f"{what} is no array of NumPy's: it begins with {start.hex(' ') or 'nothing'}")
    if start[6] not in (1, 2):
        raise DataError(f"{what} is of the format's version {start[6]}.{start[7]}, which is for arrays of records")
    width = 2 if start[6] == 1 else 4
    length = stream.read(width)
    characters = int.from_bytes(length, "little")
    if characters > _MOST_CHARACTERS:
        raise DataError(f"{what} has a header of {characters:,} characters, and {_MOST_CHARACTERS:,} are enough")
    text = stream.read(characters)
    if len(length) < width or len(text) < characters:
        raise DataError(f"{what} ends inside its header")
    said = _literal(text, what)
    if not isinstance(said, dict) or set(said) != {"descr", "fortran_order", "shape"}:
        raise DataError(f"{what} has a header without descr, fortran_order and shape")
    shape, fortran = said["shape"], said["fortran_order"]
    # A bool is an int to Python, and no length.
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape) or len(shape) > _MOST_AXES:
        raise DataError(f"{what} has a header whose shape is none: up to {_MOST_AXES} lengths are expected")
    if not isinstance(fortran, bool):
        raise DataError(f"{what} has a header whose fortran_order is neither True nor False")
    dtype = _dtype(said["descr"], what)
    if math.prod(n or 1 for n in shape) * dtype.itemsize > _MOST_BYTES:
        raise DataError(f"{what} promises more numbers than any memory holds: its shape has {len(shape)} axes")
    return Header(shape, dtype, fortran, 8 + width + characters)


def _literal(text: bytes, what: str) -> Any:
    try:
        return ast.literal_eval(text.decode("latin-1").strip())
    # Nesting as deep as a header is long ends in one of the last two.
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise DataError(f"{what} has a header that cannot be read") from error


def _dtype(said: Any, what: str) -> np.dtype[Any]:
    if not isinstance(said, str) or not _PLAIN.fullmatch(said):
        raise DataError(f"{what} holds records, and plain numbers or text are expected; save each field by itself")
    try:
        dtype = np.dtype(said)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} holds {said}, and numbers or text are expected") from error
    if dtype.hasobject:
        raise DataError(f"{what} holds Python objects, which are never loaded; save plain arrays of numbers or text")
    if dtype.itemsize == 0:
        raise DataError(f"{what} holds {said}, which takes no bytes")
    return dtype
