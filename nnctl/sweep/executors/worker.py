"""A worker process: it trains one trial after the other, through the same function as `nnctl train`.

A worker computes with one thread, so that the cores are never overbooked, unless
the spec's backend asks for more by number. No result depends on it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnctl.spec.load import Loaded
    from nnctl.training.events import Event
    from nnctl.training.signals import StopRequest

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
)


@dataclass(frozen=True)
class TrialTask:
    """A task: a trial as a worker receives it."""

    number: int
    overrides: tuple[str, ...]
    folder: Path


@dataclass(frozen=True)
class Trained:
    """The trial is trained."""

    summary: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """The trial ended with an error."""

    status: str
    message: str
    exit_code: int


@dataclass(frozen=True)
class Halted:
    """The trial has saved and stopped, at a request."""


Outcome = Trained | Failed | Halted


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started within the block compute with one thread each: libraries read this as they load."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def work(base: Loaded, tasks: Connection) -> None:
    """Train the variants of `base` that come through the connection, answer with an `Outcome`, until it is closed."""
    from nnctl.process.signals import ENDING, release
    from nnctl.process.streams import prepare_streams
    from nnctl.training.signals import stop_on_signals

    prepare_streams()
    # Ctrl-C, and the end of a terminal, reach the whole group of processes; the parent alone answers them, by SIGTERM
    # to each worker.
    for number in set(ENDING) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    with stop_on_signals() as stop:
        release()
        parent = os.getppid()
        try:
            while True:
                task = tasks.recv()
                tasks.send(_train(base, task, stop, parent))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            if stop:
                # What was left behind, as a compilation, is not waited for.
                os._exit(0)


def _train(base: Loaded, task: TrialTask, stop: StopRequest, parent: int) -> Outcome:
    from nnctl.errors import DivergedError, Interrupted, NnctlError
    from nnctl.process.machine import sentence_of
    from nnctl.process.signals import Signalled, leavable
    from nnctl.reporting.follow import RunSink, follow

    def events() -> Iterator[Event]:
        with leavable():
            from nnctl.sweep.study import load_trial
            from nnctl.training import session

            loaded = load_trial(base, task.overrides)
        for event in session.train(loaded, out=task.folder, resume=True, stop=stop, threads=1):
            if os.getppid() != parent:
                # The sweep was killed; nobody will ask for the result.
                stop.request(signal.SIGTERM)
            yield event

    try:
        finished = follow(events(), [RunSink()])
    except (Interrupted, Signalled):
        return Halted()
    except DivergedError as error:
        return Failed("diverged", str(error), error.exit_code)
    except NnctlError as error:
        return Failed("failed", str(error), error.exit_code)
    except OSError as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        return Failed("failed", sentence, 2)
    assert finished is not None
    return Trained(finished.summary)
