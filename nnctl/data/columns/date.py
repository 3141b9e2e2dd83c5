"""Columns of dates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from nnctl.components.base import Column
from nnctl.components.encodings import Dated, DatePart
from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.tables.cells import Cells
    from nnctl.data.tables.dates import Instants

Part = Literal["elapsed", "year", "month", "day", "weekday", "yearday", "hour", "minute"]
_PERIODS = {
    "month": (1, 12),
    "day": (1, 31),
    "weekday": (0, 7),
    "yearday": (1, 366),
    "hour": (0, 24),
    "minute": (0, 60),
}
"""First value and number of values of each part that comes round."""
_DAY = 86_400.0


@register("column", "date")
class Date(Column):
    """A date, or a date with the time of day, by its parts.

    elapsed, the time since 1970, and year are standardized numbers, from double precision. The parts that come round
    are each a point on a circle, its sine and cosine, or one input a value. Weekdays begin on Monday.
    """

    formula = "x = (sin 2π·part/period, cos 2π·part/period)"
    example = '{type: date, format: "%d/%m/%Y", parts: [year, month, weekday]}'

    format: Annotated[
        NonEmptyStr | None,
        "how the dates are written, as Python's strptime has it: %d.%m.%Y; if absent, as in 2021-03-04 17:30:00",
    ] = None
    parts: Annotated[
        tuple[Part, ...] | None,
        "what becomes inputs, in this order; elapsed, month and weekday if absent, and hour where there are times of "
        "day; [] for a column that only orders the rows",
    ] = None
    cyclic: Annotated[
        Literal["circle", "one_hot"], "parts that come round: sine and cosine of 2π·part/period, or one input a value"
    ] = "circle"
    missing: Annotated[
        Literal["error", "median", "drop"],
        "what stands for a missing date: the median of the training rows; drop leaves the example out of training",
    ] = "error"
    flag: Annotated[bool, "one more input, 1 where the date is missing and else 0"] = False

    def problems(self) -> Sequence[Problem]:
        """Parts that are listed twice, a notation that is none, and a flag that is never up."""
        found = []
        parts = self.parts or ()
        if twice := [part for part in parts if parts.count(part) > 1]:
            found.append(Problem("parts", f"{twice[0]} is listed twice"))
        if self.format is not None and "%" not in self.format:
            found.append(Problem("format", f"{self.format!r} has no part of a date", "as in %d/%m/%Y %H:%M"))
        if self.flag and self.missing != "median":
            found.append(
                Problem("flag", f"no date is missing where missing is {self.missing}", "say missing: median, too")
            )
        return found

    @property
    def as_text(self) -> bool:
        """True where the spec says how they are written."""
        return self.format is not None

    @property
    def drops_missing(self) -> bool:
        """True where `missing` says so."""
        return self.missing == "drop"

    def absent(self, cells: Cells) -> NDArray[np.bool_]:
        """A mask of the missing cells."""
        import numpy as np

        return np.isnat(self._instants(cells))

    def amounts(self, cells: Cells) -> NDArray[np.float64]:
        """Days since 1970."""
        return _seconds(self._instants(cells)) / _DAY

    def fit(self, cells: Cells) -> Mapping[str, Any]:
        """parts: that there are. fill: seconds since 1970 of the median, or None. scaling: [shift, scale] by part."""
        import numpy as np

        from nnctl.data.columns.number import standard

        dates = self._instants(cells)
        present = dates[~np.isnat(dates)]
        fill = None
        if self.missing == "median":
            if not len(present):
                raise cells.error(0, f"no training row has a date in column {cells.name!r}: there is no median")
            # An instant of the data, so that its parts are those of a date that there is.
            fill = float(_seconds(np.sort(present)[(len(present) - 1) // 2 : (len(present) + 1) // 2])[0])
            dates = np.where(np.isnat(dates), _instant(fill), dates)
        parts: tuple[str, ...] = self.parts if self.parts is not None else ("elapsed", "month", "weekday")
        if self.parts is None and np.any(present != present.astype("datetime64[D]")):
            parts = (*parts, "hour")
        dates = dates[~np.isnat(dates)]
        scaling = {p: list(standard(_part(dates, p))) for p in parts if p not in _PERIODS and len(dates)}
        return {"parts": list(parts), "fill": fill, "scaling": scaling}

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """Those of each part, then the flag."""
        found: list[str] = []
        for part in fitted["parts"]:
            if part not in _PERIODS:
                found.append(f"{name} {part}")
            elif self.cyclic == "circle":
                found += [f"{name} {part} sine", f"{name} {part} cosine"]
            else:
                first, count = _PERIODS[part]
                found += [f"{name} {part}={value}" for value in range(first, first + count)]
        return (*found, *([f"{name} is missing"] if self.flag else []))

    def encode(self, cells: Cells, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """The parts in float64, rounded."""
        import numpy as np

        from nnctl.data.tables.dates import require_dates

        dates = self._instants(cells)
        missing = np.isnat(dates)
        if fitted["fill"] is not None:
            dates = np.where(missing, _instant(fitted["fill"]), dates)
        require_dates(cells, dates)
        columns = []
        for part in fitted["parts"]:
            values = _part(dates, part)
            if part in _PERIODS:
                first, count = _PERIODS[part]
                columns.append(
                    _on_circle(values, count) if self.cyclic == "circle" else _one_hot(values - first, count)
                )
            else:
                shift, scale = fitted["scaling"][part]
                columns.append(((values - shift) * scale)[:, None])
        if self.flag:
            columns.append(missing[:, None])
        return np.concatenate([np.zeros((len(dates), 0)), *columns], axis=1).astype(np.float32)

    def encoding(self, fitted: Mapping[str, Any]) -> Dated:
        """The same of an instant."""
        parts = []
        for part in fitted["parts"]:
            if part in _PERIODS:
                first, count = _PERIODS[part]
                parts.append(DatePart(part, self.cyclic, (first, count)))
            else:
                shift, scale = fitted["scaling"][part]
                parts.append(DatePart(part, "scaled", (shift, scale)))
        fill = None if fitted["fill"] is None else int(_instant(fitted["fill"]).astype("int64"))
        return Dated(tuple(parts), self.format, fill, self.flag)

    def constant(self, fitted: Mapping[str, Any]) -> bool:
        """True where all are one instant."""
        return bool(fitted["scaling"].get("elapsed", (0.0, 1.0))[1] == 0.0) and not self.flag

    def _instants(self, cells: Cells) -> Instants:
        from nnctl.data.tables.dates import instants

        return instants(cells, self.format)


def _part(dates: Instants, part: str) -> NDArray[np.float64]:
    """A part of dates that are all there, float64 (n,); elapsed in seconds since 1970."""
    import numpy as np

    if part == "elapsed":
        return _seconds(dates)
    days, months, years = (dates.astype(f"datetime64[{unit}]") for unit in "DMY")
    if part in ("hour", "minute"):
        minutes = (dates - days).astype("timedelta64[m]").astype(np.int64)
        values = minutes // 60 if part == "hour" else minutes % 60
    elif part == "weekday":
        # 1970 began on a Thursday.
        values = (days.astype(np.int64) + 3) % 7
    elif part == "year":
        values = years.astype(np.int64) + 1970
    else:
        since = {"month": months - years, "day": days - months, "yearday": days - years}[part]
        values = since.astype(np.int64) + 1
    return np.asarray(values, dtype=np.float64)


def _seconds(dates: Instants) -> NDArray[np.float64]:
    import numpy as np

    return np.where(np.isnat(dates), np.nan, dates.astype(np.int64) / 1e6)


def _instant(seconds: float) -> np.datetime64:
    import numpy as np

    return np.datetime64(round(seconds * 1e6), "us")


def _on_circle(values: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    import numpy as np

    angles = values * (2 * math.pi / period)
    return np.stack([np.sin(angles), np.cos(angles)], axis=1)


def _one_hot(places: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    import numpy as np

    return np.asarray(places[:, None] == np.arange(count), dtype=np.float64)
