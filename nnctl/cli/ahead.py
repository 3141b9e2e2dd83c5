"""Preparations that take long, begun before the command line is read: beside that, on another core."""

from __future__ import annotations

from collections.abc import Sequence

_NO_WORKERS = ("show", "fetch", "-h", "--help")


def begin(arguments: Sequence[str], *, own: bool) -> None:
    """Begin the nursery of a sweep's worker processes, where the arguments look as if there were to be any.

    Where they turn out to ask for something else, it ends with the command. own: whether the process is the command's
    alone, and may be copied.
    """
    if not arguments or arguments[0] != "sweep" or any(a in _NO_WORKERS or a.startswith("--on") for a in arguments):
        return
    from nnctl.sweep.executors import nursery

    nursery.begin(copied=own)
