"""Files as the system opens them: without waiting, and known for what they are."""

from __future__ import annotations

import os
import stat
import sys

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

# Flags of `os.open`: a pipe in the place of a file is noticed and not waited for; a link is refused.
if sys.platform == "win32":
    AT_ONCE, NO_LINK = os.O_BINARY | os.O_NOINHERIT, 0
else:
    AT_ONCE, NO_LINK = os.O_NONBLOCK | os.O_CLOEXEC, os.O_NOFOLLOW


def kind_of(mode: int) -> str:
    """The kind of a file, from `st_mode`, in words."""
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "a file")


def other_kind(descriptor: int) -> str | None:
    """The kind of what a descriptor is of, in words; None for a regular file."""
    mode = os.fstat(descriptor).st_mode
    return None if stat.S_ISREG(mode) else kind_of(mode)
