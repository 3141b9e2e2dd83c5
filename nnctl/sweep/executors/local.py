"""Worker processes: tasks out, outcomes back, and an end without orphans."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait

from nnctl.errors import RunError, UsageError
from nnctl.process.signals import held
from nnctl.spec.load import Loaded
from nnctl.sweep.executors.contract import Failed, Halted, Outcome, TrialTask
from nnctl.sweep.executors.nursery import nursery
from nnctl.sweep.executors.worker import FOR_MEMORY, Ready, one_thread, work_as

PATIENCE = 60.0
"""Seconds in which a worker that was told to stop may save. It is ended then: what it had saved before is whole."""


class Worker:
    """A worker process and what it is doing."""

    def __init__(self, base: Loaded) -> None:
        """Start the process. Raises RunError where the system starts no more processes."""
        try:
            context = nursery()
            self.connection, theirs = context.Pipe()
            self.process = context.Process(target=work_as, args=(dict(os.environ), base, theirs))
            # Ctrl-C waits until the worker can answer it.
            with one_thread(), held():
                self.process.start()
        except (OSError, EOFError) as error:
            if not isinstance(error, OSError):
                raise RunError("no worker process can be started: what they are copied from died at once") from error
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

        Raises RunError where it ended by itself before it could take a task, as any other would; unless `stopping`,
        told to end. One that was killed then has failed as one that was killed later.
        """
        try:
            word: Outcome | Ready = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            if not self.ready and not stopping and (self.process.exitcode or 0) >= 0:
                raise RunError(
                    f"worker processes do not start: the first {death(self.process.exitcode)}, and says why above"
                ) from None
            self.task = None
            return failure_of_death(self.process.exitcode)
        if isinstance(word, Ready):
            self.ready = True
            return None
        self.task = None
        return word

    def end(self) -> None:
        """Close the connection, at which an idle worker ends, and wait for it."""
        self.connection.close()
        self.process.join(PATIENCE)
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


class LocalProcesses:
    """An `Executor` of worker processes on this machine, `jobs` at most, each with one thread."""

    def __init__(self, base: Loaded, jobs: int) -> None:
        """Start no process yet."""
        self._base, self._jobs = base, jobs
        self._workers: list[Worker] = []
        self._halted = False

    @property
    def busy(self) -> bool:
        """True where a worker has a task."""
        return any(worker.task for worker in self._workers)

    @property
    def free(self) -> bool:
        """True where a worker is idle, or another may start."""
        return not self._halted and sum(worker.task is not None for worker in self._workers) < self._jobs

    def give(self, task: TrialTask) -> None:
        """Give a task to an idle worker, or to a new one. Raises RunError where none starts."""
        idle = next((worker for worker in self._workers if worker.task is None), None)
        if idle is None:
            idle = Worker(self._base)
            self._workers.append(idle)
        idle.give(task)

    def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
        """The outcomes that have come. Raises RunError where workers do not start."""
        busy: dict[Connection, Worker] = {w.connection: w for w in self._workers if w.task is not None}
        found: list[tuple[TrialTask, Outcome]] = []
        for ready in wait(list(busy), timeout=seconds) if busy else ():
            worker = busy[ready]  # type: ignore[index]
            task = worker.task
            assert task is not None
            outcome = worker.take(self._halted)
            if outcome is None:
                continue
            if isinstance(outcome, Halted) and not self._halted:
                # Somebody else told it to end, and it takes no more.
                worker.end()
            if not worker.process.is_alive():
                worker.connection.close()
                self._workers.remove(worker)
                if self._halted:
                    outcome = Halted()
            found.append((task, outcome))
        return found

    def halt(self) -> None:
        """Ask the busy workers to save and stop."""
        self._halted = True
        for worker in self._workers:
            if worker.task is not None:
                worker.process.terminate()

    def close(self) -> None:
        """Halt, and end every worker."""
        self.halt()
        for worker in self._workers:
            worker.end()


def failure_of_death(exit_code: int | None) -> Failed:
    """The failure of a trial whose process has died."""
    died = f"its process {death(exit_code)}"
    if exit_code == -signal.SIGKILL:
        return Failed(
            "killed", f"{died}, as the system does where memory is short\n  {FOR_MEMORY}", 2, again=True, lost=True
        )
    return Failed("crashed", f"{died}; its last words are on stderr", 1, again=True, lost=True)


def death(exit_code: int | None) -> str:
    """The words for a process that has ended, from its exit code, negative for a signal."""
    if exit_code is not None and exit_code < 0:
        return f"was killed by {signal.Signals(-exit_code).name}"
    return f"ended with code {exit_code}"
