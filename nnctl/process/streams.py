"""The standard streams, made such that a command can use them whatever it was started with."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO

BROKEN_PIPE = 141
"""The exit code that a shell reports of a process that SIGPIPE ended: `nnctl … | head -1` is no failure of ours."""


def prepare_streams() -> None:
    """Open what is closed, and let stderr break nothing.

    A closed descriptor is open on the null device from now on: the next file to be opened would have its number,
    and whatever is printed would be written into it. What is for people, on stderr, is lost where it cannot be
    written, and ends nothing.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        _open(descriptor, mode)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 — it lasts as long as the process
    if sys.stdout is None:
        sys.stdout = _text(io.FileIO(1, "wb", closefd=False), "utf-8")
    sys.stderr = _text(_ForPeople(2, "wb", closefd=False), sys.stderr.encoding if sys.stderr else "utf-8")


def drop_stdout() -> None:
    """Send what is still to be written to stdout nowhere: the interpreter flushes it as it ends, and would complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)


class _ForPeople(io.FileIO):
    """A file that takes all that it is given, and forgets what it cannot write."""

    def write(self, data: bytes, /) -> int | None:  # type: ignore[override]
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _text(raw: io.FileIO, encoding: str) -> TextIO:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)


def _open(descriptor: int, mode: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        # The lowest number that is free: those below it are open by now. Worker processes inherit it.
        os.set_inheritable(os.open(os.devnull, mode), True)
