"""Rows of a table: those that are left out, and the split of each as columns say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.components.base import Column
from nnctl.data.examples import SplitHints
from nnctl.data.split_by import SplitBy
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.tables.dates import instants
from nnctl.data.words import cut, some
from nnctl.errors import DataError

_SIDES = {"train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2}


def without_gaps(
    table: Table, said: Mapping[str, Column], used: Sequence[str]
) -> tuple[Table, NDArray[np.int64], tuple[str, ...]]:
    """(the table without rows that a column in use drops, the places of the others, advice with their number)."""
    gaps = np.zeros(len(table), dtype=np.bool_)
    dropping = []
    for name in used:
        if name in said and said[name].drops_missing:
            missing = said[name].absent(table.cells(name))
            gaps |= missing
            dropping += [name] if missing.any() else []
    kept = np.flatnonzero(~gaps)
    if not dropping:
        return table, kept, ()
    if not len(kept):
        raise DataError(f"{table.place.name}: every row lacks a cell in {some(dropping)}, and all are dropped")
    number = len(table) - len(kept)
    rows = "1 row is" if number == 1 else f"{number:,} rows are"
    which = "column" if len(dropping) == 1 else "columns"
    return table.take(kept), kept, (f"{rows} left out, for cells are missing in {which} {some(dropping)}",)


def hints_of(
    table: Table,
    said: Mapping[str, Column],
    split: SplitBy | None,
    assigned: NDArray[np.int8] | None,
    fold: tuple[int, int] | None,
) -> SplitHints:
    """The hints of a table's rows. assigned: what their files say. Raises DataError."""
    if split is None or split.name is None:
        return SplitHints(assigned)
    table.require(split.name)
    cells = table.cells(split.name)
    if split.column is not None:
        return _by_column(cells, fold)
    if split.by is not None:
        codes, _ = cells.codes()
        if (codes < 0).any():
            message = f"missing value in column {cut(cells.name)!r}, by which rows are split"
            raise cells.error(int(np.argmax(codes < 0)), message, "", "remove the row, or fill the gap")
        return SplitHints(assigned, groups=codes)
    return SplitHints(assigned, times=_times(cells, said.get(split.name)))


def _by_column(cells: Cells, fold: tuple[int, int] | None) -> SplitHints:
    """Splits by name, or folds by number."""
    codes, texts = cells.codes()
    words = [text.strip().lower() for text in texts]
    if words and all(word.isdecimal() for word in words):
        if fold is None:
            raise DataError(
                f"{cells.place.name}: column {cut(cells.name)!r} numbers folds, and no fold is asked for\n"
                f"  say fold: [0, {max(map(int, words)) + 1}] under data, or run nnctl sweep --folds"
            )
        values, expected = [int(word) for word in words], "a number from 0"
    else:
        values, expected = [_SIDES.get(word, -1) for word in words], "train, validation or test"
    places = np.array([*values, -1], dtype=np.int64)[codes]
    if (places < 0).any():
        index = int(np.argmax(places < 0))
        found = repr(cut(texts[codes[index]])) if codes[index] >= 0 else "a missing cell"
        raise cells.error(index, f"{found} names no split", expected)
    if expected.startswith("a number"):
        return SplitHints(folds=places)
    return SplitHints(places.astype(np.int8))


def _times(cells: Cells, said: Column | None) -> NDArray[Any]:
    """Numbers that grow with time. Raises DataError where a cell is missing or no time."""
    if said is not None and said.used:
        times = np.asarray(said.amounts(cells))
    elif pa.types.is_integer(cells.values.type) and not cells.values.null_count:
        # Nanoseconds since 1970 are more than a double tells apart.
        return np.asarray(cells.values.to_numpy())
    elif cells.is_number and not pa.types.is_boolean(cells.values.type):
        times = cells.numbers()
    else:
        dates = instants(cells, None)
        times = np.where(np.isnat(dates), np.nan, dates.astype(np.int64).astype(np.float64))
    if np.isnan(times).any():
        message = f"missing value in column {cut(cells.name)!r}, by which rows are split"
        raise cells.error(int(np.argmax(np.isnan(times))), message, "", "remove the row, or fill the gap")
    return times
