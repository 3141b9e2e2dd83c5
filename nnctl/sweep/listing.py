"""Trials of a sweep as a table, a row each, for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from nnctl.sweep.result import TrialResult
from nnctl.sweep.trial import write


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


def csv_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Rows of equal keys as CSV under one header, an empty field for None; what is no scalar is as in a spec."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    lines: list[list[Any]] = [list(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    for line in lines:
        writer.writerow(write(value) if isinstance(value, dict | list | tuple | bool) else value for value in line)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
