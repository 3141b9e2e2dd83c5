"""Rungs of a trial: the epochs, or times of training, after which it is looked at, its values there, and its end.

A trial's value at a rung in epochs is that of its last evaluation at or before it. At a rung in seconds it is that of
the first evaluation whose row says so many seconds of training, or more: which this is hangs on the machine, and the
row keeps it. All that is decided is a function of rows, which are never measured twice: of the same rows the same is
decided, whenever and wherever. Everything that a worker needs to decide is given to it with the trial, so that no
message passes while it trains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Literal

from nnctl.components.kinds.pruning import JudgingPruner
from nnctl.late import dataclass
from nnctl.sweep.objectives import Objective
from nnctl.training.events import Record


@dataclass(frozen=True)
class Watch:
    """The rungs of a trial as it is given to a worker.

    pruner, bounds: what judges it at each rung, and the bound by rung where there is one; None where nothing does.
    until: the rung at which it waits for others; None where it goes on to its end. in_seconds: what rungs are
    measured in, else in epochs.
    """

    objective: Objective
    rungs: Sequence[float]
    pruner: JudgingPruner | None = None
    bounds: Mapping[float, float] = field(default_factory=dict)
    until: float | None = None
    in_seconds: bool = False

    def reached(self, rows: Sequence[Record], epochs: float | None = None) -> dict[float, float]:
        """The value at each rung that has one. epochs: that are done; None where the run has ended by itself.

        What has ended by itself has at every rung that it did not come to the value of its end.
        """
        values = ((rung, self._value(self._row(rows, rung, epochs))) for rung in self.rungs)
        return {rung: value for rung, value in values if value is not None}

    def row(self, rows: Sequence[Record], rung: float) -> Record | None:
        """The row of a trial at a rung that it has reached, or before which it has ended; None where there is none."""
        return self._row(rows, rung, None)

    def epochs_at(self, rows: Sequence[Record], rung: float) -> int | None:
        """The whole epochs after which a run of these rows waits or ends at a rung; None before it is there."""
        if not self.in_seconds:
            return int(rung)
        row = next((row for row in rows if _number(row, "seconds") >= rung), None)
        return None if row is None else math.ceil(_number(row, "epoch"))

    def decide(self, rows: Sequence[Record], epochs: int) -> tuple[Literal["paused", "pruned"], float] | None:
        """The end of the trial after so many epochs, for now or for good, and its rung; None where it goes on."""
        if self.pruner is not None:
            own: list[float] = []
            seen: Record | None = None
            for rung in self.rungs:
                row = self._row(rows, rung, epochs)
                value = self._value(row)
                if value is None:
                    continue
                if row is not seen:  # An evaluation that several rungs look at is one of the trial's values.
                    own.append(self.objective.sign * value)
                    seen = row
                if self.pruner.loses(own, self.bounds.get(rung)):
                    return "pruned", rung
        if self.until is not None and (after := self.epochs_at(rows, self.until)) is not None and after <= epochs:
            return "paused", self.until
        return None

    def _row(self, rows: Sequence[Record], rung: float, epochs: float | None) -> Record | None:
        """See `row`; the epochs that are done are None where the run has ended by itself."""
        if self.in_seconds:
            done = rows if epochs is None else [row for row in rows if _number(row, "epoch") <= epochs]
            found = next((row for row in done if _number(row, "seconds") >= rung), None)
            return rows[-1] if found is None and epochs is None and rows else found
        if epochs is not None and rung > epochs:
            return None
        return next((row for row in reversed(rows) if _number(row, "epoch") <= rung), None)

    def _value(self, row: Record | None) -> float | None:
        value = None if row is None else row.get(self.objective.column)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _number(row: Record, column: str) -> float:
    value = row[column]
    assert isinstance(value, int | float)
    return value
