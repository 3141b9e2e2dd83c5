"""Worker processes: tasks out, outcomes back, and an end without orphans."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait

from nnctl.process.signals import held
from nnctl.spec.load import Loaded
from nnctl.sweep.executors.worker import Failed, Halted, Outcome, TrialTask, one_thread, work
from nnctl.training.signals import StopRequest

_LOOK = 0.2
"""Seconds between two looks at the request to stop."""


class Worker:
    """A worker process and what it is doing."""

    def __init__(self, base: Loaded) -> None:
        """Start the process. `spawn`: a forked child would inherit the threads' locks without the threads."""
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(base, theirs))
        self.task: TrialTask | None = None
        # It would let signals through as it starts.
        resource_tracker.ensure_running()
        # Ctrl-C waits until the worker can answer it.
        with one_thread(), held():
            self.process.start()
        # Only the child may hold this end, or its death would go unnoticed.
        theirs.close()

    def give(self, task: TrialTask) -> None:
        """Give it a trial to train."""
        self.task = task
        self.connection.send(task)

    def take(self) -> Outcome:
        """The outcome of its task. A worker that died says so by the end of its connection."""
        self.task = None
        try:
            outcome: Outcome = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Failed("crashed", _death(self.process.exitcode), 1)
        return outcome

    def end(self) -> None:
        """Close the connection, at which an idle worker ends, and wait for it."""
        self.connection.close()
        self.process.join()


def run(base: Loaded, tasks: Sequence[TrialTask], jobs: int, stop: StopRequest) -> Iterator[tuple[TrialTask, Outcome]]:
    """Train the tasks, variants of the spec `base`, on `jobs` workers; outcomes in the order in which they come.

    After a request to stop no task begins, and those under way save and come back as `Halted`.
    Closing the generator early does the same.
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
                if not idle:
                    idle.append(Worker(base))
                    workers.append(idle[-1])
                idle.pop().give(waiting.popleft())
            busy: dict[Connection, Worker] = {w.connection: w for w in workers if w.task is not None}
            for ready in wait(list(busy), timeout=_LOOK) if busy else ():
                worker = busy[ready]  # type: ignore[index]
                task = worker.task
                assert task is not None
                outcome = worker.take()
                if not worker.process.is_alive():
                    worker.connection.close()
                    workers.remove(worker)
                    if stop:
                        outcome = Halted()
                yield task, outcome
    finally:
        _tell_to_stop(workers)
        for worker in workers:
            worker.end()


def _tell_to_stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        if worker.task is not None:
            worker.process.terminate()


def _death(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"the worker process was killed by signal {-exit_code}; was there too little memory?"
    return f"the worker process ended with code {exit_code}; its last words are on stderr"
