"""Records of trials in a sweep's folder: results of what has ended, or has reached the rung that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from nnctl.components.kinds.pruning import RungPruner
from nnctl.runs.endings import ending_of, forget_ending, record_ending
from nnctl.runs.folder import RunFolder
from nnctl.runs.rows import evaluations
from nnctl.runs.sweeps import measured
from nnctl.sweep.executors.contract import Failed, Paused, Pruned, Trained
from nnctl.sweep.rungs import Watch
from nnctl.sweep.study import Study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult


def recorded_result(study: Study, trial: Trial, watch: Watch | None) -> TrialResult | None:
    """The result that a trial has by its folder; None where it is to be trained, or trained on.

    Raises RunError where the folder is damaged.
    """
    folder = RunFolder(study.folder_of(trial))
    summary = folder.finished()
    until = None if watch is None else watch.until
    if summary is not None:
        if watch is not None and until is not None:
            after = watch.epochs_at(evaluations(folder), until)
            if after is not None and summary["epochs"] > after:
                return _at_rung(trial, folder, watch, "paused", until, summary["parameters"])
        return finished_result(trial, folder, watch, summary)
    ended = ending_of(study.folder, trial.number)
    if ended is None:
        return None
    judged = ended["status"] == "pruned" and watch is not None and watch.pruner is not None
    if ended["status"] == "diverged" or judged:
        return result_of_ending(study, trial, watch, ended)
    rung, parameters = _rung(ended), ended["parameters"]
    if watch is not None and until is not None and rung is not None and parameters is not None and rung >= until:
        return _at_rung(trial, folder, watch, "paused", until, parameters)
    return None


def finished_result(trial: Trial, folder: RunFolder, watch: Watch | None, summary: Mapping[str, Any]) -> TrialResult:
    """The result of a trial that finished, with its values at the rungs. Raises RunError."""
    reached = {} if watch is None else watch.reached(evaluations(folder))
    return TrialResult.of_summary(trial, folder.path, summary, reached)


def result_of_ending(study: Study, trial: Trial, watch: Watch | None, ended: Mapping[str, Any]) -> TrialResult:
    """The result that a record says. ended: the fields of `Ended`. Raises RunError."""
    folder = RunFolder(study.folder_of(trial))
    status, epoch, rung, parameters = ended["status"], ended["epoch"], _rung(ended), ended["parameters"]
    if status in ("diverged", "failed"):
        failed = Failed(status, ended["error"] or "", ended["exit_code"], epochs=epoch or 0)
        return _failed(trial, folder, watch, failed)
    if watch is None or rung is None or parameters is None:
        in_seconds = ended.get("seconds") is not None
        return TrialResult(trial, str(folder.path), status, rung=rung, in_seconds=in_seconds, epochs=epoch)
    return _at_rung(trial, folder, watch, status, rung, parameters)


def _rung(ended: Mapping[str, Any]) -> float | None:
    """The rung that a record says, in the unit of the pruner's."""
    rung: float | None = ended["epoch"] if ended.get("seconds") is None else ended["seconds"]
    return rung


def result_of_outcome(
    study: Study, trial: Trial, watch: Watch | None, outcome: Trained | Paused | Pruned | Failed
) -> TrialResult:
    """The result of a trial whose outcome this is, which is recorded beside it where it may be relied on.

    Raises RunError where the sweep's folder is gone: it is not made anew for the record.
    """
    study.require_there()
    folder = RunFolder(study.folder_of(trial))
    if isinstance(outcome, Trained):
        return finished_result(trial, folder, watch, outcome.summary)
    if isinstance(outcome, Failed):
        if not outcome.again:
            diverged = outcome.status == "diverged"
            record_ending(
                study.folder,
                trial.number,
                "diverged" if diverged else "failed",
                epoch=outcome.epochs if diverged else None,
                error=outcome.message,
                exit_code=outcome.exit_code,
            )
        return _failed(trial, folder, watch, outcome)
    status: Literal["paused", "pruned"] = "paused" if isinstance(outcome, Paused) else "pruned"
    assert watch is not None
    result = _at_rung(trial, folder, watch, status, outcome.rung, outcome.parameters)
    _record(study, result, status)
    return result


def record_final(study: Study, result: TrialResult) -> None:
    """Let the record of a trial say what its final result is: others decide on those that wait, or never begin."""
    if result.status == "pruned":
        _record(study, result, "pruned")
    elif result.status == "finished":
        forget_ending(study.folder, result.trial.number)


def _record(study: Study, result: TrialResult, status: Literal["paused", "pruned"]) -> None:
    pruner = study.sweep.pruner
    record_ending(
        study.folder,
        result.trial.number,
        status,
        epoch=result.epochs,
        seconds=result.rung if isinstance(pruner, RungPruner) and pruner.in_seconds else None,
        parameters=result.metrics.get("parameters"),
    )


def _failed(trial: Trial, folder: RunFolder, watch: Watch | None, outcome: Failed) -> TrialResult:
    diverged = watch is not None and outcome.status == "diverged"
    return TrialResult(
        trial,
        str(folder.path),
        outcome.status,
        error=outcome.message,
        exit_code=outcome.exit_code,
        again=outcome.again,
        reached=watch.reached(evaluations(folder), outcome.epochs) if watch is not None and diverged else {},
    )


def _at_rung(
    trial: Trial, folder: RunFolder, watch: Watch, status: Literal["paused", "pruned"], rung: float, parameters: int
) -> TrialResult:
    """The result of a trial at a rung, with the numbers of its last row there."""
    rows = evaluations(folder)
    row = watch.row(rows, rung) or {}
    seconds = row.get("seconds")
    return TrialResult(
        trial,
        str(folder.path),
        status,
        monitored=watch.objective.column,
        metrics={**measured(row), "parameters": parameters},
        seconds=seconds if isinstance(seconds, int | float) else None,
        rung=rung,
        in_seconds=watch.in_seconds,
        epochs=watch.epochs_at(rows, rung),
        reached={at: value for at, value in watch.reached(rows).items() if at <= rung},
    )
