"""Worker processes: tasks out, outcomes back, and an end without orphans."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait

from nnctl.errors import RunError, UsageError
from nnctl.process import memory
from nnctl.process.cores import cores
from nnctl.spec.load import Loaded
from nnctl.sweep.executors.contract import Ended, Failed, Halted, Outcome, Read, Reading, Trained, TrialTask
from nnctl.sweep.executors.nursery import start_worker
from nnctl.sweep.executors.waiting import Spent, Waiting
from nnctl.sweep.executors.worker import FOR_MEMORY, Ready

PATIENCE = 60.0
"""Seconds in which a worker that was told to stop may save. It is ended then: what it had saved before is whole."""
_TIMES = 2
"""Times the memory of a process that has read the data, which one takes that trains on it, too."""


class Worker:
    """A worker process and what it is doing. tasks: by number, those without an outcome. net: of the last one.

    spent: what the last trial that ended has, where that is known.

    leaving: whether it has lost its device or was told to end, and takes no more. dead: whether it has ended.
    """

    def __init__(self, base: Loaded, threads: int) -> None:
        """Start the process, whose steps are by so many threads. Raises RunError where the system starts no more."""
        try:
            self.process, self.connection = start_worker(base, threads)
        except (OSError, EOFError) as error:
            if not isinstance(error, OSError):
                raise RunError("no worker process can be started: what they are copied from died at once") from error
            raise RunError(
                f"no worker process can be started: {error.strerror}\n  fewer at a time: -j, or allow more (ulimit -a)"
            ) from error
        self.tasks: dict[int, TrialTask] = {}
        self.net: str | None = None
        self.spent: Spent | None = None
        self.ready = self.leaving = self.dead = False

    def takes(self, task: TrialTask, together: int) -> bool:
        """True where it may be given a task, beside others as long as these are fewer than `together`."""
        if self.leaving or not self.tasks:
            return not self.leaving
        return len(self.tasks) < together and not any(each.alone for each in (task, *self.tasks.values()))

    def read(self, overrides: tuple[str, ...]) -> int | None:
        """The most memory that it has had, in bytes, once it has read the data of a trial; None where it could not.

        What has ended it is told by `take`.
        """
        try:
            self.connection.send(Reading(overrides))
            while not isinstance(word := self.connection.recv(), Read):
                self.ready = True
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return None
        return word.taken

    def give(self, task: TrialTask) -> None:
        """Give it a trial to train. That it has died meanwhile is told by `take`."""
        self.tasks[task.number] = task
        self.net = task.net
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return

    def take(self, stopping: bool) -> list[tuple[TrialTask, Outcome]]:
        """The outcome of a task; none where it has only said that it is there. Of one that died, all tasks have failed.

        Raises RunError where it ended by itself before it could take a task, as any other would; unless `stopping`,
        told to end. One that was killed then has failed as one that was killed later.
        """
        self.spent = None
        try:
            word: Ended | Ready = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            self.connection.close()
            self.dead = True
            if not self.ready and not stopping and (self.process.exitcode or 0) >= 0:
                raise RunError(
                    f"worker processes do not start: the first {death(self.process.exitcode)}, and says why above"
                ) from None
            lost, self.tasks = self.tasks, {}
            outcome = Halted() if stopping else failure_of_death(self.process.exitcode)
            return [(task, outcome) for task in lost.values()]
        if isinstance(word, Ready):
            self.ready = True
            return []
        self.spent = word.spent
        gone = isinstance(word.outcome, Failed) and word.outcome.lost
        self.leaving = self.leaving or gone or isinstance(word.outcome, Halted)
        return [(self.tasks.pop(word.number), word.outcome)]

    def let_go(self) -> None:
        """Close the connection, at which an idle worker ends."""
        self.connection.close()

    def end(self) -> None:
        """Let it go, and wait for it."""
        self.let_go()
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.dead = True


def most_processes() -> int:
    """The number of worker processes at most: more would only wait for each other, and take memory."""
    return max(64, 4 * (os.cpu_count() or 1))


def processes_that_fit(taken: int) -> int:
    """The number of worker processes for which there is memory, where one that has read the data has taken so much.

    At least 1: the first says what it lacks.
    """
    return max(1, memory.available() // (_TIMES * taken))


def require_processes(jobs: int, tasks: int, together: int = 1) -> None:
    """Raise UsageError where that many trials at a time are too many processes. together: trials of each."""
    most = most_processes()
    if -(-min(jobs, tasks) // together) > most:
        raise UsageError(f"-j {jobs}: at most {most} processes at a time\n  as many as there are cores do best")


class LocalProcesses:
    """An `Executor` of worker processes on this machine, which share its cores for their steps.

    jobs: trials at a time. together: of these at most, those that one process trains. as_fit: whether there are fewer
    at a time where memory is short. waiting: where processes, which begin with a trial each, are to train several at a
    time as soon as it is known that they wait. tell: told so in a sentence.
    """

    def __init__(
        self,
        base: Loaded,
        jobs: int,
        together: int = 1,
        *,
        as_fit: bool = False,
        waiting: Waiting | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Start no process yet."""
        self._base, self._jobs, self.together, self._as_fit = base, jobs, together, as_fit
        self._waiting, self._tell = waiting, tell
        self._workers: list[Worker] = []
        self._taken: int | None = None
        self._halted = False

    @property
    def busy(self) -> bool:
        """True where a worker has a task."""
        return any(worker.tasks for worker in self._workers)

    @property
    def free(self) -> bool:
        """True where a worker has room, or another may start."""
        return not self._halted and sum(len(worker.tasks) for worker in self._workers) < self._jobs

    def read(self, task: TrialTask) -> bool:
        """Have the first worker read the data, which it keeps. Raises RunError where none starts."""
        self._taken = self._started().read(task.overrides)
        return self._taken is not None

    def give(self, task: TrialTask) -> None:
        """Give a task to a worker with room, or to a new one. Raises RunError where none starts."""
        if self._as_fit:
            self._fit()
        open_ = [worker for worker in self._workers if worker.takes(task, self.together)]
        least = min(open_, key=lambda worker: (len(worker.tasks), worker.net != task.net), default=None)
        if least is None or (least.tasks and len(self._workers) < self._processes):
            least = self._started()
        least.give(task)

    @property
    def _processes(self) -> int:
        return -(-self._jobs // self.together)

    def _started(self) -> Worker:
        """A new worker."""
        worker = Worker(self._base, max(1, cores() // self._processes))
        self._workers.append(worker)
        return worker

    def _fit(self) -> None:
        """Have no more trials at a time than there is memory for."""
        taken = memory.most_taken() if self._taken is None else self._taken
        jobs, self._as_fit = min(self._jobs, self.together * processes_that_fit(taken)), False
        if jobs < self._jobs:
            self._jobs = jobs
            for worker in self._workers:
                worker.end()  # Another has more threads for a step.
            self._workers.clear()

    def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
        """The outcomes that have come. Raises RunError where workers do not start."""
        busy: dict[Connection, Worker] = {w.connection: w for w in self._workers if w.tasks}
        found: list[tuple[TrialTask, Outcome]] = []
        for ready in wait(list(busy), timeout=seconds) if busy else ():
            worker = busy[ready]  # type: ignore[index]
            ended = worker.take(self._halted)
            found += ended
            if self._waiting is not None and worker.spent is not None and isinstance(ended[0][1], Trained):
                self._choose(self._waiting, worker.spent)
            if worker.leaving and not worker.tasks and not worker.dead:
                worker.end()
            if worker.dead:
                self._workers.remove(worker)
        return found

    def _choose(self, waiting: Waiting, spent: Spent) -> None:
        """Take in what a trial has spent; have more of them at a time where enough have waited long."""
        waiting.tell(spent)
        if not waiting.known:
            return
        processes, self._waiting = self._jobs, None
        self.together = waiting.together(memory.available())
        self._jobs = processes * self.together
        if self.together > 1 and self._tell is not None:
            each = "the process" if processes == 1 else f"each of {processes} processes"
            waited = f"trials wait for the disk {waiting.share:.0%} of their time"
            self._tell(f"{waited}: {each} trains {self.together} at a time")

    def halt(self) -> None:
        """Ask the busy workers to save and stop."""
        self._halted = True
        for worker in self._workers:
            if worker.tasks:
                worker.process.terminate()

    def close(self) -> None:
        """Halt, and end every worker."""
        self.halt()
        for worker in self._workers:
            worker.let_go()  # Each takes a while to end: all at once.
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
