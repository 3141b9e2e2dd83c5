"""Results of runs: what each has reached, and in which state it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nnctl.figures.figure import Axis, Chart, Points, Table
from nnctl.report.groups import Group, grouped, short_names
from nnctl.report.section import Drawn, Listed, Part, Prose, Section, Tiles
from nnctl.runs.history import History
from nnctl.runs.sweeps import final_metrics, measured
from nnctl.training.monitor import stem_and_part

_STATES = {
    "finished": "finished",
    "training": "is training now: the page shows it as it was when it was made",
    "unfinished": "has not finished: nobody trains it, and --resume goes on with it",
    "pruned": "was ended by the pruner of its sweep, and --resume goes on with it",
    "diverged": "has diverged",
}
_MOST_PLOTTED = 4
"""Columns of results that are drawn over the groups."""


def results(runs: Sequence[History]) -> Iterator[Section]:
    """Results of runs: numbers of a run, a table of several, and how far seeds are apart."""
    if len(runs) == 1:
        yield Section("Result", (*_of_one(runs[0]),))
        return
    names = short_names(runs)
    columns = list(dict.fromkeys(column for run in runs for column in reached(run)))
    shared = [column for column in columns if not column.startswith("train_")][:10]
    head = ("run", "state", "seed", "epochs", "seconds", "parameters", *shared)
    rows = tuple(
        (
            name, run.state, run.spec.get("seed"), _last(run, "epoch"), _last(run, "seconds"),
            (run.summary or {}).get("parameters"), *(reached(run).get(column) for column in shared),
        )
        for name, run in zip(names, runs)
    )  # fmt: skip
    parts: list[Part] = [Listed("Runs: what the weights that each ended with reach", Table(head, rows))]
    groups = grouped(runs)
    if any(len(group.runs) > 1 for group in groups):
        parts.append(Listed("Mean and spread of runs that differ by their seed alone", _spread(groups, shared)))
    if len(groups) > 1 or len(runs) > 2:
        parts += [Drawn(chart) for chart in _over_groups(groups, shared)]
    yield Section("Results", tuple(parts))


def reached(run: History) -> dict[str, float]:
    """The finite numbers that the run ended with; of one that has not ended, those of its last row."""
    row = final_metrics(run.summary) if run.summary is not None else measured(run.rows[-1]) if run.rows else {}
    return {
        column: float(value)
        for column, value in row.items()
        if column != "parameters" and isinstance(value, int | float) and math.isfinite(value)
    }


def _of_one(run: History) -> Iterator[Part]:
    values = reached(run)
    first = sorted(values, key=lambda column: (not column.startswith("test_"), not column.startswith("validation_")))
    tiles = [(column.replace("_", " "), values[column]) for column in first if not stem_and_part(column)[1]][:4]
    facts = [("epochs", _last(run, "epoch")), ("seconds", _last(run, "seconds"))]
    if run.summary is not None:
        facts.append(("parameters", run.summary["parameters"]))
    yield Tiles(tuple((name, value) for name, value in (*tiles, *facts) if value is not None))
    yield Prose(_sentence(run))


def _sentence(run: History) -> str:
    if run.summary is None:
        return f"The run {_STATES[run.state]}." + ("" if run.rows else " It has no rows yet.")
    summary = run.summary
    row = summary["best" if summary["weights"] == "best" else "last"] or {}
    kept = f"The numbers are of its {summary['weights']} weights"
    where = f", those after epoch {row['epoch']:g}" if isinstance(row.get("epoch"), int | float) else ""
    why = f" by {summary['monitor']}" if summary["weights"] == "best" and summary["monitor"] else ""
    stopped = f" It stopped early: {summary['stopped']}." if summary["stopped"] else ""
    return f"The run finished.{stopped} {kept}{why}{where}."


def _last(run: History, column: str) -> Any:
    if run.summary is not None:
        return run.summary["epochs" if column == "epoch" else column]
    return run.rows[-1].get(column) if run.rows else None


def _spread(groups: Sequence[Group], columns: Sequence[str]) -> Table:
    rows = []
    for group in groups:
        row: list[Any] = [group.name, len(group.runs)]
        for column in columns:
            values = [found[column] for run in group.runs if column in (found := reached(run))]
            row += [float(np.mean(values)) if values else None, float(np.std(values, ddof=1)) if values[1:] else None]
        rows.append(tuple(row))
    heads = (head for column in columns for head in (column, "± s"))
    return Table(("runs", "seeds", *heads), tuple(rows))


def _over_groups(groups: Sequence[Group], columns: Sequence[str]) -> Iterator[Chart]:
    names = tuple(group.name for group in groups)
    for column in columns[:_MOST_PLOTTED]:
        points = [
            (place, found[column], run.name)
            for place, group in enumerate(groups)
            for run in group.runs
            if column in (found := reached(run))
        ]
        if points:
            places, values, texts = zip(*points)
            layer = Points(column, np.array(places, dtype=np.float64), np.array(values), tuple(texts))
            yield Chart(f"{column} of each run", Axis(categories=names), Axis(column), (layer,))
