"""The lock of a run folder: one process at a time trains into it, and knows when the folder is gone."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from nnctl.errors import RunError
from nnctl.process.files import AT_ONCE, NO_LINK
from nnctl.runs.durable import GrowingFile

_MOMENT = 0.02
"""Seconds after which a reader has let go of a lock that it looked at."""


class Lock:
    """A lock on the metrics file, the system's: it ends with the process, however that ends."""

    def __init__(self, file: GrowingFile) -> None:
        """Of a file that this process has locked."""
        self._file = file

    @classmethod
    def attempt(cls, metrics: Path, *, named: bool = True) -> Lock | None:
        """The lock of a run's metrics file; None where another process has it. named: see `GrowingFile`.

        Raises RunError.
        """
        file = GrowingFile(metrics, named=named)
        taken = False
        try:
            # Whoever waited at a file that was replaced meanwhile has locked what nobody else will look at.
            taken = _lock_at_last(file.descriptor) and file.in_place()
        finally:
            if not taken:
                file.close()
        return cls(file) if taken else None

    def require_in_place(self) -> None:
        """Raise RunError where the folder is no longer where it was."""
        if not self._file.in_place():
            raise RunError(
                f"{self._file.path.parent}: the run's folder was moved or deleted while it trained\n"
                "  where it was moved to, --resume goes on from its last checkpoint"
            )

    def release(self) -> None:
        """Give it back."""
        self._file.close()


def _lock_at_last(descriptor: int) -> bool:
    """True where the lock is taken, at once or a moment later: a reader that looks at it holds it that long."""
    if _lock(descriptor):
        return True
    time.sleep(_MOMENT)
    return _lock(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            # One byte far past the end: Windows' locks forbid reading what they cover.
            os.lseek(descriptor, 2**40, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def is_locked(metrics: Path) -> bool:
    """True where a process trains into the run that a metrics file belongs to; nothing is made or kept locked."""
    try:
        descriptor = os.open(metrics, os.O_RDONLY | AT_ONCE | NO_LINK)
    except OSError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)
