"""Rungs of a trial: the epochs after which it is looked at, its values there, and its end at one of them.

A trial's value at a rung is that of its last evaluation at or before it. Everything that a worker needs to decide
is given to it with the trial, so that no message passes while it trains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nnctl.components.kinds.pruning import JudgingPruner
from nnctl.sweep.objectives import Objective
from nnctl.training.events import Record


@dataclass(frozen=True)
class Watch:
    """The rungs of a trial as it is given to a worker.

    pruner, bounds: what judges it at each rung, and the bound by rung where there is one; None where nothing does.
    until: the rung at which it waits for others; None where it goes on to its end.
    """

    objective: Objective
    rungs: tuple[int, ...]
    pruner: JudgingPruner | None = None
    bounds: Mapping[int, float] = field(default_factory=dict)
    until: int | None = None

    def reached(self, rows: Sequence[Record], epochs: int | None = None) -> dict[int, float]:
        """The value at each rung that has one. epochs: that are done; None where the run has ended by itself."""
        found: dict[int, float] = {}
        for rung in self.rungs if epochs is None else (r for r in self.rungs if r <= epochs):
            row = last_row(rows, rung)
            value = None if row is None else row.get(self.objective.column)
            if isinstance(value, int | float) and math.isfinite(value):
                found[rung] = float(value)
        return found

    def decide(self, rows: Sequence[Record], epochs: int) -> tuple[Literal["paused", "pruned"], int] | None:
        """The end of the trial after so many epochs, for now or for good, and its rung; None where it goes on."""
        if self.pruner is not None:
            own: list[float] = []
            for rung, value in self.reached(rows, epochs).items():
                own.append(self.objective.sign * value)
                if self.pruner.loses(own, self.bounds.get(rung)):
                    return "pruned", rung
        if self.until is not None and self.until <= epochs:
            return "paused", self.until
        return None


def last_row(rows: Sequence[Record], epochs: int) -> Record | None:
    """The last row at or before so many epochs."""
    early = (row for row in reversed(rows) if isinstance(epoch := row["epoch"], int | float) and epoch <= epochs)
    return next(early, None)
