"""Another table as the columns of a run: found by name or by place, and typed as the run knows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nnctl.components.base import Column
from nnctl.data.tables.cells import Place, Table
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reading import read_table
from nnctl.errors import DataError


@dataclass(frozen=True)
class RenamedPlace:
    """A place in a file whose columns have other names than the run's. names: the file's, by the run's."""

    place: Place
    names: Mapping[str, str]

    @property
    def name(self) -> str:
        """The file's, in messages."""
        return self.place.name

    @property
    def doubt(self) -> str:
        """See `Place`."""
        return self.place.doubt

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """See `Place`."""
        return self.place.cell_error(row, self.names[column], message, expected, hint)


def pieces(path: Path, layout: Layout, rows: int | None) -> Iterator[Table]:
    """The table in a file, so many rows at a time, all if None; at least one table, which may be empty."""
    table = read_table(path, layout)
    step = max(1, len(table) if rows is None else rows)
    for first in range(0, max(1, len(table)), step):
        columns = {name: column.slice(first, step) for name, column in table.columns.items()}
        yield Table(columns, table.place, np.arange(first, min(first + step, len(table))))


def as_run(table: Table, names: Mapping[str, str], kinds: Mapping[str, Column], *, trimmed: bool) -> Table:
    """The columns of inputs, and perhaps targets, under the run's names. names: the table's, by the run's.

    trimmed: blanks around a text are no part of it.
    """
    columns = {name: _typed(table.columns[found], kinds.get(name)) for name, found in names.items()}
    if trimmed:
        texts = [name for name, column in columns.items() if pa.types.is_string(column.type)]
        columns |= {name: pc.utf8_trim_whitespace(columns[name]) for name in texts}
    return Table(columns, RenamedPlace(table.place, names), table.rows)


def _typed(column: pa.ChunkedArray, kind: Column | None) -> pa.ChunkedArray:
    """The column as its kind reads it: texts that are all numbers, and cells that are all missing, tell no type.

    kind: None for a target, which may be of any.
    """
    if kind is None:
        return column
    if pa.types.is_null(column.type):
        return pc.cast(column, pa.string() if kind.as_text else pa.float64())
    if pa.types.is_string(column.type) and not kind.as_text:
        try:
            return pc.cast(pc.utf8_trim_whitespace(column), pa.float64())
        except pa.ArrowInvalid:
            return column
    return column
