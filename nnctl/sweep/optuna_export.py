"""A sweep as a study of Optuna in a database, for optuna-dashboard and others to show."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnctl.errors import RunError
from nnctl.runs.durable import read_file
from nnctl.runs.folder import RunFolder
from nnctl.runs.sealed import damaged
from nnctl.sweep.optuna_storage import opened
from nnctl.sweep.optuna_terms import as_parameters, constraints_by_name
from nnctl.sweep.stored_sweep import StoredSweep
from nnctl.sweep.trial_result import TrialResult

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

OPTION = "--export"


def require_writable(url: str) -> None:
    """Raise UsageError where no study can be written to a database, before anything trains; its tables are made."""
    with opened(url, OPTION, new=True):
        pass


def export(stored: StoredSweep, url: str) -> str:
    """Write a sweep's trials that have begun as a study, in place of the one of its name. Returns the name.

    A study is named after the spec and the sweep's key. Raises UsageError where the database refuses, RunError where
    no trial has finished, so that nobody knows what they are ranked by.
    """
    import optuna

    if not stored.objectives:
        raise RunError(f"{stored.study.folder}: no trial has finished, so there is nothing to export yet")
    name = f"{stored.study.spec.name}-{stored.study.key}"
    excesses = {number: s.excesses for s in stored.ranking for number in s.trials}
    ways = optuna.study.StudyDirection
    directions = [ways.MAXIMIZE if objective.higher_is_better else ways.MINIMIZE for objective in stored.objectives]
    with opened(url, OPTION, new=True) as storage:
        if name in optuna.get_all_study_names(storage):
            optuna.delete_study(study_name=name, storage=storage)
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        study.set_metric_names([objective.column for objective in stored.objectives])
        study.set_user_attr("folder", stored.study.shown(str(stored.study.folder)))
        for result in stored.results:
            if result.status != "waiting":
                study.add_trial(_trial(stored, result, excesses.get(result.trial.number, ())))
    return name


def _trial(stored: StoredSweep, result: TrialResult, excesses: tuple[float, ...]) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    columns = [objective.column for objective in stored.objectives]
    found = [value for column in columns if (value := result.value(column)) is not None and math.isfinite(value)]
    state = _state(result, complete=len(found) == len(columns))
    params, distributions = as_parameters(stored.study.sweep, result.trial.settings)
    trial = create_trial(
        state=state,
        values=found if state is TrialState.COMPLETE else None,
        params=params,
        distributions=distributions,
        user_attrs={
            "trial": result.trial.number,
            "combination": result.trial.combination,
            "seed": result.trial.settings.get("seed", result.trial.seed),
            "fold": None if result.trial.fold is None else result.trial.fold[0],
            "folder": result.folder,
            "status": result.status,
            **({"rungs": list(result.reached.items()), "rung_unit": result.unit} if result.status == "pruned" else {}),
            **result.metrics,
        },
        constraints=constraints_by_name([min(excess, _MOST) for excess in excesses]),
        # Optuna knows them of one objective alone.
        intermediate_values=_course(Path(result.folder), columns[0]) if len(columns) == 1 else {},
    )
    trial.datetime_start, took = _begun(Path(result.folder)), timedelta(seconds=result.seconds or 0)
    if state.is_finished() and trial.datetime_start is not None:
        trial.datetime_complete = trial.datetime_start + took
    return trial


_MOST = 1e300
"""An excess that JSON and databases have, in place of an infinite one."""


def _state(result: TrialResult, *, complete: bool) -> TrialState:
    from optuna.trial import TrialState

    match result.status:
        case "finished":
            return TrialState.COMPLETE if complete else TrialState.FAIL
        case "pruned":
            return TrialState.PRUNED
        case "diverged" | "failed":
            return TrialState.FAIL
        case _:
            return TrialState.RUNNING


def _begun(folder: Path) -> datetime:
    """The time at which a run began, in the machine's own time, as Optuna has it."""
    run = RunFolder(folder)
    if not run.origin.exists():
        return datetime.now()  # It is about to.
    return datetime.fromisoformat(run.read_origin()["started"]).astimezone().replace(tzinfo=None)


def _course(folder: Path, column: str) -> dict[int, float]:
    """The values of a column in the rows of a run, by their steps. Raises RunError where a row is damaged."""
    path = RunFolder(folder).metrics
    found: dict[int, float] = {}
    for line in read_file(path).splitlines() if path.exists() else ():
        try:
            row: dict[str, Any] = json.loads(line)
            value, step = row.get(column), row["step"]
        except (ValueError, KeyError, AttributeError) as error:
            raise damaged(path, "a line is no row", "leave the trial out by removing its folder") from error
        if isinstance(value, int | float) and math.isfinite(value):
            found[step] = float(value)
    return found
