"""Panels on a terminal: the curves of one run, or of several over one another."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

import numpy as np
from rich.text import Text

from nnctl.errors import UsageError
from nnctl.figures.figure import Axis, Chart, Curve, Values
from nnctl.figures.terminal import figure_lines
from nnctl.runs.history import History
from nnctl.training.monitor import SPLITS, metric_of

AXES = ("epoch", "step", "seconds")
"""Columns that curves are drawn over."""
_LEAST = 8
"""Lines of a panel in which there is something to see."""
_USUAL, _MOST = 16, 28
"""Lines of a panel where no height is given, and at most where one is."""
_WIDE = 60
"""Columns of a panel that has another one beside it, at least."""
_GAP = 2


def panels(
    runs: Sequence[History], *, by: str = "epoch", log: bool = False, columns: Sequence[str] = ()
) -> list[Chart]:
    """Charts of what runs have measured so far: cost, the monitored metric, the learning rate.

    One run has the splits in one chart; of several, each column has a chart with a curve a run. by: one of `AXES`;
    log: the costs on a logarithmic axis; columns: these instead. Raises UsageError where no run has one of them.
    """
    known = require_columns(runs, columns)
    charts = []
    for title, members in _groups(runs, known, columns):
        curves = [curve for run in runs for curve in _curves(run, members, by, several=len(runs) > 1)]
        if any(np.isfinite(curve.y).any() for curve in curves):
            costs = log and any(metric_of(column) == "cost" for column in members)
            charts.append(Chart(title, Axis(by), Axis(title, log=costs), tuple(curves)))
    return charts


def require_columns(runs: Sequence[History], columns: Sequence[str]) -> list[str]:
    """All columns of the runs' rows. Raises UsageError where there are rows, and one of `columns` is none of them."""
    known = list(dict.fromkeys(column for run in runs for column in run.columns))
    for column in columns:
        if known and column not in known:
            near = ", ".join(difflib.get_close_matches(column, known) or known[:10])
            raise UsageError(f"--columns {column}: no row has it\n  did you mean one of {near}?")
    return known


def panel_lines(charts: Sequence[Chart], width: int, height: int | None, *, plain: bool) -> list[Text]:
    """Charts as lines: beside one another where there is room, else below. height: of all together, if given.

    Within a height the first charts are drawn that fit.
    """
    across = max(1, min(len(charts), (width + _GAP) // (_WIDE + _GAP)))
    if height is not None:
        # Fewer beside one another where that leaves none out.
        rows_fit = max(1, height // _LEAST)
        charts = charts[: rows_fit * across]
    rows = math.ceil(len(charts) / across) if charts else 0
    across = math.ceil(len(charts) / rows) if rows else 1
    each = (width - _GAP * (across - 1)) // across
    lines: list[Text] = []
    for row in range(rows):
        tall = _USUAL if height is None else min(_MOST, height // rows)
        blocks = [figure_lines(chart, each, tall, plain=plain) for chart in charts[row * across : (row + 1) * across]]
        lines += _beside(blocks, each)
    return lines


def _groups(runs: Sequence[History], known: Sequence[str], columns: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Titles and columns of the charts."""
    if not columns:
        monitors = [metric_of(run.monitor) for run in runs if run.monitor is not None]
        metrics = dict.fromkeys(["cost", *monitors])
        columns = [f"{split}_{metric}" for metric in metrics for split in SPLITS[:2] if f"{split}_{metric}" in known]
        # One that stays the same is told by a number.
        columns += ["learning_rate"] if any(_changes(run, "learning_rate") for run in runs) else []
    if len(runs) > 1:
        return [(_words(column), [column]) for column in columns]
    grouped: dict[str, list[str]] = {}
    for column in columns:
        grouped.setdefault(_words(metric_of(column)), []).append(column)
    return [(_words(members[0]) if len(members) == 1 else title, members) for title, members in grouped.items()]


def _curves(run: History, columns: Sequence[str], by: str, *, several: bool) -> list[Curve]:
    names = {
        column: run.name if several else _words(column.removesuffix(f"_{metric_of(column)}")) for column in columns
    }
    present = [column for column in columns if column in run.columns]
    return [Curve(names[column], _values(run, by), _values(run, column)) for column in present]


def _values(run: History, column: str) -> Values:
    numbers = [row.get(column) for row in run.rows]
    return np.array([value if isinstance(value, int | float) else math.nan for value in numbers], dtype=np.float64)


def _changes(run: History, column: str) -> bool:
    return len({row.get(column) for row in run.rows}) > 1


def _words(column: str) -> str:
    return column.replace("_", " ")


def _beside(blocks: Sequence[Sequence[Text]], width: int) -> list[Text]:
    lines = []
    for place in range(max(map(len, blocks))):
        line = Text()
        for number, block in enumerate(blocks):
            part = block[place].copy() if place < len(block) else Text()
            if number + 1 < len(blocks):
                part.pad_right(width + _GAP - part.cell_len)
            line.append_text(part)
        lines.append(line)
    return lines
