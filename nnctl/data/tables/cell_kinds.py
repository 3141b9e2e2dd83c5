"""Kinds of cells: what texts of cells stand for, and the one kind that a column's parts have in common."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import reduce
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from nnctl.data.words import cut
from nnctl.errors import DataError
from nnctl.late import dataclass

Kind = Literal["nothing", "whole", "digits", "real", "truth", "date", "time", "instant", "text"]
"""nothing: missing cells alone. whole: numbers of 64 bits. digits: whole numbers that are none of these, for they are
longer or begin with 0. real: numbers. truth: true and false. date; time: a date with a time of the day; instant: one
with a zone. text: anything."""

TYPES: dict[Kind, pa.DataType] = {
    "nothing": pa.float64(),
    "whole": pa.int64(),
    "digits": pa.string(),
    "real": pa.float64(),
    "truth": pa.bool_(),
    "date": pa.date32(),
    "time": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}
"""The type that a column of a kind has."""

_WORDS: dict[Kind, str] = {
    "whole": "a whole number",
    "real": "a number",
    "truth": "true or false",
    "date": "a date, as 2024-01-31",
    "time": "a date and time, as 2024-01-31 12:30:00",
    "instant": "a date and time with its zone, as 2024-01-31T12:30:00Z",
}
_TRUE = pa.array(["true", "True", "TRUE"])
_TRUTH = pa.array(["true", "True", "TRUE", "false", "False", "FALSE"])
# Made once: Arrow looks for pandas whenever it makes one of a value.
_NONE, _ONE, _TWO = (pa.scalar(number, pa.int32()) for number in range(3))
_NO_TEXT, _NO_TRUTH = pa.scalar(None, pa.string()), pa.scalar(None, pa.bool_())
_DATED: tuple[Kind, ...] = ("date", "time", "instant")
_EXACT = 2.0**53
"""Below this a double without decimals is one whole number."""
_WHOLE = "^-?[0-9]+$"
_NUMBERS_IN_LETTERS = ("inf", "-inf", "+inf", "infinity", "-infinity", "+infinity")


@dataclass(frozen=True)
class Part:
    """A part of a column: cells of one kind, null where one is missing. Digits and texts are kept as texts."""

    kind: Kind
    values: pa.Array | pa.ChunkedArray

    @property
    def is_written(self) -> bool:
        """True where the cells are kept as they were written."""
        return self.kind in ("nothing", "digits", "text")


def joined(kinds: Iterable[Kind]) -> Kind:
    """The kind of a column whose parts are of these, in whatever order."""
    return reduce(_join, kinds, "nothing")


def _join(a: Kind, b: Kind) -> Kind:
    pair = {a, b} - {"nothing"}
    if len(pair) < 2:
        return b if a == "nothing" else a
    if pair <= {"whole", "digits"}:
        return "digits"
    if pair <= {"whole", "digits", "real"}:
        return "real"
    return "time" if pair == {"date", "time"} else "text"


def kind_of(type_: pa.DataType) -> Kind:
    """The kind of cells of a type. Raises ValueError for one that cells do not have."""
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type)
    if pa.types.is_null(type_):
        return "nothing"
    if pa.types.is_integer(type_):
        return "whole"
    if pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "real"
    if pa.types.is_boolean(type_):
        return "truth"
    if pa.types.is_date(type_):
        return "date"
    if pa.types.is_timestamp(type_):
        return "instant" if type_.tz else "time"
    if pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_):
        return "text"
    raise ValueError(str(type_))


def of_texts(texts: pa.Array, decimal: str = ".") -> Part:
    """The part that texts without blanks around them stand for."""
    present = texts.drop_null()
    if not len(present):
        return Part("nothing", texts)
    first = present[0].as_py()
    # What has no digit is a text or one of a few words: most columns of texts are known by their first.
    if not any(c.isdigit() for c in first) and first.lower() not in ("true", "false", *_NUMBERS_IN_LETTERS):
        return Part("text", texts)
    whole = _cast(texts, TYPES["whole"])
    if whole is not None and not _begin_with_zero(present):
        return Part("whole", whole)
    if pc.all(pc.match_substring_regex(present, _WHOLE)).as_py():
        return Part("digits", texts)
    if (real := _real(texts, decimal)) is not None:
        return Part("real", real)
    if pc.all(pc.is_in(present, _TRUTH)).as_py():
        return Part("truth", pc.if_else(pc.is_null(texts), _NO_TRUTH, pc.is_in(texts, _TRUE)))
    for kind in _DATED:
        if (values := _dated(texts, kind)) is not None:
            return Part(kind, values)
    return Part("text", texts)


def of_values(values: list[Any]) -> Part:
    """The part that Python's values stand for; texts among them are texts, but dates that are written as such."""
    kinds = {_kind_of_value(value) for value in values}
    kind = joined(kinds)
    if kind == "text" and kinds <= {"nothing", "text"}:
        part = of_texts(pa.array(values, pa.string()))
        return part if part.kind in _DATED else Part("text", pa.array(values, pa.string()))
    if kind in ("text", "digits"):
        return Part(kind, pa.array([None if value is None else as_written(value) for value in values], pa.string()))
    if kind == "time":
        values = [v if v is None or isinstance(v, datetime) else datetime.combine(v, datetime.min.time())
                  for v in values]  # fmt: skip
    return Part(kind, pa.array(values, TYPES[kind]))


def as_written(value: Any) -> str:
    """A value as text would have it: 5 for 5.0, true for True."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else str(value)


def assembled(kind: Kind, parts: list[Part]) -> pa.ChunkedArray:
    """The column of a kind from parts whose kinds are joined in it. Texts need parts that are kept as written."""
    chunks: list[pa.Array] = []
    for part in parts:
        values = _as(part, kind)
        chunks += values.chunks if isinstance(values, pa.ChunkedArray) else [values]
    return pa.chunked_array(chunks, chunks[0].type if chunks else TYPES[kind])


def all_numbers(values: Iterable[Any]) -> bool:
    """True where no value is anything else than a number, or missing."""
    return all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values)


def of_type(part: Part, type_: pa.DataType, decimal: str) -> pa.Array | pa.ChunkedArray | None:
    """The cells of a part as a type that is wanted; None where one of them does not fit it."""
    wanted = kind_of(type_)
    if wanted == "text":
        return pc.cast(part.values, pa.string())
    if part.kind == "text":
        # Once a column is known to hold texts, its other parts are not looked at.
        part = of_texts(part.values, decimal)
    if joined([part.kind, wanted]) != wanted:
        return None
    return _as(part, wanted)


def misfit(part: Part, type_: pa.DataType, decimal: str) -> tuple[int, str, str]:
    """(the index of the first cell that does not fit a type, what it holds, what is expected)."""
    wanted = kind_of(type_)
    for index, value in enumerate(part.values.to_pylist()):
        if value is None:
            continue
        kind = of_texts(pa.array([value]), decimal).kind if part.kind == "text" else part.kind
        if joined([kind, wanted]) != wanted:
            return index, cut(as_written(value)), _WORDS[wanted]
    raise DataError("a part of a column was refused, and each of its cells is sound")


def trimmed(texts: pa.Array | pa.ChunkedArray, empty_is_missing: bool) -> pa.Array | pa.ChunkedArray:
    """Texts without blanks around them; null where nothing is left, if that means so."""
    texts = pc.ascii_trim(texts, " \t\r\n")
    if not empty_is_missing:
        return texts
    return pc.if_else(pc.equal(pc.binary_length(texts), _NONE), _NO_TEXT, texts)


def _as(part: Part, kind: Kind) -> pa.Array | pa.ChunkedArray:
    if part.kind == "nothing":
        return pa.nulls(len(part.values), TYPES[kind])
    # Times may have more digits than are kept.
    return part.values if part.values.type == TYPES[kind] else pc.cast(part.values, TYPES[kind], safe=False)


def _kind_of_value(value: Any) -> Kind:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int):
        return "whole" if -(2**63) <= value < 2**63 else "digits"
    if isinstance(value, float):
        return "real"
    if isinstance(value, datetime):
        return "time" if value.tzinfo is None else "instant"
    return "date" if isinstance(value, date) else "text"


def _begin_with_zero(texts: pa.Array) -> bool:
    length = pc.binary_length(texts)
    plain = pc.and_(pc.starts_with(texts, "0"), pc.greater(length, _ONE))
    negative = pc.and_(pc.starts_with(texts, "-0"), pc.greater(length, _TWO))
    return bool(pc.any(pc.or_(plain, negative)).as_py())


def _real(texts: pa.Array, decimal: str) -> pa.Array | None:
    if decimal != ".":
        if pc.any(pc.match_substring(texts, ".")).as_py():
            return None
        texts = pc.replace_substring(texts, decimal, ".")
    return _cast(texts, TYPES["real"])


def _dated(texts: pa.Array, kind: Kind) -> pa.Array | None:
    values = _cast(texts, TYPES[kind])
    if values is None and kind != "date":
        # Nanoseconds, which pandas writes.
        fine = _cast(texts, pa.timestamp("ns", TYPES[kind].tz))
        values = None if fine is None else pc.cast(fine, TYPES[kind], safe=False)
    return values


def _cast(values: pa.Array, type_: pa.DataType) -> pa.Array | None:
    try:
        return pc.cast(values, type_)
    except pa.ArrowInvalid:
        return None
