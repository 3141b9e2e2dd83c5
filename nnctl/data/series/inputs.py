"""Windows over series as inputs and targets of a net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from nnctl.data.examples import Description, FittedInputs
from nnctl.data.formats.precision import as_float32
from nnctl.data.limits import require_memory
from nnctl.data.series.columns import Numbers, Scale
from nnctl.data.stored.arrays import LazyRows, Rows
from nnctl.data.stored.folder import on_disk
from nnctl.late import dataclass


class WindowRows(LazyRows):
    """Windows (n, length, k) over steps (steps, k) in memory, where neighbours share most of their numbers.

    starts: the first step of each window, (n,).
    """

    def __init__(self, steps: NDArray[Any], starts: NDArray[np.int64], length: int) -> None:
        self.dtype = steps.dtype
        self._steps, self._starts, self._length = steps, starts, length
        self._all = sliding_window_view(steps, length, axis=0).swapaxes(1, 2)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, length, k)."""
        return (len(self._starts), *self._all.shape[1:])

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[Any]:
        return np.ascontiguousarray(self._all[self._starts[rows]])

    def of(self, rows: NDArray[np.int64]) -> Self:
        """See `LazyRows`."""
        return type(self)(self._steps, self._starts[rows], self._length)


@dataclass(frozen=True)
class WindowInputs:
    """Inputs that are windows over series, whose columns are not scaled yet; see `nnctl.data.examples.UnfittedInputs`.

    inputs, outputs: names of the columns of inputs and of targets. starts: the first step of each window, (n,).
    in_memory: whether windows are held one by one; if they take at most half of the memory left if None.
    """

    numbers: Numbers
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    starts: NDArray[np.int64]
    window: int
    scale: Scale
    description: Description
    in_memory: bool | None

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, rows: NDArray[np.int64]) -> WindowInputs:
        """The same of some windows."""
        return replace(self, starts=self.starts[rows])

    def fit(self, train: NDArray[np.int64]) -> FittedInputs:
        """The inputs, by the steps that the windows `train` read. Raises DataError."""
        # +1 where a window begins, −1 behind its end: what is above 0 in between is read.
        ends = np.zeros(len(self.numbers.timeline.rows) + 1, dtype=np.int64)
        np.add.at(ends, self.starts[train], 1)
        np.add.at(ends, self.starts[train] + self.window, -1)
        scaling = self.numbers.scaling(self.inputs, self.scale, np.flatnonzero(np.cumsum(ends[:-1])))
        # A checkpoint keeps lists in order, mappings not.
        fitted = {"series": scaling, "inputs": list(self.inputs), "targets": list(self.outputs)}
        return FittedInputs(self.made_by(fitted), self.description, fitted)

    def raw(self) -> NDArray[np.float64]:
        """The windows in the columns' own units, (n, window, inputs)."""
        return WindowRows(self.numbers.stacked(self.inputs), self.starts, self.window)[:]

    def made_by(self, fitted: Mapping[str, Any]) -> Rows:
        """The inputs, by what a `fit` gave. Raises DataError."""
        rows: Rows = WindowRows(self.numbers.encoded(self.inputs, fitted["series"]), self.starts, self.window)
        if on_disk(self.in_memory, rows.nbytes):
            return rows
        what = f"{self.numbers.table.place.name}: {len(self):,} windows of {self.window:,} steps"
        require_memory(rows.nbytes, what)
        return rows[:]


def targets(numbers: Numbers, names: tuple[str, ...], starts: NDArray[np.int64], horizon: int) -> NDArray[np.float32]:
    """The values of the steps from each start on, step after step, (n, horizon · names), in the columns' own units.

    Raises DataError where one does not fit single precision.
    """
    what = f"{numbers.table.place.name}: a target"
    require_memory(4 * len(starts) * horizon * len(names), f"{what}s of {len(starts):,} windows")
    values = as_float32(numbers.stacked(names), what)
    return WindowRows(values, starts, horizon)[:].reshape(len(starts), horizon * len(names))
