"""Kinds of columns that a spec says nothing of, decided over all of its cells, never by the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnctl.components.base import Column
from nnctl.data.columns.category import Category
from nnctl.data.columns.number import Number
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.words import cut
from nnctl.errors import DataError

_MOST_CATEGORIES = 256
_MOSTLY = 0.5
"""Above this share of different texts a column names each row, and tells kinds of rows apart no longer."""


def columns_of(table: Table, said: Mapping[str, Column], targets: Sequence[str]) -> dict[str, Column]:
    """The kind of each column that is an input, by name, in the table's order. Raises DataError."""
    for name in (*said, *targets):
        table.require(name)
    kinds: dict[str, Column] = {}
    for name in table.columns:
        if name in targets:
            continue
        column = said[name] if name in said else _decided(table.cells(name))
        if column.used:
            kinds[name] = column
    if not kinds:
        raise DataError(f"{table.place.name}: no column is left for the inputs")
    return kinds


def _decided(cells: Cells) -> Column:
    if cells.is_number:
        return Number()
    _, names = cells.codes()
    if len(names) > min(_MOST_CATEGORIES, max(2, _MOSTLY * len(cells))):
        raise DataError(
            f"{cells.place.name}: column {cut(cells.name)!r} holds {len(names):,} different texts "
            f"in {len(cells):,} rows\n"
            f"  under data.columns, say {cells.name}: ignore; or category, with least: N or unseen: other"
        )
    return Category()
