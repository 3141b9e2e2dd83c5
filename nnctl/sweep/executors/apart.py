"""Worker processes beneath a worker of somebody else's, whose threads hand them trials and outlive what befalls them.

A trial needs a main thread, for signals, and memory that its end gives back; the threads of a Dask worker have neither,
and its process may be a daemon, which multiprocessing allows no children.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from nnctl.process.signals import held
from nnctl.process.variables import THREADS
from nnctl.sweep.executors.contract import Ended, Failed, Halted, Outcome, TrialTask
from nnctl.sweep.executors.local import PATIENCE, death, failure_of_death
from nnctl.sweep.executors.worker import Ready, work

_SERVE = "from nnctl.sweep.executors.apart import serve; serve({})"
_IDLE = 60.0
"""Seconds without a task after which a process ends: a sweep's client may vanish, and the cluster stay."""


class NotStarted(Exception):
    """Processes do not start: the first died before it could take a task. The text says how."""


class Apart:
    """A process that trains variants of one spec, one at a time."""

    def __init__(self, base: bytes) -> None:
        """Start it. base: the spec, a pickled `Loaded`. Raises OSError where the system starts no more processes."""
        self._connection, theirs = Pipe()
        with theirs, held():
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _SERVE.format(theirs.fileno())],
                # It ends with the last process that holds the other end of its stdin: this one.
                stdin=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **dict.fromkeys(THREADS, "1")},
            )
        self._ready = False
        self._last = time.monotonic()
        self._tell(base)

    @property
    def fresh(self) -> bool:
        """True where it lives, and will for a while without a task."""
        return self._process.poll() is None and time.monotonic() - self._last < _IDLE / 2

    def give(self, task: TrialTask) -> None:
        """Give it a trial to train. That it has died meanwhile is told by `take`."""
        self._tell(pickle.dumps(task))

    def take(self, seconds: float) -> Outcome | None:
        """The outcome of its task, None where it has not come within so many seconds. Raises NotStarted."""
        if not self._connection.poll(seconds):
            return None
        try:
            word: Ended | Ready = self._connection.recv()
        except (EOFError, ConnectionResetError):
            code = self._process.wait()
            # A signal is from outside, and says nothing of the next one.
            if not self._ready and code > 0:
                raise NotStarted(death(code)) from None
            return failure_of_death(code)
        if isinstance(word, Ready):
            self._ready = True
            return None
        self._last = time.monotonic()
        return word.outcome

    def halt(self) -> None:
        """Let its trial save and come back as `Halted`."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once: what it had saved before is whole."""
        self._process.kill()

    def end(self) -> None:
        """Close the connection, at which it ends, and wait for it."""
        self._connection.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, content: bytes) -> None:
        try:
            self._connection.send_bytes(content)
        except (BrokenPipeError, ConnectionResetError):
            return


class Pool:
    """Processes by the spec that they train, kept from one trial to the next."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[bytes, Apart]] = []

    def take(self, base: bytes) -> Apart:
        """An idle process for this spec, or a new one. Raises OSError."""
        with self._lock:
            idle, self._idle = self._idle, []
            chosen = next((pair for pair in idle if pair[0] == base and pair[1].fresh), None)
            stale = [pair for pair in idle if pair is not chosen and not pair[1].fresh]
            self._idle = [pair for pair in idle if pair is not chosen and pair not in stale]
        for _, process in stale:
            process.end()
        return chosen[1] if chosen is not None else Apart(base)

    def put_back(self, base: bytes, process: Apart, outcome: Outcome) -> None:
        """Keep a process whose task is done; one that was told to end, or has died, ends."""
        ends = isinstance(outcome, Halted) or (isinstance(outcome, Failed) and outcome.lost)
        if ends or not process.fresh:
            process.end()
            return
        with self._lock:
            self._idle.append((base, process))


def serve(descriptor: int) -> None:
    """Train the trials that come through a connection: the main function of the process. First comes the spec."""
    tasks = Connection(descriptor)
    try:
        base = pickle.loads(tasks.recv_bytes())
    except EOFError:
        return
    work(base, tasks, parent=0, idle=_IDLE)
