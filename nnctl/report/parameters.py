"""Columns of single parameters over time, such as the norms of each layer's weights and gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nnctl.figures.figure import HeatMap, Table
from nnctl.report.curves import column_of
from nnctl.report.layers import MOST_LAYERS, MOST_TIMES, figure_over_time
from nnctl.report.section import Drawn, Part, Prose, Section
from nnctl.runs.history import History
from nnctl.training.monitor import stem_and_part

_TOLD = 8
"""Times whose numbers are in the table behind a figure."""


def parameters_over_time(run: History) -> Iterator[Section]:
    """A figure for each measure that has a column for each parameter, as `weight_norm.hidden.weight`."""
    families: dict[str, list[str]] = {}
    for column in run.columns:
        stem, part = stem_and_part(column)
        if part and np.isfinite(column_of(run, column)).any():
            families.setdefault(stem, []).append(column)
    if not families:
        return
    kept = np.unique(np.linspace(0, len(run.rows) - 1, min(len(run.rows), MOST_TIMES)).round().astype(int))
    epochs = column_of(run, "epoch")[kept]
    parts: list[Part] = []
    for stem, columns in families.items():
        if len(columns) > MOST_LAYERS:
            parts.append(Prose(f"Of {len(columns):,} columns {stem} the first {MOST_LAYERS} are drawn."))
        shown = columns[:MOST_LAYERS]
        values = np.stack([column_of(run, column)[kept] for column in shown])
        names = [stem_and_part(column)[1] for column in shown]
        figure = figure_over_time(stem.replace("_", " "), names, epochs, values, logarithmic=stem.endswith("norm"))
        told = np.unique(np.linspace(0, len(kept) - 1, min(len(kept), _TOLD)).round().astype(int))
        heads = ("parameter", *(f"epoch {epochs[at]:g}" for at in told))
        rows = tuple((name, *line[told].tolist()) for name, line in zip(names, values))
        parts.append(Drawn(figure, table=Table(heads, rows), wide=isinstance(figure, HeatMap)))
    yield Section("Parameters over time", tuple(parts))
