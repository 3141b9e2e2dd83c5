"""Rows of a table as series: a group after the other, each in the order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.data.tables.cells import Cells, Table
from nnctl.data.tables.dates import instants
from nnctl.data.words import cut
from nnctl.late import dataclass

Times = NDArray[Any]
"""Numbers, or instants as datetime64[us]."""
_ROUNDING = 1e-6
"""Relative differences of steps in numbers that are the rounding of their text."""


@dataclass(frozen=True)
class Timeline:
    """The rows of series.

    rows: of the table, series after series, each in order, (steps,). borders: where series begin in these, and the
    end, (series + 1,). names: of each, the group's cell; one empty name where there are no groups. times: of each of
    the rows, where a column has them. time: that column's name. days: whether times are written as days.
    """

    rows: NDArray[np.int64]
    borders: NDArray[np.int64]
    names: tuple[str, ...]
    times: Times | None = None
    time: str | None = None
    days: bool = False

    @classmethod
    def of(cls, table: Table, group: str | None, time: str | None) -> Timeline:
        """The series of a table, in the order of their first rows. Raises DataError, naming line and column.

        group: the column that says whose a row is; one series if None. time: the column to sort by; the order of the
        rows if None. Equal times in a series are an error.
        """
        for name in (group, time):
            if name is not None:
                table.require(name)
        codes, names = np.zeros(len(table), dtype=np.int64), [""]
        if group is not None:
            cells = table.cells(group)
            codes, names = cells.codes()
            if (codes < 0).any():
                message = f"missing value in column {cut(group)!r}, which says whose series it is"
                raise cells.error(int(np.argmax(codes < 0)), message, "", "remove the row, or fill the gap")
            # In the order in which they appear: a dictionary of the file's may have another.
            present, first = np.unique(codes, return_index=True)
            place = np.empty(len(names), dtype=np.int64)
            place[present[np.argsort(first)]] = np.arange(len(present))
            codes, names = place[codes], [names[code] for code in present[np.argsort(first)]]
        if time is None:
            rows, times = np.argsort(codes, kind="stable"), None
        else:
            times = times_of(table.cells(time))
            rows = np.lexsort((times, codes))
            times = times[rows]
            again = np.flatnonzero((times[1:] == times[:-1]) & (codes[rows][1:] == codes[rows][:-1])) + 1
            if len(again):
                whose = f" of {cut(names[codes[rows[again[0]]]])!r}" if group is not None else ""
                message = f"a second row{whose} at the same time"
                hint = "remove it, or say group: the column that says whose series a row is"
                raise table.cells(time).error(int(rows[again].min()), message, "", "" if group else hint)
        borders = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
        days = time is not None and pa.types.is_date(table.columns[time].type)
        return cls(rows, borders, tuple(names), times, time, days)

    def of_steps(self, chosen: NDArray[np.bool_]) -> Timeline:
        """The same series with some of the steps, (steps,)."""
        borders = np.concatenate([[0], np.cumsum(chosen)])[self.borders]
        times = None if self.times is None else self.times[chosen]
        return replace(self, rows=self.rows[chosen], borders=borders, times=times)

    def of_series(self, chosen: NDArray[np.int64]) -> Timeline:
        """Some of the series, by increasing indices."""
        there = np.zeros(len(self.names), dtype=np.bool_)
        there[chosen] = True
        steps = np.repeat(there, self.lengths)
        borders = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        times = None if self.times is None else self.times[steps]
        names = tuple(self.names[i] for i in chosen)
        return replace(self, rows=self.rows[steps], borders=borders, names=names, times=times)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each series."""
        return np.diff(self.borders)

    @property
    def advice(self) -> tuple[str, ...]:
        """A sentence where steps in time are irregular."""
        if self.times is None:
            return ()
        odd, first = 0, None
        for start, stop in zip(self.borders[:-1], self.borders[1:], strict=True):
            irregular = _irregular(self.times[start:stop])
            odd += len(irregular)
            if len(irregular) and first is None:
                first = self.times[start + irregular[0]]
        if first is None:
            return ()
        return (
            f"{odd:,} of {len(self.rows) - len(self.names):,} steps in column {cut(self.time or '')!r} are longer or "
            f"shorter than the others, the first at {self.text(first)}: a series is read as if all were of one length",
        )

    def text(self, time: Any) -> str | float | int:
        """A time as text, or as the number that it is."""
        if isinstance(time, np.datetime64):
            # Days and seconds without what is behind them, where that is nothing.
            unit = "D" if self.days else "s" if time == time.astype("datetime64[s]") else "us"
            return str(time.astype(f"datetime64[{unit}]")).replace("T", " ")
        return int(time) if float(time).is_integer() else float(time)

    def after(self, series: int, count: int) -> Times | None:
        """The times of so many steps beyond the end of a series; None where they are not known.

        A step is the usual one of the series; of months where its times are the same day of months, or the last.
        """
        if self.times is None or self.lengths[series] < 2:
            return None
        return _beyond(self.times[self.borders[series] : self.borders[series + 1]], count)


def times_of(cells: Cells) -> Times:
    """The cells of a column as times, (n,). Raises DataError where one is missing, or is none."""
    kind = cells.values.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        times: Times = instants(cells, None)
        missing = np.isnat(times)
    else:
        if not cells.is_number:
            raise cells.error(0, f"column {cut(cells.name)!r} holds no times", "numbers, or dates as 2024-01-31 12:30")
        times = cells.numbers()
        missing = ~np.isfinite(times)
    if missing.any():
        message = f"missing value in column {cut(cells.name)!r}, which orders the steps"
        raise cells.error(int(np.argmax(missing)), message, "", "remove the row, or fill the gap")
    return times


def _months(times: Times) -> tuple[NDArray[np.int64], Any, int] | None:
    """(months between times, what lies between the begin of a month, or of the next, and a time, 0 or 1 for the next).

    None where times are numbers, or lie elsewhere in their months.
    """
    if times.dtype.kind != "M":
        return None
    for following in (0, 1):
        months = times.astype("datetime64[M]") + following
        within = times - months.astype("datetime64[us]")
        if (within == within[0]).all():
            return np.asarray(np.diff(months.astype(np.int64)), dtype=np.int64), within[0], following
    return None


def _irregular(times: Times) -> NDArray[np.int64]:
    """Places of times whose step from the one before is not the usual one; increasing times (n,)."""
    if len(times) < 3:
        return np.zeros(0, dtype=np.int64)
    monthly = _months(times)
    if monthly is not None and (monthly[0] == monthly[0][0]).all():
        return np.zeros(0, dtype=np.int64)
    steps = np.diff(times).astype(np.float64)
    usual = np.sort(steps)[len(steps) // 2]
    return np.flatnonzero(np.abs(steps - usual) > _ROUNDING * usual) + 1


def _beyond(times: Times, count: int) -> Times:
    """Times of so many steps behind the last of increasing ones (n,), n at least 2."""
    ahead = np.arange(1, count + 1)
    monthly = _months(times)
    if monthly is not None and (monthly[0] == monthly[0][0]).all() and monthly[0][0] > 0:
        steps, within, following = monthly
        last = times[-1].astype("datetime64[M]") + following
        beyond: Times = (last + steps[0] * ahead).astype("datetime64[us]") + within
        return beyond
    steps = np.sort(np.diff(times))
    beyond = times[-1] + ahead * steps[len(steps) // 2]
    return beyond


def without_end(timeline: Timeline, table: Table, names: Sequence[str]) -> tuple[Timeline, Timeline]:
    """(the steps of each series up to the last in which one of these columns is there, the steps behind it).

    No step is behind where no column is named.
    """
    ends = timeline.borders[1:].copy()
    if names:
        for name in names:
            table.require(name)
        missing = np.all([table.columns[name].is_null(nan_is_null=True).to_numpy() for name in names], axis=0)[
            timeline.rows
        ]
        there = np.flatnonzero(~missing)
        for series, (start, stop) in enumerate(zip(timeline.borders[:-1], timeline.borders[1:], strict=True)):
            before = there[: np.searchsorted(there, stop)]
            ends[series] = max(start, before[-1] + 1 if len(before) else start)
    places = np.arange(len(timeline.rows))
    past = places < np.repeat(ends, timeline.lengths)
    return timeline.of_steps(past), timeline.of_steps(~past)
