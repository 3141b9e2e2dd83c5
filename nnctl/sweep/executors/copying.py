"""The nursery's process: it loads what trials need, and copies itself for each worker until nobody asks any more."""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection
from typing import NoReturn

from nnctl.late import dataclass
from nnctl.spec.load import Loaded
from nnctl.sweep.executors.worker import work_as

_AT_EVERY = 700
"""New objects after which garbage is looked for."""


@dataclass(frozen=True)
class Begun:
    """A worker's beginning: the environment, working folder and import path of who asks; the rest as `work` has it."""

    environment: Mapping[str, str]
    folder: str
    path: Sequence[str]
    base: Loaded
    threads: int


def serve(requests: int, alive: int) -> NoReturn:
    """Be the nursery of the process that has the other ends of two descriptors, and end with it.

    requests: a socket, by which two descriptors come for each worker: that of the connection for its tasks, and one by
    which its number and its exit code are told. alive: what is readable once the asking process has gone.
    """
    try:
        # Who asks reads it, and nobody else.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        # A command that was copied is short, and seldom looks for garbage: thousands of trials leave cycles of arrays.
        gc.set_threshold(_AT_EVERY)
        # What cannot be loaded here cannot be there either, where it is said.
        with suppress(ImportError):
            import_module("nnctl.sweep.executors.preloaded")
        _Copying(socket.socket(fileno=requests), alive).serve()
    except BaseException:  # noqa: BLE001 — beyond is the code of the process that was copied
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(1)


class _Copying:
    """The loop of the nursery."""

    def __init__(self, requests: socket.socket, alive: int) -> None:
        self._requests, self._alive = requests, alive
        self._workers: dict[int, Connection] = {}
        # Python writes into it when a signal comes.
        self._signalled, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, _note)
        signal.set_wakeup_fd(self._wake)

    def serve(self) -> None:
        """Copy this process as often as it is asked to, and tell how the copies end, until nobody asks any more."""
        poll = select.poll()
        for descriptor in (self._signalled, self._requests.fileno()):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._signalled in ready:
                os.read(self._signalled, select.PIPE_BUF)
                self._tell_ends()
            if self._requests.fileno() in ready and not self._answer():
                os._exit(0)

    def _answer(self) -> bool:
        """Make a copy, and tell its number, below 0 that of an error; False where nobody is there to ask for one."""
        asked, descriptors, _, _ = socket.recv_fds(self._requests, 1, 2)
        if not asked:
            return False
        tasks, told = Connection(descriptors[0]), Connection(descriptors[1], readable=False)
        try:
            number = os.fork()
        except OSError as error:
            number = -(error.errno or errno.EAGAIN)
        if number == 0:
            told.close()
            self._work(tasks)
        tasks.close()
        _tell(told, number)
        if number > 0:
            self._workers[number] = told
        return True

    def _tell_ends(self) -> None:
        """Tell the exit code of each copy that has ended."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                told = self._workers.pop(ended[0])
                _tell(told, os.waitstatus_to_exitcode(ended[1]))
                told.close()

    def _work(self, tasks: Connection) -> NoReturn:
        """Be a worker."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._requests.close()
            for descriptor in (self._signalled, self._wake):
                os.close(descriptor)
            for told in self._workers.values():
                told.close()
            begun: Begun = tasks.recv()
            os.chdir(begun.folder)
            sys.path[:] = begun.path
            work_as(begun.environment, begun.base, tasks, begun.threads, self._alive)
            code = 0
        except BaseException:  # noqa: BLE001 — beyond is the loop of the nursery
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(OSError):
                sys.stdout.flush()
            os._exit(code)


def _tell(told: Connection, number: int) -> None:
    with suppress(BrokenPipeError):
        told.send(number)


def _note(number: int, frame: object) -> None:
    """Do nothing: the signal has been written down by then."""
