"""The nursery of worker processes: one process that has loaded what trials need, of which each worker is a copy.

On Linux it is multiprocessing's fork server, begun as early as can be: it loads beside the command that reads its
spec. Elsewhere libraries are not to be forked, and each worker loads for itself.
"""

from __future__ import annotations

import multiprocessing
import sys
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.context import ForkServerContext, SpawnContext

from nnctl.process.signals import held
from nnctl.process.variables import one_thread


def begin() -> None:
    """Begin the nursery before it is needed. Where no process can be started, whoever needs one is told."""
    with suppress(OSError):
        nursery()


def nursery() -> SpawnContext | ForkServerContext:
    """The context that starts worker processes, begun if it was not. Raises OSError where no process can be started."""
    # It would let signals through as it starts.
    resource_tracker.ensure_running()
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nnctl.sweep.executors.preloaded"])
    # Ctrl-C waits until a worker can answer it.
    with one_thread(), held():
        forkserver.ensure_running()
    return context
