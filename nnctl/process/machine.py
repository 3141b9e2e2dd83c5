"""Errors of the machine: what the operating system refuses, as a sentence."""

from __future__ import annotations

import errno

_OURS = frozenset({errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOTTY, errno.ESPIPE})
"""What the system says of a call that our code got wrong; all else speaks of the machine, its files and its limits."""


def sentence_of(error: OSError) -> str | None:
    """A sentence for an error of the machine, with the file that it is about; None where it is a defect of ours."""
    if error.errno is None or error.errno in _OURS:
        return None
    what = error.strerror or str(error)
    return what if error.filename is None else f"{what}: {error.filename}"
