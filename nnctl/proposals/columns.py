"""Proposals for the columns of a table: what each is, and why."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.tables import dates, numerals
from nnctl.data.tables.cells import Cells
from nnctl.data.tables.kinds import different
from nnctl.data.words import cut, some
from nnctl.late import dataclass

MOSTLY_DIFFERENT = 0.5
"""Share of different texts above which a column names its rows, and does not tell kinds of them apart."""
FEW = 20
"""So many different texts are kinds of rows, however few the rows."""
_MOSTLY_MISSING = 0.5
_MOST_INPUTS = 50
"""Categories up to which each becomes an input; of more, each becomes a trained vector."""
_LONGEST_VECTOR = 16
_MOSTLY_RARE = 0.5
"""Share of rows below which frequent names cover too little to be worth their inputs."""
_LEAST_GAPS = 5
"""Missing cells from which on a flag can be learned."""
_LEAST_MARKS = 5
"""Cells from which on one value among missing ones is a mark that can be learned, as a cross in a box."""
_LEAST_VALUES = 3
_STAND_INS = frozenset(sign * number for number in (9, 99, 999, 9999, 99999, 999999) for sign in (1, -1)) | {-1}
"""Numbers that surveys and instruments write where there is none."""
_WORDS_OF_TEXT = 4
"""Words that cells have on the average in a free text."""
_IDENTIFIERS = frozenset(
    ["id", "ids", "key", "uuid", "guid", "nr", "no", "num", "number", "index", "idx", "row", "rowid", "unnamed"]
)
OWNERS = frozenset(
    [
        "customer",
        "user",
        "client",
        "account",
        "person",
        "patient",
        "subject",
        "member",
        "session",
        "household",
        "device",
    ]
)
"""Words for whom or what rows belong to: a number that is called so is a name."""
_AREAS = frozenset(["zip", "zipcode", "postcode", "postal", "plz"])
_DATE_INPUTS = 5
"""Inputs of a date by its default parts: the time, and month and weekday as points on circles."""
_CIRCLE = 2
"""Inputs of another part that comes round: the hour, where there are times of day."""
_EXACT = 1 << 53


GROUPED = numerals.Notation(",", ".")
"""Numbers whose point stands between groups of digits."""


@dataclass(frozen=True)
class Decided:
    """A column as it is proposed.

    value: what the spec says of it. inputs: numbers that it becomes. plain: it is a number of which nothing needs to
    be said. doubt: a sentence for whoever asked, or nothing.
    """

    value: str | Mapping[str, object]
    why: str = ""
    inputs: int = 0
    plain: bool = False
    doubt: str = ""

    @property
    def is_used(self) -> bool:
        """True where it is an input."""
        return self.value != "ignore"


def decide(cells: Cells) -> Decided:
    """The proposal for a column of inputs, by all of its cells."""
    values, rows = cells.values, len(cells)
    gaps = gaps_in(cells)
    if gaps == rows:
        return _left_out("no cell holds anything")
    count = count_of(cells)
    if count == 1 and gaps and rows - gaps >= _LEAST_MARKS:
        return _category(cells, f"{cut(str(different(cells)[0].as_py()))!r} or nothing")
    if gaps > _MOSTLY_MISSING * rows:
        return _left_out(f"{100 * gaps / rows:.3g} % of its cells are missing")
    if count == 1 and not gaps:
        return _left_out(f"every cell is {cut(str(values[0].as_py()))!r}")
    if pa.types.is_date(values.type) or pa.types.is_timestamp(values.type):
        return _date(cells, None)
    if cells.is_text:
        return _of_texts(cells)
    if pa.types.is_integer(values.type):
        return _of_whole_numbers(cells, count)
    numbers = cells.numbers()
    present = numbers[~np.isnan(numbers)]
    if not np.isfinite(present).all():
        return _left_out("some of its numbers are infinite")
    if count == rows and (_numbers_rows(numbers) or (_is_named_identifier(cells.name) and (present % 1 == 0).all())):
        # Programs that know one kind of numbers write whole ones as 17.0.
        return _of_whole_numbers(replace(cells, values=pc.cast(cells.values, pa.int64())), count)
    return _number(cells, {})


def decide_grouped(cells: Cells, comma: str) -> Decided:
    """The proposal for a column of numbers whose point stands between groups. comma: a column with a decimal comma."""
    texts = different(cells)
    dotted = texts.filter(pc.match_substring(texts, "."))[0].as_py()
    read = f"{dotted!r} is read as {dotted.replace('.', '')}, for {cut(comma)!r} has a decimal comma"
    doubt = f"column {cut(cells.name)!r}: {read}; or is it {{type: number}}?"
    return _number(cells, GROUPED.said, f"written as {dotted!r}", doubt)


def gaps_in(cells: Cells) -> int:
    """The number of missing cells: in files of typed columns what is no number is none of them, too."""
    gaps = int(cells.values.null_count)
    return gaps + (pc.sum(pc.is_nan(cells.values)).as_py() or 0 if pa.types.is_floating(cells.values.type) else 0)


def count_of(cells: Cells) -> int:
    """The number of different cells, missing ones left out. Arrow does not count those of a dictionary."""
    return len(different(cells)) if cells.is_text else int(pc.count_distinct(cells.values, mode="only_valid").as_py())


def are_digits(texts: pa.Array) -> bool:
    """True where texts are whole numbers: too long ones, else they would not be texts. Those are names."""
    return bool(pc.all(pc.match_substring_regex(texts, r"^[+-]?[0-9]+$")).as_py())


def words_of(name: str) -> list[str]:
    """The words of a column's name, in small letters: of customerId, customer_id and Customer ID the same."""
    return re.findall(r"[a-z]+", re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name).lower())


def _of_whole_numbers(cells: Cells, count: int) -> Decided:
    values, rows = cells.values, len(cells)
    low, high = (pc.min_max(values)[end].as_py() for end in ("min", "max"))
    if max(-low, high) > _EXACT:
        return _left_out("its numbers are beyond 2^53: they name something, and are no amounts")
    if count == rows:
        if _is_named_identifier(cells.name):
            return _left_out(f"an identifier by its name: {count:,} different numbers in {rows:,} rows")
        if _numbers_rows(cells.numbers()):
            return _left_out("it numbers the rows: each is one more than the one before")
    if _AREAS.intersection(words_of(cells.name)):
        return _category(cells, "numbers that name areas")
    if low >= 19000101 and high <= 21001231:
        texts = pc.cast(values, pa.string()).drop_null().unique().to_pylist()
        if all(dates.instant_of(text, "%Y%m%d") is not None for text in texts):
            return _date(cells, "%Y%m%d")
    return _number(cells, {})


def _is_named_identifier(name: str) -> bool:
    # The number of customers is none, and the customer's number is one.
    words = words_of(name)
    return bool(words) and (words[-1] in _IDENTIFIERS | OWNERS or words[0] == "id")


def _numbers_rows(numbers: NDArray[np.float64]) -> bool:
    return len(numbers) > 2 and bool((np.diff(numbers) == 1).all())


def _of_texts(cells: Cells) -> Decided:
    texts = different(cells)
    rows, count = len(cells) - gaps_in(cells), len(texts)
    if dates.is_iso(texts):
        return _date(cells, None)
    zeros = pc.any(pc.match_substring_regex(texts, r"^[+-]?0[0-9]+$")).as_py()
    if not zeros and not are_digits(texts):
        many = count > FEW and count > MOSTLY_DIFFERENT * rows
        if readings := numerals.notations(texts) or (numerals.measured(texts) if many else []):
            example = cut(texts[0].as_py())
            others = " or ".join(map(_shown, readings[1:]))
            doubt = f"column {cut(cells.name)!r}: {example!r} is read by {_shown(readings[0])}; or is it {others}?"
            return _number(cells, readings[0].said, f"written as {example!r}", doubt if others else "")
        if written := dates.notations(texts.to_pylist()):
            others = " or ".join(written[1:])
            doubt = f"column {cut(cells.name)!r}: dates are read as {written[0]}; or are they {others}?"
            return _date(cells, written[0], doubt if others else "")
        if several := dates.several_notations(texts.to_pylist()):
            return _left_out(f"dates written in several ways, as {some(several)}: write all of them in one")
    words = pc.mean(pc.add(pc.count_substring(pc.utf8_trim_whitespace(texts), " "), 1)).as_py()
    if count > FEW and count > MOSTLY_DIFFERENT * rows:
        if words >= _WORDS_OF_TEXT:
            return _left_out(f"free text, {words:.2g} words a cell")
        if count == rows:
            return _left_out(f"an identifier: all {rows:,} texts are different")
        return _left_out(f"mostly different texts: {count:,} in {rows:,} rows")
    return _category(cells, "with leading zeros: names, no numbers" if zeros else "")


def _category(cells: Cells, why: str) -> Decided:
    gaps = gaps_in(cells)
    codes, _ = cells.codes()
    sizes = np.bincount(codes[codes >= 0])
    sizes = np.sort(sizes[sizes > 0])[::-1]
    count, rows = len(sizes), int(sizes.sum())
    least = max(2, min(20, rows // 200))
    kept = sizes[sizes >= least]
    if kept.sum() < _MOSTLY_RARE * rows:
        return _left_out(f"{count:,} different names, most of them rare: too many to learn each")
    vectors = count > _MOST_INPUTS
    fields: dict[str, object] = {"type": "category", "unseen": "other"}
    # A cell of new data that is missing is met like a name that is not seen; a vector would have to be trained.
    if gaps or not vectors:
        fields["missing"] = "category"
    reasons = [f"{count:,} different", why]
    rare = count - len(kept)
    if rare or vectors:
        fields["least"] = least
        reasons.append(f"{rare:,} of them in fewer than {least} rows")
    inputs = len(kept) + bool(rare) + bool(gaps)
    if vectors:
        inputs = fields["embedding"] = min(_LONGEST_VECTOR, math.ceil(math.sqrt(len(kept))))
        reasons.append("each a trained vector")
    if gaps:
        reasons.append(_missing(cells))
    return Decided(fields, "; ".join(filter(None, reasons)), inputs)


def _number(cells: Cells, notation: Mapping[str, object], why: str = "", doubt: str = "") -> Decided:
    gaps = gaps_in(cells)
    doubt = doubt or ("" if notation else _stand_in(cells))
    if not gaps:
        value = {"type": "number", **notation} if notation else "number"
        return Decided(value, why, 1, plain=not notation, doubt=doubt)
    flag = {"flag": True} if gaps >= _LEAST_GAPS else {}
    reasons = [why, _missing(cells), "" if flag else "too few for a flag"]
    fields = {"type": "number", **notation, "missing": "median", **flag}
    return Decided(fields, "; ".join(filter(None, reasons)), 1 + len(flag), doubt=doubt)


def _stand_in(cells: Cells) -> str:
    """The sentence on a number that may stand for nothing, as 99 and -999 do in surveys; nothing where there is none.

    It comes several times, and is farther from all the others than these are from one another.
    """
    numbers = cells.numbers()
    values, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    if len(values) < _LEAST_VALUES:
        return ""
    for ends, others in ((0, values[1:]), (-1, values[:-1])):
        value, count = float(values[ends]), int(counts[ends])
        apart = np.abs(others - value).min() > others[-1] - others[0]
        if count >= _LEAST_MARKS and value in _STAND_INS and apart:
            mark, low, high = (f"{number:.15g}" for number in (value, others[0], others[-1]))
            where = f"{mark} in {count:,} rows, beside numbers from {low} to {high}"
            return f"column {cut(cells.name)!r}: {where}: if it stands for nothing, say missing_values: ['', {mark}]"
    return ""


def _date(cells: Cells, notation: str | None, doubt: str = "") -> Decided:
    gaps = gaps_in(cells)
    fields: dict[str, Any] = {"type": "date"} | ({"format": notation} if notation else {})
    flag = gaps >= _LEAST_GAPS
    if gaps:
        fields |= {"missing": "median"} | ({"flag": True} if flag else {})
    value = fields if len(fields) > 1 else "date"
    hours = _has_times(cells)
    what = "its time, month, weekday and hour" if hours else "its time, month and weekday"
    why = what + (f"; {_missing(cells)}" if gaps else "")
    return Decided(value, why, _DATE_INPUTS + _CIRCLE * hours + flag, doubt=doubt)


def _has_times(cells: Cells) -> bool:
    """True where dates, read or as they are written, have times of day."""
    values = cells.values
    if cells.is_text:
        return bool(pc.any(pc.match_substring(values, ":")).as_py())
    if not pa.types.is_timestamp(values.type):
        return False
    return bool(pc.any(pc.not_equal(values, pc.floor_temporal(values, unit="day"))).as_py())


def _missing(cells: Cells) -> str:
    return f"{100 * gaps_in(cells) / len(cells):.2g} % missing"


def _left_out(why: str) -> Decided:
    return Decided("ignore", why)


def _shown(notation: numerals.Notation) -> str:
    return "{" + notation.fields + "}"
