"""Refusals of the machine: what the operating system does not give, as a sentence."""

from __future__ import annotations

import errno

_OURS = frozenset({errno.EBADF, errno.EFAULT, errno.EINVAL, errno.ENOTTY, errno.ESPIPE})
"""Errors of calls that our code got wrong; all others speak of the machine, its files and its limits."""


def sentence_of(error: OSError) -> str | None:
    """A sentence for an error of the machine, with the file that it is about; None where it is a defect of ours."""
    if error.errno is None or error.errno in _OURS:
        return None
    what = error.strerror or str(error)
    return what if error.filename is None else f"{what}: {error.filename}"


_SHORTAGES = ("can't start new thread", "failed to map segment", "Cannot allocate memory")
"""Words of Python and of the loader of shared libraries where there is no memory for a thread or a library."""


def shortage_of(error: BaseException) -> str | None:
    """A sentence for an error that little memory causes; None for any other."""
    if not isinstance(error, MemoryError) and not any(words in str(error) for words in _SHORTAGES):
        return None
    said = str(error).strip().rstrip(".")
    return f"there is not enough memory{f': {said}' if said else ''}"
