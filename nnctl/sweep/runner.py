"""A study from its trials to their results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.runs.folder import RunFolder
from nnctl.runs.sweeps import final_metrics
from nnctl.spec.document import Spec
from nnctl.sweep.executors import pool
from nnctl.sweep.executors.worker import Failed, Trained, TrialTask
from nnctl.sweep.space import Trial
from nnctl.sweep.study import Study
from nnctl.training.monitor import metric_of
from nnctl.training.signals import StopRequest


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial.

    status: finished, diverged, failed (an error of the run) or crashed (of its process).
    summary: of the run, None unless it finished. exit_code: that of `nnctl train` for the same run.
    """

    trial: Trial
    folder: str
    status: str
    summary: Mapping[str, Any] | None = None
    error: str | None = None
    exit_code: int = 0

    def column(self, monitor: str | None) -> str | None:
        """The column that ranks it: `monitor`, else what the run itself monitored."""
        return None if self.summary is None else monitor or self.summary["monitor"] or "train_cost"

    def metrics(self) -> dict[str, Any]:
        """The numbers of the weights that the run ended with."""
        return {} if self.summary is None else final_metrics(self.summary)

    def value(self, monitor: str | None) -> float | None:
        """The number that ranks it, None where there is none."""
        column = self.column(monitor)
        value = self.metrics().get(column) if column is not None else None
        return float(value) if isinstance(value, int | float) else None


def run(study: Study, jobs: int, stop: StopRequest) -> Iterator[TrialResult]:
    """The result of every trial, in the order in which they come: first those that were finished before.

    Trials that a request to stop cut short have no result. Raises RunError, DataError.
    """
    study.claim()
    tasks: dict[int, TrialTask] = {}
    by_number = {trial.number: trial for trial in study.trials}
    for trial in study.trials:
        folder = RunFolder(study.folder_of(trial))
        summary = folder.finished()
        if summary is not None:
            yield TrialResult(trial, str(folder.path), "finished", summary)
        else:
            tasks[trial.number] = TrialTask(trial.number, trial.overrides, folder.path)
    if not tasks:
        return
    # Once, before many processes fetch the same file, and before any of them fails for want of it.
    load_dataset(study.spec.data, study.base.folder, study.spec.seed)
    for task, outcome in pool.run(study.base, list(tasks.values()), jobs, stop):
        trial = by_number[task.number]
        if isinstance(outcome, Trained):
            yield TrialResult(trial, str(task.folder), "finished", outcome.summary)
        elif isinstance(outcome, Failed):
            yield TrialResult(trial, str(task.folder), outcome.status, None, outcome.message, outcome.exit_code)


def in_order(results: Iterable[TrialResult]) -> Iterator[TrialResult]:
    """The same results by trial number, each as soon as those before it are there.

    Where some are missing, because the sweep was stopped, those after the gap come last.
    """
    early: dict[int, TrialResult] = {}
    following = 0
    for result in results:
        early[result.trial.number] = result
        while following in early:
            yield early.pop(following)
            following += 1
    yield from (early[number] for number in sorted(early))


def higher_is_better(spec: Spec, column: str) -> bool:
    """The direction of a column of the metrics."""
    metric = metric_of(column)
    for each in spec.metrics:
        if each.column == metric:
            return each.higher_is_better
    return metric in components("metric") and bool(components("metric")[metric].higher_is_better)
