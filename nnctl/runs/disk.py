"""The disk: the operations that change it, one method each.

Everything that a run or a sweep writes goes through `nnctl.runs.durable`, and from
there through an object of this class: the seam at which tests lose power, or space.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


class Disk:
    """The operating system's. Every method raises OSError. waited: seconds that flushes have taken."""

    waited = 0.0

    def make_folder(self, path: Path) -> None:
        """Make one folder, in a folder that is there."""
        path.mkdir()

    def open(self, path: Path, flags: int) -> int:
        """A descriptor of a file, made where `flags` say so."""
        return os.open(path, flags, 0o666)

    def write(self, descriptor: int, content: bytes) -> None:
        """Write all of `content`."""
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file to its first `length` bytes."""
        os.ftruncate(descriptor, length)

    def flush(self, descriptor: int) -> None:
        """Bring a file's content to the disk."""
        self._wait(descriptor)

    def rename(self, path: Path, new: Path) -> None:
        """Give a file the name `new`, atomically, in place of what had it."""
        path.replace(new)

    def link(self, path: Path, target: str) -> None:
        """Make `path` a symbolic link to a folder beside it."""
        path.symlink_to(target, target_is_directory=True)

    def remove(self, path: Path) -> None:
        """Remove a file or a link."""
        path.unlink()

    def flush_folder(self, path: Path) -> None:
        """Bring a folder's names to the disk: what was made, renamed or removed in it."""
        if sys.platform == "win32":
            return  # Windows cannot open a folder as a file; NTFS journals names itself.
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self._wait(descriptor)
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int) -> None:
        before = time.perf_counter()
        os.fsync(descriptor)
        self.waited += time.perf_counter() - before
