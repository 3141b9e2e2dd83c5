"""Another table as the columns of a run: in pieces of so many rows, under the names that the run has for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nnctl.data.tables.cells import Place, Table
from nnctl.data.tables.reader import Reader, stream
from nnctl.errors import DataError
from nnctl.late import dataclass


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


def pieces(reader: Reader, types: Mapping[str, pa.DataType], rows: int | None) -> Iterator[Table]:
    """The columns of a file that have a type, in tables of so many rows, the last of fewer; in one if None.

    Raises DataError where the file has no rows, or a cell that does not fit its column.
    """
    waiting: list[Table] = []
    for table in stream(reader, types):
        waiting.append(table)
        while rows is not None and sum(map(len, waiting)) > rows:
            whole = _joined(waiting)
            yield _part(whole, 0, rows)
            waiting = [_part(whole, rows, len(whole))]
    yield _joined(waiting)


def renamed(table: Table, names: Mapping[str, str], *, trimmed: bool) -> Table:
    """The columns under the run's names. names: the table's, by the run's.

    trimmed: blanks around a text are no part of it.
    """
    columns = {name: table.columns[found] for name, found in names.items()}
    if trimmed:
        texts = [name for name, column in columns.items() if pa.types.is_string(column.type)]
        columns |= {name: pc.utf8_trim_whitespace(columns[name]) for name in texts}
    return Table(columns, RenamedPlace(table.place, names), table.rows)


def _joined(tables: Sequence[Table]) -> Table:
    """Tables of the same columns as one; nothing is copied."""
    columns = {
        name: pa.chunked_array([chunk for table in tables for chunk in table.columns[name].chunks], column.type)
        for name, column in tables[0].columns.items()
    }
    return Table(columns, tables[0].place, np.concatenate([_rows(table) for table in tables]))


def _part(table: Table, first: int, stop: int) -> Table:
    columns = {name: column.slice(first, stop - first) for name, column in table.columns.items()}
    return Table(columns, table.place, _rows(table)[first:stop])


def _rows(table: Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    assert table.rows is not None, "a stream tells where its rows are"
    return table.rows
