"""Encodings of a column's cells, as data: what other programs need to make the inputs that a kind of column makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from nnctl.late import dataclass


@dataclass(frozen=True)
class Scaled:
    """A number: (x − shift)·scale in double precision, rounded to single, which it must fit.

    fill: what stands for a missing number; None where a row without one is refused. flag: whether there is one more
    input, 1 where the number is missing and else 0.
    """

    shift: float
    scale: float
    fill: float | None = None
    flag: bool = False


@dataclass(frozen=True)
class Named:
    """A name, by its number among those that training knows.

    numbers: of each name. unseen, missing: of any other name, and of a missing one; None where a row with such is
    refused. width: inputs, all 0 but the one at the number, all 0 where it is `width`; None for one input, the number
    itself.
    """

    numbers: Mapping[str, float]
    unseen: float | None
    missing: float | None
    width: int | None


@dataclass(frozen=True)
class DatePart:
    """A part of a date as inputs.

    part: elapsed, the seconds since 1970; year; or month, day, weekday (0 is Monday), yearday, hour, minute.
    how: scaled, the one input (x − numbers[0])·numbers[1]; circle, sine and cosine of 2π·x/numbers[1]; one_hot, an
    input for each of the numbers[1] values from numbers[0] on.
    """

    part: str
    how: Literal["scaled", "circle", "one_hot"]
    numbers: tuple[float, float]


@dataclass(frozen=True)
class Dated:
    """A date by its parts.

    format: how its text is written, as strptime has it; ISO 8601 if None. fill: microseconds since 1970 that stand for
    a missing one; None where a row without one is refused. flag: whether one more input behind the parts is 1 where
    the date is missing and else 0.
    """

    parts: tuple[DatePart, ...]
    format: str | None
    fill: int | None = None
    flag: bool = False


Encoding: TypeAlias = Scaled | Named | Dated
