"""The cache of compiled code in bounds: what was not used for longest goes when something new comes.

An entry is a folder or file of the cache; its time of modification is that of its
last use. Code for other versions or processors is never used again, and so goes
first. Several processes may do this at once: an entry leaves by a rename, at once.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("nnctl.compile")

MOST_BYTES = 512 << 20
"""Some thousand nets: a step takes a quarter of a mebibyte."""
BUILDING, _LEAVING = "building-", "leaving-"
_ABANDONED_SECONDS = 86400.0
"""Nothing compiles for a day: such a folder is of a process that was killed."""


@dataclass(frozen=True)
class CacheEntry:
    """used: when last, in seconds since the epoch."""

    path: Path
    used: float
    bytes: int


def used(entry: Path) -> None:
    """Note that an entry is used now; of a cache that cannot be written nothing is noted."""
    with suppress(OSError):
        os.utime(entry)


def prune(root: Path, keep: Path) -> None:
    """Remove the entries used longest ago until what is left fits MOST_BYTES; `keep` stays, and what is being built.

    What cannot be read or removed is passed over: another process may be at it, or it is another user's.
    """
    now = time.time()
    kept: list[CacheEntry] = []
    for entry in entries(root):
        if entry.path.name.startswith(_LEAVING):
            remove(entry.path)
        elif not entry.path.name.startswith(BUILDING):
            kept.append(entry)
        elif now - entry.used > _ABANDONED_SECONDS:
            remove(entry.path)
    total = sum(entry.bytes for entry in kept)
    for entry in sorted(kept, key=lambda entry: entry.used):
        if total <= MOST_BYTES:
            return
        if entry.path != keep:
            total -= entry.bytes
            log.debug("%s was used longest ago, and leaves the cache", entry.path)
            remove(entry.path)


def entries(root: Path) -> Iterator[CacheEntry]:
    """The entries of a cache, in no order; without what vanishes meanwhile."""
    with suppress(OSError):
        for path in list(root.iterdir()):
            with suppress(OSError):
                yield CacheEntry(path, path.lstat().st_mtime, _bytes(path))


def _bytes(path: Path) -> int:
    files = [Path(place, name) for place, _, names in os.walk(path) for name in names] or [path]
    return sum(file.lstat().st_size for file in files)


def remove(path: Path) -> None:
    """Take an entry away at once, whatever it is: a reader finds it as it was, or not at all."""
    with suppress(OSError):
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        leaving = path.with_name(f"{_LEAVING}{os.getpid()}-{path.name}")
        if not path.name.startswith(_LEAVING):
            path = path.rename(leaving)
        shutil.rmtree(path, ignore_errors=True)
