"""Trials of a sweep as objects of JSON, and as a table for other programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nnctl.sweep.trial_result import TrialResult


def trial_object(result: TrialResult, objectives: Sequence[str], shown: Callable[[str], str] = str) -> dict[str, Any]:
    """The object of a trial. objectives: columns that the sweep names; else it is what the run monitored.

    shown: gives the name of its folder for people.
    """
    own = () if result.monitored is None else (result.monitored,)
    columns = (objectives or own) if own else ()
    values = [result.value(column) for column in columns]
    several = len(objectives) > 1
    return {
        "trial": result.trial.number,
        "combination": result.trial.combination,
        "seed": result.trial.seed,
        "fold": None if result.trial.fold is None else result.trial.fold[0],
        "settings": dict(result.trial.settings),
        "status": result.status,
        "rung": result.rung,
        "rung_unit": result.unit,
        "monitor": list(columns) if several else next(iter(columns), None),
        "value": values if several else next(iter(values), None),
        "metrics": dict(result.metrics),
        "seconds": result.seconds,
        "error": result.error,
        "folder": shown(result.folder),
    }


def trial_rows(results: Sequence[TrialResult], shown: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """Rows with the same columns: every setting by its path, every metric; None where a trial has none.

    shown: gives the name of a folder for people.
    """
    paths = list(dict.fromkeys(path for result in results for path in result.trial.settings))
    metrics = list(dict.fromkeys(name for result in results for name in result.metrics))
    pruned = any(result.rung is not None for result in results)
    own = {"trial", "combination", "seed", "fold", "status", "rung", "rung_unit", "seconds", "folder", *metrics}
    # A searched seed is the run's; any other setting may have the name of a column.
    heads = {path: f"setting {path}" if path in own else path for path in paths if path != "seed"}
    return [
        {
            "trial": result.trial.number,
            "combination": result.trial.combination,
            "seed": result.trial.settings.get("seed", result.trial.seed),
            "fold": None if result.trial.fold is None else result.trial.fold[0],
            **{head: result.trial.settings.get(path) for path, head in heads.items()},
            "status": result.status,
            **({"rung": result.rung, "rung_unit": result.unit} if pruned else {}),
            **{name: result.metrics.get(name) for name in metrics},
            "seconds": result.seconds,
            "folder": shown(result.folder),
        }
        for result in results
    ]
