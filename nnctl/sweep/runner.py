"""A study from its trials to their results."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.runs.folder import RunFolder
from nnctl.runs.sweeps import final_metrics
from nnctl.spec.document import Spec
from nnctl.spec.load import Loaded, load_variant
from nnctl.sweep.executors import pool
from nnctl.sweep.executors.worker import Failed, Trained, TrialTask
from nnctl.sweep.space import Trial
from nnctl.sweep.study import Study
from nnctl.training.monitor import metric_of
from nnctl.training.signals import StopRequest


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial.

    status: finished, diverged, failed (an error of the run), killed or crashed (of its process).
    monitored: the column that the run itself monitored; metrics: the numbers of the weights that it
    ended with; seconds: of training. Each None or empty unless it finished.
    exit_code: that of `nnctl train` for the same run. again: True where the machine failed, and not
    the trial: the same line may do better.
    """

    trial: Trial
    folder: str
    status: str
    monitored: str | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)
    seconds: float | None = None
    error: str | None = None
    exit_code: int = 0
    again: bool = False

    @classmethod
    def of_summary(cls, trial: Trial, folder: Path, summary: Mapping[str, Any]) -> TrialResult:
        """The result of a trial that finished."""
        monitored = summary["monitor"] or "train_cost"
        return cls(trial, str(folder), "finished", monitored, final_metrics(summary), summary["seconds"])

    def column(self, monitor: str | None) -> str | None:
        """The column that ranks it: `monitor`, else what the run itself monitored."""
        return None if self.monitored is None else monitor or self.monitored

    def value(self, monitor: str | None) -> float | None:
        """The number that ranks it, None where there is none."""
        column = self.column(monitor)
        value = self.metrics.get(column) if column is not None else None
        return float(value) if isinstance(value, int | float) else None


Execute: TypeAlias = "Callable[[Loaded, Sequence[TrialTask], int, StopRequest, Callable[[], None]], pool.Outcomes]"
"""The form of `pool.run`."""


def run(study: Study, jobs: int, stop: StopRequest, execute: Execute = pool.run) -> Generator[TrialResult, None, None]:
    """The result of every trial, in the order in which they come: first those that were finished before.

    Trials that a request to stop, or a full disk, left undone have no result. Several processes may
    run the same study at once: each trial is trained by one of them, and all have its result.
    Raises RunError, DataError, UsageError.
    """
    pool.require_processes(jobs, len(study.trials))
    study.claim()
    tasks: list[TrialTask] = []
    by_number = {trial.number: trial for trial in study.trials}
    for trial in study.trials:
        folder = RunFolder(study.folder_of(trial))
        summary = folder.finished()
        if summary is not None:
            yield TrialResult.of_summary(trial, folder.path, summary)
        else:
            tasks.append(TrialTask(trial.number, trial.overrides, folder.path))
    if not tasks:
        return
    # Once, before many processes fetch the same file, and before any of them fails for want of it.
    # As the first of them reads it: data with folds of its own has no other reading.
    first = load_variant(study.base, tasks[0].overrides).spec
    load_dataset(first.data, study.base.folder, first.seed)
    with closing(execute(study.base, tasks, jobs, stop, study.require_there)) as outcomes:
        for task, outcome in outcomes:
            trial = by_number[task.number]
            if isinstance(outcome, Trained):
                yield TrialResult.of_summary(trial, task.folder, outcome.summary)
            elif isinstance(outcome, Failed):
                yield TrialResult(
                    trial,
                    str(task.folder),
                    outcome.status,
                    error=outcome.message,
                    exit_code=outcome.exit_code,
                    again=outcome.again,
                )


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
