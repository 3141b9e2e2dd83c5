"""Curves of runs by epoch, by step and by seconds; of runs that differ by their seed alone the mean and the spread.

Columns of one layer or parameter each, whose names have a dot, are no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nnctl.figures.figure import Axis, Chart, Curve, Table, Values
from nnctl.report.groups import Group, grouped
from nnctl.report.section import Choice, Drawn, Listed, Part, Prose, Section
from nnctl.runs.history import History
from nnctl.training.monitor import SPLITS, metric_of, stem_and_part

MOST_GROUPS = 16
"""Curves of a chart that are told apart; of more groups the others are in the tables alone."""
_MOST_CHARTS = 24
_MOST_ROWS = 200
"""Rows of the table behind the curves."""
_AXES = ("epoch", "step", "seconds")
_NOT_MEASURED = ("event", *_AXES)


def curves(runs: Sequence[History]) -> Iterator[Section]:
    """Every measure in time, training and validation in one chart of one group, a chart for each of several."""
    groups = [group for group in grouped(runs) if any(run.rows for run in group.runs)]
    if not groups:
        return
    shown = groups[:MOST_GROUPS]
    parts: list[Part] = []
    if any(len(group.runs) > 1 for group in shown):
        parts.append(
            Prose(
                "A line is the mean of runs that differ by their seed alone, up to the last row that all of them have; "
                "the band around it is one standard deviation (n − 1) to either side."
            )
        )
    if len(groups) > len(shown):
        parts.append(Prose(f"Drawn are the first {len(shown)} of {len(groups)} groups of runs."))
    columns = _columns(groups)
    options = tuple((f"by {axis}", tuple(_charts(shown, columns, axis))) for axis in _AXES)
    parts.append(Choice("Curves", options))
    parts += [_table(group, columns) for group in shown]
    yield Section("Curves", tuple(parts))


def _columns(groups: Sequence[Group]) -> list[str]:
    """The columns with a finite number in some row: what was measured first, then the learning rate and the like."""
    found: dict[str, None] = {}
    for group in groups:
        for run in group.runs:
            open_ = [column for column in run.columns if column not in found and column not in _NOT_MEASURED]
            for column in open_:
                if not stem_and_part(column)[1] and np.isfinite(column_of(run, column)).any():
                    found[column] = None
    return sorted(found, key=lambda column: metric_of(column) == column)


def column_of(run: History, column: str) -> Values:
    """The numbers of a column of a run's rows, NaN where there is none, (rows,)."""
    values = (row.get(column) for row in run.rows)
    return np.array([value if isinstance(value, int | float) else math.nan for value in values], dtype=np.float64)


def _charts(groups: Sequence[Group], columns: Sequence[str], axis: str) -> Iterator[Part]:
    if len(groups) == 1:
        metrics = dict.fromkeys(metric_of(column) for column in columns)
        for metric in list(metrics)[:_MOST_CHARTS]:
            own = [column for column in columns if metric_of(column) == metric]
            layers = tuple(_curve(groups[0], column, axis, _split(column)) for column in own)
            yield Drawn(Chart(_words(metric), Axis(axis), Axis(), layers), listed=True)
        return
    ordered = sorted(columns, key=lambda column: column.startswith("train_"))
    for column in ordered[:_MOST_CHARTS]:
        layers = tuple(_curve(group, column, axis, group.name) for group in groups)
        yield Drawn(Chart(_words(column), Axis(axis), Axis(), layers), listed=True)


def _curve(group: Group, column: str, axis: str, name: str) -> Curve:
    """A run's column, or the mean over the runs of a group at the steps that all of them have."""
    measured = []
    for run in group.runs:
        steps, y = column_of(run, "step"), column_of(run, column)
        measured.append({step: at for at, step in enumerate(steps.tolist()) if math.isfinite(y[at])})
    shared = sorted(set.intersection(*map(set, measured)))
    places = [[each[step] for step in shared] for each in measured]
    y = np.array([column_of(run, column)[place] for run, place in zip(group.runs, places)])
    x = np.array([column_of(run, axis)[place] for run, place in zip(group.runs, places)]).mean(axis=0)
    if len(group.runs) == 1:
        return Curve(name, x, y[0])
    mean, spread = y.mean(axis=0), y.std(axis=0, ddof=1)
    return Curve(name, x, mean, mean - spread, mean + spread)


def _table(group: Group, columns: Sequence[str]) -> Listed:
    """The rows of a group's first run, at most so many, the first and the last among them."""
    run = group.runs[0]
    kept = np.unique(np.linspace(0, len(run.rows) - 1, min(len(run.rows), _MOST_ROWS)).round().astype(int))
    heads = (*_AXES, *columns)
    rows = tuple(tuple(run.rows[at].get(head) for head in heads) for at in kept.tolist())
    some = f", {len(rows)} of {len(run.rows):,} rows" if len(rows) < len(run.rows) else ""
    which = f", the first of {len(group.runs)} runs" if len(group.runs) > 1 else ""
    return Listed(f"Numbers of {group.name}{which}{some}", Table(heads, rows), folded=True)


def _split(column: str) -> str:
    return column.split("_")[0] if column.split("_")[0] in SPLITS and metric_of(column) != column else column


def _words(column: str) -> str:
    return column.replace("_", " ")
