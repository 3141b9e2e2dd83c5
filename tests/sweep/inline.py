"""Sweeps in this process, for tests of what is asked of an executor and in which order."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from nnctl.sweep.executors import worker
from nnctl.sweep.executors.contract import Outcome, TrialTask
from nnctl.sweep.runner import run
from nnctl.sweep.study import Study, read_study
from nnctl.sweep.trial_result import TrialResult
from nnctl.training.signals import StopRequest


class Inline:
    """An executor that trains one trial at a time, of those that it was given the last or the first one."""

    together = 1

    def __init__(self, study: Study, places: int, *, last: bool) -> None:
        self._study, self._places, self._last = study, places, last
        self._tasks: deque[TrialTask] = deque()
        self.given: list[tuple[int, float | None]] = []

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    @property
    def free(self) -> bool:
        return len(self._tasks) < self._places

    def read(self, task: TrialTask) -> bool:
        return False

    def give(self, task: TrialTask) -> None:
        self._tasks.append(task)
        self.given.append((task.number, task.watch.until if task.watch is not None else None))

    def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
        task = self._tasks.pop() if self._last else self._tasks.popleft()
        return [(task, worker.train(self._study.base, task, StopRequest()))]

    def halt(self) -> None:
        self._tasks.clear()

    def close(self) -> None:
        pass


def swept(
    out: str, *overrides: str, most: int | None = None, places: int = 1, last: bool = False
) -> tuple[Study, Inline, list[TrialResult]]:
    """The final results of the sweep of net.yaml, by number. most: results after which it is left."""
    study = read_study(Path("net.yaml"), overrides, Path(out))
    executor = Inline(study, places, last=last)
    results: list[TrialResult] = []
    with closing(run(study, executor, StopRequest())) as running:
        for result in running:
            results.append(result)
            if len(results) == most:
                break
    return study, executor, sorted(results, key=lambda result: result.trial.number)
