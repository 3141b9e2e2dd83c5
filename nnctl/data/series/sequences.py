"""Sequences of unequal length, filled up to one length, as inputs and targets of a net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.examples import Description, FittedInputs
from nnctl.data.limits import require_memory
from nnctl.data.series.columns import Numbers, Scale
from nnctl.data.series.timeline import Timeline
from nnctl.data.stored.arrays import chosen
from nnctl.data.tables.cells import Table
from nnctl.data.words import cut
from nnctl.errors import DataError
from nnctl.late import dataclass


@dataclass(frozen=True)
class SequenceInputs:
    """Inputs that are whole sequences, whose columns are not scaled yet; see `nnctl.data.examples.UnfittedInputs`.

    inputs, outputs: names of the columns of inputs and of targets. rows: the sequences, by increasing indices among
    those of the timeline, (n,).
    """

    numbers: Numbers
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rows: NDArray[np.int64]
    scale: Scale
    description: Description

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, rows: NDArray[np.int64]) -> SequenceInputs:
        """See `nnctl.data.examples.UnfittedInputs`."""
        return replace(self, rows=self.rows[rows])

    def fit(self, train: NDArray[np.int64]) -> FittedInputs:
        """The inputs, by the steps of the sequences `train`. Raises DataError."""
        timeline = self.numbers.timeline
        trains = np.zeros(len(timeline.names), dtype=np.bool_)
        trains[self.rows[train]] = True
        read = np.flatnonzero(np.repeat(trains, timeline.lengths))
        scaling = self.numbers.scaling(self.inputs, self.scale, read)
        fitted = {"sequences": scaling, "inputs": list(self.inputs), "targets": list(self.outputs)}
        return FittedInputs(self.made_by(fitted), self.description, fitted)

    def raw(self) -> NDArray[np.float64]:
        """The sequences in the columns' own units, (n, length, inputs), NaN behind the end."""
        timeline, steps = self.numbers.timeline, self.numbers.stacked(self.inputs)
        filled = np.full((len(timeline.names), self.description.input_shape[0], steps.shape[1]), np.nan)
        filled[places(timeline)] = steps
        return filled[self.rows]

    def made_by(self, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """The inputs, by what a `fit` gave. Raises DataError."""
        encoded = self.numbers.encoded(self.inputs, fitted["sequences"])
        name = self.numbers.table.place.name
        return chosen(filled_up(encoded, self.numbers.timeline, self.description.input_shape[0], name), self.rows)


def filled_up(steps: NDArray[np.float32], timeline: Timeline, length: int, name: str) -> NDArray[np.float32]:
    """Sequences (n, length, k + 1) of steps (steps, k): behind a step's numbers a 1, behind the last step zeros.

    So the layer `mask` knows every step that there is, whatever its numbers are. name: the table's, in messages.
    """
    shape = (len(timeline.names), length, steps.shape[1] + 1)
    require_memory(4 * int(np.prod(shape)), f"{name}: {shape[0]:,} sequences of {length:,} steps")
    inputs = np.zeros(shape, dtype=np.float32)
    sequence, step = places(timeline)
    inputs[sequence, step, :-1] = steps
    inputs[sequence, step, -1] = 1.0
    return inputs


def places(timeline: Timeline) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(the number of each step's sequence, its place in that), (steps,)."""
    sequence = np.repeat(np.arange(len(timeline.names)), timeline.lengths)
    return sequence, np.arange(len(timeline.rows)) - timeline.borders[sequence]


def require_length(timeline: Timeline, length: int, name: str, hint: str = "") -> None:
    """Raise DataError, naming it, where a sequence is longer than examples are."""
    longer = np.flatnonzero(timeline.lengths > length)
    if len(longer):
        whose, steps = timeline.names[longer[0]], timeline.lengths[longer[0]]
        raise DataError(f"{name}: sequence {cut(whose)!r} has {steps:,} steps, and at most {length:,} are read{hint}")


def of_sequences(targets: NDArray[Any], timeline: Timeline, table: Table, column: str) -> NDArray[Any]:
    """The target of each sequence, (n, …), from those of rows. Raises DataError where the rows of one differ."""
    ordered = targets[timeline.rows]
    firsts = timeline.borders[:-1]
    sequence, _ = places(timeline)
    differs = (ordered != ordered[firsts][sequence]).reshape(len(ordered), -1).any(axis=1)
    if differs.any():
        row = int(timeline.rows[differs].min())
        whose = cut(timeline.names[sequence[np.flatnonzero(timeline.rows == row)[0]]])
        message = f"another target than that of the first step of {whose!r}"
        raise table.cells(column).error(row, message, "one target a sequence", "or say per: step")
    return ordered[firsts]


def of_steps(labels: NDArray[np.int64], timeline: Timeline, length: int, left_out: int) -> NDArray[np.int64]:
    """The label of each step, (n, length), `left_out` behind the last."""
    filled = np.full((len(timeline.names), length), left_out, dtype=np.int64)
    filled[places(timeline)] = labels[timeline.rows]
    return filled
