"""The nursery of worker processes: one process that has loaded what trials need, of which each worker is a copy.

On Linux a command forks it as early as can be: it loads beside the command that reads its spec. Elsewhere libraries
are not to be forked, and each worker loads for itself.

The standard library's `forkserver` is such a process, too, but always an interpreter of its own, which loads once more
what the command has loaded, beside a process that watches over resources: two workers cost a third more of the
processor until they are there, and each reads the main module of whoever asks. Workers forked by the command itself
would have no clean process to come from: it may have threads, as those of a progress bar, when one that died is
replaced.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Protocol

from nnctl.components.registry import components
from nnctl.process.signals import held
from nnctl.process.variables import one_thread
from nnctl.spec.load import Loaded
from nnctl.sweep.executors.copying import Begun, serve

_SERVE = "from nnctl.sweep.executors.copying import serve; serve({}, {})"
_SHARED = ("nnctl.process.refusals", "nnctl.runs.find", "nnctl.sweep.trial", "nnctl.training.signals")
"""Modules that a command needs as well as its workers do, besides those that are loaded here."""
_UNKNOWN = 255
"""The exit code of a process whose nursery has died, so that nobody knows it."""


class Process(Protocol):
    """A worker process, as multiprocessing has them. exitcode: None while it lives, negative for a signal."""

    @property
    def pid(self) -> int | None: ...

    @property
    def exitcode(self) -> int | None: ...

    def is_alive(self) -> bool: ...

    def join(self, timeout: float | None = None) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def begin(*, copied: bool) -> None:
    """Begin the nursery before it is needed. Where no process can be started, whoever needs one is told.

    copied: as a copy of this process, where it has no other thread, once what both need is loaded.
    """
    if copied:
        for name in _SHARED:
            import_module(name)
        components("layer")
    with suppress(OSError):
        _begun(copied=copied and len(os.listdir("/proc/self/task")) == 1)


def start_worker(base: Loaded, threads: int) -> tuple[Process, Connection]:
    """A process that trains variants of a spec, its steps by so many threads, and the connection for its tasks.

    It has the environment, the import path and the working folder of this one. Raises OSError where the system starts
    no process, EOFError where the nursery has died.
    """
    ours, theirs = Pipe()
    # Only the child may hold that end, or its death would go unnoticed.
    with theirs:
        if (nursery := _begun(copied=False)) is not None:
            return nursery.copy(Begun(dict(os.environ), os.getcwd(), sys.path, base, threads), ours, theirs), ours
        return _spawned(base, theirs, threads), ours


def _spawned(base: Loaded, tasks: Connection, threads: int) -> Process:
    import multiprocessing

    from nnctl.sweep.executors.worker import work_as

    context = multiprocessing.get_context("spawn")
    process = context.Process(target=work_as, args=(dict(os.environ), base, tasks, threads))
    # Ctrl-C waits until the worker can answer it.
    with one_thread(), held():
        process.start()
    return process


def _begun(*, copied: bool) -> _Nursery | None:
    """The nursery, begun if it was not or has died; None where each worker loads for itself. Raises OSError."""
    if sys.platform != "linux":
        return None
    if _Nursery.there is None or not _Nursery.there.lives():
        _Nursery.there = _Nursery(copied=copied)
    return _Nursery.there


class _Nursery:
    """The process that workers are copied from, as `nnctl.sweep.executors.copying` has it."""

    there: _Nursery | None = None

    def __init__(self, *, copied: bool) -> None:
        """Start it: as a copy of this process, or an interpreter of its own. Raises OSError."""
        self._requests, theirs = socket.socketpair()
        # The one is readable once no process has the other: once this one has gone.
        alive, self._alive = Pipe(duplex=False)
        # Ctrl-C waits until a worker can answer it.
        with theirs, alive, one_thread(), held():
            self._pid = (self._fork if copied else self._spawn)(theirs.fileno(), alive.fileno())

    def _fork(self, requests: int, alive: int) -> int:
        # What answers it here would do so in the copy.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        pid = os.fork()
        if not pid:
            self._let_go()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if not pid:
            serve(requests, alive)
        return pid

    @staticmethod
    def _spawn(requests: int, alive: int) -> int:
        for descriptor in (requests, alive):
            os.set_inheritable(descriptor, True)
        line = [sys.executable, "-P", "-c", _SERVE.format(requests, alive)]
        return os.posix_spawn(sys.executable, line, os.environ)

    def _let_go(self) -> None:
        self._requests.close()
        self._alive.close()

    def lives(self) -> bool:
        """True where it has not ended; where it has, nothing is left of it."""
        if not os.waitpid(self._pid, os.WNOHANG)[0]:
            return True
        self._let_go()
        return False

    def copy(self, begun: Begun, ours: Connection, theirs: Connection) -> Process:
        """A copy of it that works on what comes through a connection. Raises OSError, EOFError."""
        told, telling = Pipe(duplex=False)
        with telling:
            try:
                socket.send_fds(self._requests, [b"+"], [theirs.fileno(), telling.fileno()])
                ours.send(begun)
            except (BrokenPipeError, ConnectionResetError) as error:
                raise EOFError from error
        return _Copy(told)


class _Copy:
    """A copy of the nursery. told: has its number, below 0 that of an error; at its end its exit code."""

    def __init__(self, told: Connection) -> None:
        """Wait for its number. Raises OSError where it is none, EOFError where the nursery has died."""
        self._told = told
        self._exit_code: int | None = None
        self.pid: int = told.recv()
        if self.pid < 0:
            raise OSError(-self.pid, os.strerror(-self.pid))

    @property
    def exitcode(self) -> int | None:
        """The exit code, where it has ended."""
        self.join(0)
        return self._exit_code

    def is_alive(self) -> bool:
        """True where it has not ended."""
        return self.exitcode is None

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, so many seconds at most."""
        if self._exit_code is None and self._told.poll(timeout):
            try:
                self._exit_code = self._told.recv()
            except EOFError:
                self._exit_code = _UNKNOWN
            self._told.close()

    def terminate(self) -> None:
        """Ask it to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
