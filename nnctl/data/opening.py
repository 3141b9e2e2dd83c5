"""Files of data opened: regular files alone, for a pipe or a device might never end, or never begin."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from nnctl.errors import DataError
from nnctl.process.files import AT_ONCE, other_kind

_GZIP = b"\x1f\x8b"


def open_file(path: Path) -> BinaryIO:
    """The regular file at `path`, links followed, to be read. Raises DataError, also for a file of another kind."""
    try:
        number = os.open(path, os.O_RDONLY | AT_ONCE)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        if (kind := other_kind(number)) is not None:
            raise DataError(f"{path} is {kind}, and a file is expected")
    except BaseException:
        os.close(number)
        raise
    return cast(BinaryIO, os.fdopen(number, "rb"))


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The file, through gzip where its first two bytes say so: its name may not. Raises DataError."""
    with open_file(path) as file:
        packed = file.read(2) == _GZIP
        file.seek(0)
        if not packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as stream:
            yield cast(IO[bytes], stream)


def unreadable(path: Path, error: OSError) -> DataError:
    """The error for a path that the system does not read."""
    return DataError(f"{path} cannot be read: {error.strerror or error}")


def not_utf8(place: str, start: bytes, reason: str) -> DataError:
    """The error for text in another encoding, named where its first bytes tell it. place: file, line and column."""
    utf16 = start[:2] in (b"\xff\xfe", b"\xfe\xff")
    packed = start[:2] == _GZIP
    hint = "unpack it first: it begins like gzip" if packed else "save it as UTF-8"
    if utf16:
        hint = "save it as UTF-8: it begins like UTF-16"
    return DataError(f"{place}: error: the file is not UTF-8: {reason}\n  {hint}")


def listed(folder: Path) -> list[Path]:
    """The entries of a folder, by name. Raises DataError."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error
