"""The cache of compiled code in bounds: what was not used for longest goes when something new comes.

An entry is a file of the cache, or a folder of an earlier version's; its time of
modification is that of its last use. Code for other versions or processors is never
used again, and so goes first. Several processes may do this at once: an entry leaves
at once, a folder by a rename.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from nnctl.late import dataclass

log = logging.getLogger("nnctl.compile")

MOST_BYTES = 128 << 20
"""Some ten thousand kinds of launches: one takes a few kibibytes."""
_UNSEEN_SHARE = 64
"""A process looks through a cache as it adds to it for the first time, and after each such part of MOST_BYTES."""
BUILDING, _LEAVING = "building-", "leaving-"
_ABANDONED_SECONDS = 86400.0
"""Nothing is written for a day: such a file is of a process that was killed."""
_unseen: dict[Path, int] = {}
"""Bytes that this process has added to a cache since it looked through it."""


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


def added(entry: Path) -> None:
    """Note an entry that is new, and prune its cache where that is due: a look through all files takes time."""
    root = entry.parent
    with suppress(OSError):
        size = entry.lstat().st_size
        if root in _unseen and _unseen[root] + size <= MOST_BYTES // _UNSEEN_SHARE:
            _unseen[root] += size
            return
    _unseen[root] = 0
    prune(root, keep=entry)


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
        with os.scandir(root) as found:
            listed = list(found)
        for each in listed:
            with suppress(OSError):
                status = each.stat(follow_symlinks=False)
                size = _bytes(each.path) if stat.S_ISDIR(status.st_mode) else status.st_size
                yield CacheEntry(Path(each.path), status.st_mtime, size)


def _bytes(folder: str) -> int:
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
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
