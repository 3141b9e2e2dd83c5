"""Columns of series: their numbers in order, what fills gaps, and their scaling by what training reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.data.columns.number import Number
from nnctl.data.formats.precision import loses_differences
from nnctl.data.series.timeline import Timeline, Times
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.words import cut
from nnctl.errors import DataError
from nnctl.late import dataclass

Missing = Literal["error", "previous", "interpolate"]
Scale = Literal["standardize", "min_max", "none"]


@dataclass(frozen=True)
class Numbers:
    """The numbers of columns of series, by name, each float64 (steps,), in the order of the timeline."""

    table: Table
    timeline: Timeline
    columns: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, table: Table, timeline: Timeline, names: Iterable[str], missing: Missing) -> Numbers:
        """Columns of a table, without gaps. Raises DataError, naming line and column."""
        columns = {}
        for name in dict.fromkeys(names):
            table.require(name)
            cells = table.cells(name)
            if not cells.is_number:
                hint = "name the columns of numbers: columns: [...]"
                raise DataError(f"{table.place.name}: column {cut(name)!r} holds no numbers\n  {hint}")
            columns[name] = _filled(cells, timeline, missing)
        return cls(table, timeline, columns)

    def stacked(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Columns side by side, (steps, names)."""
        return np.stack([self.columns[name] for name in names], axis=1)

    def merged(self, names: Sequence[str]) -> tuple[str, ...]:
        """A sentence for each of these columns, targets in their own units, that single precision does not keep."""
        return tuple(
            f"column {cut(name)!r} has values that differ and are equal in single precision, in which targets are: "
            "forecast what is left when a round number near them is subtracted"
            for name in names
            if loses_differences(self.columns[name])
        )

    def scaling(self, names: Sequence[str], scale: Scale, read: NDArray[np.int64]) -> dict[str, Any]:
        """The scaling of each column, fitted to the steps that training reads, as plain data. read: their places."""
        return {name: dict(Number(scale=scale).fit(self._cells(name).take(read))) for name in names}

    def encoded(self, names: Sequence[str], scaling: Mapping[str, Any]) -> NDArray[np.float32]:
        """Columns as inputs, (steps, names). Raises DataError."""
        return np.concatenate([Number().encode(self._cells(name), scaling[name]) for name in names], axis=1)

    def _cells(self, name: str) -> Cells:
        rows = self.timeline.rows if self.table.rows is None else self.table.rows[self.timeline.rows]
        return Cells(name, pa.chunked_array([pa.array(self.columns[name])]), self.table.place, rows)


def scaled(values: NDArray[np.float64], names: Sequence[str], scaling: Mapping[str, Any]) -> NDArray[np.float32]:
    """Values (…, names) of columns as inputs, as `Numbers.encoded` gives them; infinite where they are too large."""
    shift, scale = (np.array([scaling[name][what] for name in names]) for what in ("shift", "scale"))
    with np.errstate(over="ignore"):
        inputs: NDArray[np.float32] = ((values - shift) * scale).astype(np.float32)
    return inputs


def _filled(cells: Cells, timeline: Timeline, missing: Missing) -> NDArray[np.float64]:
    """The numbers of a table's cells in the timeline's order, every gap filled from its own series."""
    values = cells.numbers()[timeline.rows]
    infinite = np.isinf(values)
    if infinite.any():
        raise cells.error(int(timeline.rows[np.argmax(infinite)]), f"{values[infinite][0]} is not finite", "a number")
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if missing == "error":
        message = f"missing value in column {cut(cells.name)!r}"
        hint = "say missing: previous, or missing: interpolate; or remove the rows"
        raise cells.error(int(timeline.rows[gaps].min()), message, "", hint)
    filled = values.copy()
    for start, stop in zip(timeline.borders[:-1], timeline.borders[1:], strict=True):
        there = np.flatnonzero(~gaps[start:stop])
        here = np.flatnonzero(gaps[start:stop])
        if not len(here):
            continue
        outside = here < (there[0] if len(there) else stop)
        where = "before"
        if missing == "interpolate" and not outside.any():
            outside, where = here > there[-1], "behind"
        if outside.any():
            message = f"missing value in column {cut(cells.name)!r}, and the series has none {where} it to fill it from"
            hint = "remove the row" if where == "before" else "say missing: previous, or remove the row"
            raise cells.error(int(timeline.rows[start + here[outside][0]]), message, "", hint)
        series = values[start:stop]
        if missing == "previous":
            filled[start + here] = series[there[np.searchsorted(there, here) - 1]]
        else:
            at = _places(timeline.times, start, stop)
            filled[start + here] = np.interp(at[here], at[there], series[there])
    return filled


def _places(times: Times | None, start: int, stop: int) -> NDArray[np.float64]:
    """The axis that values are interpolated over: times from the first on, or the numbers of steps."""
    if times is None:
        return np.arange(stop - start, dtype=np.float64)
    return np.asarray((times[start:stop] - times[start]).astype(np.float64))
