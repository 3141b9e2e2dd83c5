"""Parts of dates by nodes of ONNX: the calendar in whole numbers.

Source of the calendar: H. Hinnant, chrono-Compatible Low-Level Date Algorithms, `civil_from_days`. Years begin on the
first of March there, so that the day that a year may lack is its last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from nnctl.exchange.onnx.writer import Given, Writer

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 86_400 * _SECOND
_ERA = 146_097
"""Days of 400 years."""
_BEFORE_1970 = 719_468
"""Days from the first of March of the year 0 to the first of January 1970."""


def part_of(w: Writer, instants: str, part: str) -> str:
    """A part of instants, microseconds since 1970 (n, 1) int64: int64 (n, 1), of `elapsed` double.

    Raises KeyError for a part that there is not.
    """
    return _PARTS[part](_Whole(w), instants)


class _Whole:
    """Arithmetic of whole numbers, none below 0 but where `floor` divides."""

    def __init__(self, w: Writer) -> None:
        self.w = w

    def __call__(self, op: str, a: Given, b: Given | int) -> str:
        return self.w.add(op, a, np.array(b, np.int64) if isinstance(b, int) else b)

    def floor(self, a: Given, b: int) -> str:
        """The floor of a/b; a may be below 0, where ONNX would round towards it."""
        return self("Div", self("Sub", a, self("Mod", a, b)), b)

    def either(self, condition: Given, a: Given, b: Given) -> str:
        return self.w.add("Where", condition, a, b)


def _elapsed(whole: _Whole, instants: str) -> str:
    w = whole.w
    return w.add("Div", w.add("Cast", instants, to=11), w.constant(np.array(1e6), "constant", double=True))


def _days(whole: _Whole, instants: str) -> str:
    return whole.floor(instants, _DAY)


def _minute_of_day(whole: _Whole, instants: str) -> str:
    return whole("Div", whole("Mod", instants, _DAY), _MINUTE)


def _from_march(whole: _Whole, instants: str) -> tuple[str, str]:
    """(the year that began in March, the day of it from 0)."""
    days = whole("Add", _days(whole, instants), _BEFORE_1970)
    era, day = whole.floor(days, _ERA), whole("Mod", days, _ERA)
    # Of 400 years 97 have one more day: one in 4, but of those one in 25 has not, and one in 100 has.
    even = whole("Sub", day, whole("Div", day, 1_460))
    even = whole("Add", even, whole("Div", day, 36_524))
    even = whole("Sub", even, whole("Div", day, 146_096))
    year = whole("Div", even, 365)
    before = whole("Sub", whole("Add", whole("Mul", year, 365), whole("Div", year, 4)), whole("Div", year, 100))
    return whole("Add", year, whole("Mul", era, 400)), whole("Sub", day, before)


def _month_from_march(whole: _Whole, day: str) -> str:
    return whole("Div", whole("Add", whole("Mul", day, 5), 2), 153)


def _month(whole: _Whole, instants: str) -> str:
    month = _month_from_march(whole, _from_march(whole, instants)[1])
    return whole("Add", whole("Mod", whole("Add", month, 2), 12), 1)


def _day(whole: _Whole, instants: str) -> str:
    day = _from_march(whole, instants)[1]
    first = whole("Div", whole("Add", whole("Mul", _month_from_march(whole, day), 153), 2), 5)
    return whole("Add", whole("Sub", day, first), 1)


def _in_january(whole: _Whole, day: str) -> str:
    """True where a day is behind the end of the year in which its March is."""
    return whole("Less", np.array(305, np.int64), day)


def _year(whole: _Whole, instants: str) -> str:
    year, day = _from_march(whole, instants)
    return whole("Add", year, whole.w.add("Cast", _in_january(whole, day), to=7))


def _day_of_year(whole: _Whole, instants: str) -> str:
    year, day = _from_march(whole, instants)
    by_4, by_100, by_400 = (whole("Equal", whole("Mod", year, n), 0) for n in (4, 100, 400))
    w = whole.w
    leap = w.add("Cast", w.add("Or", w.add("And", by_4, w.add("Not", by_100)), by_400), to=7)
    behind = whole("Add", whole("Add", day, leap), 60)
    return whole.either(_in_january(whole, day), whole("Sub", day, 305), behind)


_PARTS: Mapping[str, Callable[[_Whole, str], str]] = {
    "elapsed": _elapsed,
    "year": _year,
    "month": _month,
    "day": _day,
    # 1970 began on a Thursday.
    "weekday": lambda whole, instants: whole("Mod", whole("Add", _days(whole, instants), 3), 7),
    "yearday": _day_of_year,
    "hour": lambda whole, instants: whole("Div", _minute_of_day(whole, instants), 60),
    "minute": lambda whole, instants: whole("Mod", _minute_of_day(whole, instants), 60),
}
