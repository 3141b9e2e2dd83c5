"""Kinds of columns that a spec says nothing of, decided over all of their cells, never by the first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nnctl.components.base import Column
from nnctl.data.columns.category import Category
from nnctl.data.columns.date import Date
from nnctl.data.columns.number import Number
from nnctl.data.limits import CATEGORIES
from nnctl.data.tables import dates, numerals
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.words import cut, key, some
from nnctl.errors import DataError

_MOSTLY = 0.5
"""Above this share of different texts a column names each row, and tells kinds of rows apart no longer."""
_FEW = 20
"""So many different texts are categories, however few the rows."""
_NEARLY_ALL = 0.9
"""From this share on of numbers, or dates, the other cells are looked at as slips."""
_LEAST_IDS = 30
"""Rows from which on whole numbers that are all different look like an identifier."""


def columns_of(
    table: Table, said: Mapping[str, Column], targets: Sequence[str], aside: Collection[str] = ()
) -> tuple[dict[str, Column], tuple[str, ...]]:
    """(the kind of each column that is an input, by name, in the table's order; a sentence for each doubt).

    aside: columns that are inputs only where `said` has them. Raises DataError.
    """
    for name in (*said, *targets, *aside):
        table.require(name)
    kinds: dict[str, Column] = {}
    advice: list[str] = []
    for name in table.columns:
        if name in targets or (name in aside and name not in said):
            continue
        if name in said:
            column = said[name]
        else:
            cells = table.cells(name)
            column = kind_of(cells)
            advice += _doubts(cells)
        if column.used:
            kinds[name] = column
    if not kinds:
        raise DataError(f"{table.place.name}: no column is left for the inputs")
    _require_one_decimal(table, said, kinds)
    return kinds, tuple(advice)


def kind_of(cells: Cells) -> Column:
    """The kind of a column, by all of its cells. Raises DataError where only a spec can say it."""
    kind = cells.values.type
    if cells.values.null_count == len(cells):
        raise _ask(cells, "holds nothing but missing cells", f"{key(cells.name)}: ignore")
    if cells.is_number:
        cells.require_told_apart()
        return Number()
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return Date()
    if not cells.is_text:
        raise _ask(cells, f"holds {kind}, which no kind of column reads", f"{key(cells.name)}: ignore")
    texts = different(cells)
    if dates.is_iso(texts):
        return Date()
    require_plain(cells, texts)
    count = len(texts)
    if not tell_apart(cells, count):
        if readings := numerals.measured(texts):
            lines = " or ".join(f"{key(cells.name)}: {{{reading.fields}}}" for reading in readings)
            example = cut(texts[0].as_py())
            raise _ask(cells, f"holds {count:,} different texts, numbers with a unit, as {example!r}", lines)
        raise DataError(
            f"{cells.place.name}: column {cut(cells.name)!r} holds {count:,} different texts in {len(cells):,} rows\n"
            f"  under data.columns, say {key(cells.name)}: ignore; or, to learn from those that come often, "
            f"{key(cells.name)}: {{type: category, least: 20, unseen: other}}"
        )
    return Category()


def tell_apart(cells: Cells, count: int) -> bool:
    """True where so many different texts tell kinds of rows apart, and do not name each row."""
    return count <= _FEW or (count <= CATEGORIES and count <= _MOSTLY * (len(cells) - cells.values.null_count))


def different(cells: Cells) -> pa.Array:
    """The different texts of a column, missing cells left out."""
    codes, texts = cells.codes()
    return pa.array(texts, pa.string()).take(pa.array(np.unique(codes[codes >= 0])))


def require_plain(cells: Cells, texts: pa.Array) -> None:
    """Raise DataError where texts, the different ones of the cells, are numbers or dates written in a way of their own.

    Digits that were kept as texts, for they begin with 0 or are beyond 64 bits, are names.
    """
    if pc.any(pc.match_substring_regex(texts, r"^[+-]?0[0-9]+$")).as_py():
        return
    if pc.all(pc.match_substring_regex(texts, r"^[+-]?[0-9]+$")).as_py():
        return
    if readings := numerals.notations(texts):
        say = " or ".join(f"{key(cells.name)}: {{{reading.fields}}}" for reading in readings)
        example = cut(texts[0].as_py())
        both = f" in {len(readings)} readings" if len(readings) > 1 else ""
        raise _ask(cells, f"holds numbers written as {example!r}{both}", say)
    dated = texts.to_pylist() if _look_dated(texts) else []
    if dated and (several := dates.several_notations(dated)):
        raise _ask(
            cells,
            f"holds dates written in several ways, as {some(several)}",
            f"{key(cells.name)}: ignore, or write all of them in one",
        )
    if dated and (written := dates.notations(dated)):
        say = " or ".join(f'{key(cells.name)}: {{type: date, format: "{notation}"}}' for notation in written)
        which = "dates" if len(written) == 1 else "dates of which day and month may be either,"
        raise _ask(cells, f"holds {which} written as {cut(texts[0].as_py())!r}", say)
    for what, looks in (("number", numerals.look_numeric(texts)), ("date", _dated(texts))):
        _refuse_slips(cells, texts, what, looks)


def _refuse_slips(cells: Cells, texts: pa.Array, what: str, looks: pa.Array) -> None:
    """Raise DataError where nearly all cells look like a number, or a date, and some do not."""
    codes, names = cells.codes()
    fitting = np.zeros(len(names) + 1, dtype=np.bool_)
    alike = set(texts.filter(looks).to_pylist())
    fitting[:-1] = [name in alike for name in names]
    present = codes >= 0
    share = fitting[codes][present].mean()
    if not _NEARLY_ALL <= share < 1:
        return
    index = int(np.argmax(present & ~fitting[codes]))
    word = names[codes[index]]
    raise cells.error(
        index,
        f"{cut(word)!r} is no {what}, as {100 * share:.4g} % of the cells of column {cut(cells.name)!r} are",
        f"a {what}",
        f"correct it, or add it to data.missing_values where it stands for nothing, or say {key(cells.name)}: category",
    )


def _look_dated(texts: pa.Array) -> bool:
    return bool(pc.all(_dated(texts)).as_py())


def _dated(texts: pa.Array) -> pa.Array:
    return pc.match_substring_regex(
        texts, r"^\s*(?:[0-9]{1,4}[./ -](?:[0-9]{1,2}|[A-Za-z]{3,9})[./ -]|[A-Za-z]{3,9} [0-9])"
    )


def _ask(cells: Cells, what: str, say: str) -> DataError:
    return DataError(f"{cells.place.name}: column {cut(cells.name)!r} {what}\n  under data.columns, say {say}")


def _doubts(cells: Cells) -> list[str]:
    """Sentences on a column of numbers that look like something else."""
    if not pa.types.is_integer(cells.values.type) or len(cells) < _LEAST_IDS:
        return []
    name, low, high = cells.name, *(pc.min_max(cells.values)[end].as_py() for end in ("min", "max"))
    if low >= 19000101 and high <= 21001231:
        texts = pc.cast(cells.values, pa.string()).drop_null().unique()
        if all(dates.instant_of(text, "%Y%m%d") is not None for text in texts.to_pylist()):
            return [
                f"column {cut(name)!r} holds numbers that are dates, as {low}: if they are meant so, under "
                f'data.columns say {key(name)}: {{type: date, format: "%Y%m%d"}}'
            ]
    if cells.values.null_count == 0 and pc.count_distinct(cells.values).as_py() == len(cells):
        return [
            f"column {cut(name)!r} holds whole numbers that are all different: if they only name the rows, under "
            f"data.columns say {key(name)}: ignore"
        ]
    return []


def _require_one_decimal(table: Table, said: Mapping[str, Column], kinds: Mapping[str, Column]) -> None:
    """Raise DataError where 1.234 may be 1234: other columns have a decimal comma, and here all have three decimals."""
    comma = next((n for n, c in said.items() if isinstance(c, Number) and c.used and c.decimal == ","), None)
    if comma is None:
        return
    for name in kinds:
        cells = table.cells(name)
        if name in said:
            continue
        if (first := grouped_by_points(cells)) is not None:
            raise _ask(
                cells,
                f"may hold {first / 1000:.3f} or {first:.0f}: column {cut(comma)!r} has a decimal comma, and all of "
                "these numbers are written with three digits behind a point",
                f'{key(name)}: number for the one, {key(name)}: {{type: number, thousands: "."}} for the other',
            )


def grouped_by_points(cells: Cells) -> float | None:
    """The first of numbers, times 1000, where the point in each may stand between groups, as in 1.234; else None."""
    if not pa.types.is_floating(cells.values.type):
        return None
    values = np.abs(cells.numbers())
    values = values[np.isfinite(values)]
    thousands = np.round(values * 1000)
    grouped = np.array_equal(thousands / 1000, values) and thousands.min(initial=1000) >= 1000
    # A group never begins with 0, and of three digits the last would not always be 0.
    if grouped and thousands.max(initial=0) < 1e6 and np.any(thousands % 10):
        return float(thousands[0])
    return None
