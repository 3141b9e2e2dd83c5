"""Compiled code on disk, by key: made once, used again, thrown away where it is damaged.

A file of the cache holds the hash of what was made, and that. One that does not match its hash, or
that another user may have put there, is thrown away and made anew; where nothing can be written, the
code is made for this process alone. What has not been used for longest leaves when the cache is full.
Signals do not wait for what is being made.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from nnctl import __version__
from nnctl.backends.cache.private import cache_root, doubt_about
from nnctl.backends.cache.pruning import BUILDING, MOST_BYTES, added, remove, used
from nnctl.process.signals import leave

log = logging.getLogger("nnctl.compile")

_HASH_BYTES = 32


def key_of(parts: Iterable[str | bytes]) -> str:
    """The key of what is made from these parts by this version of the project.

    A backend names all that the thing depends on: its text, the sources of what it calls,
    versions of compilers, the processor.
    """
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        data = part if isinstance(part, bytes) else part.encode()
        digest.update(f"\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:32]


def kept_bytes(name: str, parts: Iterable[str | bytes], make: Callable[[], bytes]) -> bytes:
    """Bytes made from these parts: from the cache, or made and put there."""
    root = cache_root()
    if root is None:
        return bytes(leave(make))
    stored = found_bytes(name, parts)
    if stored is not None:
        return stored
    contents: bytes = leave(make)
    keep_bytes(name, parts, contents)
    return contents


def keep_bytes(name: str, parts: Iterable[str | bytes], contents: bytes) -> None:
    """Keep bytes under these parts, in place of what was kept there."""
    root = cache_root()
    if root is None:
        return
    path = root / f"{name}-{key_of(parts)}"
    try:
        _publish(path, contents)
    except OSError as error:
        _say_unwritable(root, error.strerror)
    else:
        added(path)


def found_bytes(name: str, parts: Iterable[str | bytes]) -> bytes | None:
    """Bytes that were kept under these parts; None where there are none."""
    root = cache_root()
    if root is None:
        return None
    path = root / f"{name}-{key_of(parts)}"
    stored = _intact(path)
    if stored is not None:
        used(path)
    return stored


def forget(name: str, parts: Iterable[str | bytes]) -> None:
    """Remove the bytes that were kept under these parts, so that they are made anew."""
    root = cache_root()
    if root is not None:
        remove(root / f"{name}-{key_of(parts)}")


def _intact(path: Path) -> bytes | None:
    """The bytes that were put into a file of the cache; None where it is not there, or is not what was put there."""
    try:
        stored = _read(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (OSError, ValueError):
        stored = b""
    if hashlib.sha256(stored[_HASH_BYTES:]).digest() == stored[:_HASH_BYTES]:
        return stored[_HASH_BYTES:]
    log.info("the compiled code in %s is damaged, and made anew", path)
    remove(path)
    return None


def _read(path: Path) -> bytes:
    """The bytes of a file. Raises ValueError for what was not put there: a pipe would never end."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES or doubt_about(path) is not None:
        raise ValueError(f"{path} is nothing that was put there")
    return path.read_bytes()


def _publish(path: Path, contents: bytes) -> None:
    """Put a file into the cache, whole, by a rename; where another process was faster, in place of the same."""
    # Such a file is its owner's alone, whatever others the user lets write to new files.
    descriptor, name = tempfile.mkstemp(prefix=BUILDING, dir=path.parent)
    building = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(hashlib.sha256(contents).digest() + contents)
        building.replace(path)
    finally:
        building.unlink(missing_ok=True)


@cache
def _say_unwritable(root: Path, reason: str) -> None:
    """Say it once, not for each file."""
    log.info("%s cannot be written (%s): compiled code is kept for this run only", root, reason)
