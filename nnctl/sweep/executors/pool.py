"""Worker processes: tasks out, outcomes back, and an end without orphans."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

from nnctl.errors import RunError, UsageError
from nnctl.process.signals import held
from nnctl.spec.load import Loaded
from nnctl.sweep.executors.worker import (
    FOR_MEMORY,
    Elsewhere,
    Failed,
    Halted,
    Outcome,
    Ready,
    TrialTask,
    one_thread,
    work,
)
from nnctl.training.signals import StopRequest

_LOOK = 0.2
"""Seconds between two looks at the request to stop."""
_PATIENCE = 60.0
"""Seconds in which a worker that was told to stop may save. It is ended then: what it had saved before is whole."""


class Worker:
    """A worker process and what it is doing."""

    def __init__(self, base: Loaded) -> None:
        """Start the process. `spawn`: a forked child would inherit the threads' locks without the threads.

        Raises RunError where the system starts no more processes.
        """
        context = multiprocessing.get_context("spawn")
        try:
            self.connection, theirs = context.Pipe()
            self.process = context.Process(target=work, args=(base, theirs))
            # It would let signals through as it starts.
            resource_tracker.ensure_running()
            # Ctrl-C waits until the worker can answer it.
            with one_thread(), held():
                self.process.start()
        except OSError as error:
            raise RunError(
                f"no worker process can be started: {error.strerror}\n  fewer at a time: -j, or allow more (ulimit -a)"
            ) from error
        # Only the child may hold this end, or its death would go unnoticed.
        theirs.close()
        self.task: TrialTask | None = None
        self.ready = False

    def give(self, task: TrialTask) -> None:
        """Give it a trial to train. That it has died meanwhile is told by `take`."""
        self.task = task
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return

    def take(self, stopping: bool) -> Outcome | None:
        """The outcome of its task; None where it has only said that it is there. A worker that died has failed.

        Raises RunError where it died before it could take a task, as any other would; unless `stopping`, told to end.
        """
        try:
            word: Outcome | Ready = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            if not self.ready and not stopping:
                raise RunError(
                    f"worker processes do not start: the first {_death(self.process.exitcode)}, and says why above"
                ) from None
            self.task = None
            return _failure(self.process.exitcode)
        if isinstance(word, Ready):
            self.ready = True
            return None
        self.task = None
        return word

    def end(self) -> None:
        """Close the connection, at which an idle worker ends, and wait for it."""
        self.connection.close()
        self.process.join(_PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def most_processes() -> int:
    """The number of worker processes at most: more would only wait for each other, and take memory."""
    return max(64, 4 * (os.cpu_count() or 1))


def require_processes(jobs: int, tasks: int) -> None:
    """Raise UsageError where that many trials at a time are too many processes."""
    most = most_processes()
    if min(jobs, tasks) > most:
        raise UsageError(f"-j {jobs}: at most {most} processes at a time\n  as many as there are cores do best")


Outcomes: TypeAlias = Generator[tuple[TrialTask, Outcome], None, None]


def run(base: Loaded, tasks: Sequence[TrialTask], jobs: int, stop: StopRequest, before: Callable[[], None]) -> Outcomes:
    """Train the tasks, variants of the spec `base`, on `jobs` workers; outcomes in the order in which they come.

    Tasks that another process trains come last, and are waited for. After a request to stop no
    task begins, and those under way save and come back as `Halted`. Closing the generator early
    does the same. Where the disk is full no more begin, and those under way go on.
    before: called before a task is given, to raise RunError where none can be.
    """
    waiting = deque(tasks)
    workers: list[Worker] = []
    told = False
    try:
        while waiting or any(worker.task for worker in workers):
            if stop and not told:
                told = True
                waiting.clear()
                _tell_to_stop(workers)
            idle = [worker for worker in workers if worker.task is None]
            while waiting and (idle or len(workers) < jobs):
                before()
                if not idle:
                    idle.append(Worker(base))
                    workers.append(idle[-1])
                idle.pop().give(waiting.popleft())
            busy: dict[Connection, Worker] = {w.connection: w for w in workers if w.task is not None}
            for ready in wait(list(busy), timeout=_LOOK) if busy else ():
                worker = busy[ready]  # type: ignore[index]
                task = worker.task
                assert task is not None
                outcome = worker.take(bool(stop))
                if outcome is None:
                    continue
                if not worker.process.is_alive():
                    worker.connection.close()
                    workers.remove(worker)
                    if stop:
                        outcome = Halted()
                if isinstance(outcome, Elsewhere):
                    waiting.extend([] if told else [replace(task, patient=True)])
                    continue
                if isinstance(outcome, Failed) and outcome.full:
                    waiting.clear()
                yield task, outcome
    finally:
        _tell_to_stop(workers)
        for worker in workers:
            worker.end()


def _tell_to_stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        if worker.task is not None:
            worker.process.terminate()


def _failure(exit_code: int | None) -> Failed:
    """The failure of a trial whose process has died."""
    died = f"its process {_death(exit_code)}"
    if exit_code == -signal.SIGKILL:
        return Failed("killed", f"{died}, as the system does where memory is short\n  {FOR_MEMORY}", 2, again=True)
    return Failed("crashed", f"{died}; its last words are on stderr", 1, again=True)


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"ended with code {exit_code}"
