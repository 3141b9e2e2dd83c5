"""Proposals for tables whose rows are steps in time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from nnctl.data.tables.cells import Cells, Table
from nnctl.data.words import cut
from nnctl.proposals import nets
from nnctl.proposals.columns import gaps_in, words_of
from nnctl.proposals.proposal import Answer, Proposal
from nnctl.proposals.targets import are_classes
from nnctl.spec.noted import Noted

_LEAST_STEPS = 60
_MOSTLY = 0.95
"""Share of steps of one length from which on rows are steps of a series: clocks are put back, and months differ."""
_TIMES = frozenset(["t", "time", "step", "year", "month", "day", "hour"])


def time_of(table: Table) -> str | None:
    """The column of times, each a step later than the one before; None where there is no such."""
    if len(table) < _LEAST_STEPS:
        return None
    return next((name for name in table.columns if _steps(table.cells(name))), None)


def of_series(table: Table, time: str, target: str | None, data: dict[str, object]) -> Proposal | None:
    """A proposal to forecast a series; None where the rest of the table, or the target, is no series of numbers.

    target: the column to forecast; every number if None. data: the fields that say how the file is read.
    """
    others = [name for name in table.columns if name != time]
    numbers = [n for n in others if table.cells(n).is_number and not pa.types.is_boolean(table.columns[n].type)]
    usable = [name for name in numbers if gaps_in(table.cells(name)) < 0.5 * len(table)]
    if target is not None:
        table.require(target)
    if len(usable) < len(others) or not usable or (target is not None and target not in usable):
        return None
    asked = [target] if target is not None else usable
    if any(are_classes(table.cells(name).numbers()) for name in asked):
        return None
    steps = len(table)
    window = max(6, min(48, steps // 20))
    gaps = sum(gaps_in(table.cells(name)) for name in usable)
    fields: dict[str, object] = {
        "time": Noted(time, "each row is a step later than the one before"),
        "columns": usable,
        **({"target": target} if target is not None else {}),
        "window": Noted(window, "steps that a forecast reads"),
        "horizon": Noted(1, "steps ahead; nnctl predict RUN --forecast N goes on from there"),
        **({"missing": Noted("previous", f"{gaps:,} cells are missing")} if gaps else {}),
        **nets.shares(steps),
    }
    data = {**data, "type": "series", **fields}
    answer = Answer(None, len(asked))
    examples = nets.training_examples(steps)
    layers = nets.recurrent(steps, (window, len(usable)), answer)
    what = f"{cut(target)!r}" if target is not None else "every column"
    heading = [
        f"Proposed for a series of {steps:,} steps: a forecast of {what}.",
        "Where rows are examples by themselves, and not steps, write type: table.",
    ]
    return Proposal(nets.whole(data, layers, answer, nets.training(examples, most_epochs=60)), heading)


def _steps(cells: Cells) -> bool:
    """True where cells are dates, or numbers called times, that grow by nearly always the same."""
    kind = cells.values.type
    dated = pa.types.is_date(kind) or pa.types.is_timestamp(kind)
    if cells.values.null_count or not (
        dated or (pa.types.is_integer(kind) and _TIMES.intersection(words_of(cells.name)))
    ):
        return False
    times = np.asarray(cells.values.cast(pa.timestamp("us")) if dated else cells.values).astype(np.int64)
    differences = np.diff(times)
    usual = np.median(differences)
    return bool(usual > 0 and (differences > 0).all() and (abs(differences - usual) <= 0.15 * usual).mean() >= _MOSTLY)
