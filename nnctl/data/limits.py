"""Limits of what is read: what lies beyond is refused, with a sentence, before it takes memory or time."""

from __future__ import annotations

from nnctl.errors import DataError
from nnctl.process import memory
from nnctl.process.memory import in_bytes

COLUMNS = 1 << 17
"""Most columns of a table, 131,072."""
CLASSES = 1 << 17
"""Most classes of labels, 131,072."""
CATEGORIES = 256
"""Most categories of a column that each become an input where no spec calls the column that."""
MOST_INDEX = (1 << 31) - 1
"""Largest index that an embedding may be asked for."""
LINE_CHARACTERS = 1 << 24
"""Most characters in a line of a table, 16 Mi."""
PIXELS = 1 << 26
"""Most pixels of a picture, 64 Mi: 8192×8192. Of 8 bits and opaque, it takes 0.6 GB at the most to read."""
ALWAYS_UNPACKED = 1 << 28
"""Bytes that a packed array may always take unpacked, 256 MiB."""
PACKING = 40
"""More than these may be at most so many times the packed ones: arrays of a few repeated bytes pack to a thousandth,
and so do bombs."""


def require_memory(size: int, what: str) -> None:
    """Raise DataError where `what`, which takes `size` bytes to read, does not fit the memory that is left."""
    left = memory.available()
    if size > left:
        raise DataError(f"{what} takes {in_bytes(size)} of memory to read, and {in_bytes(left)} are left")


def require_packing(unpacked: int, packed: int, what: str, hint: str) -> None:
    """Raise DataError where `packed` bytes promise to become `unpacked` ones, out of all proportion."""
    if unpacked > max(ALWAYS_UNPACKED, PACKING * packed):
        raise DataError(
            f"{what} unpacks to {in_bytes(unpacked)} from {in_bytes(packed)}; what is packed may become "
            f"{in_bytes(ALWAYS_UNPACKED)}, or {PACKING} times its size\n  {hint}"
        )


def require_columns(count: int, what: str) -> None:
    """Raise DataError where a table is too wide."""
    if count > COLUMNS:
        raise DataError(
            f"{what} has {count:,} columns, and at most {COLUMNS:,} are read\n  arrays of any width are read from .npz"
        )


def require_classes(count: int, what: str, hint: str) -> None:
    """Raise DataError where there is more to tell apart than classes may be."""
    if count > CLASSES:
        raise DataError(f"{count:,} different {what}, and at most {CLASSES:,} can be told apart\n  {hint}")
