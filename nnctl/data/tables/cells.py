"""Typed columns of a table, and errors that point at a cell in its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.tables.heading import is_number
from nnctl.data.tables.stored import StoredColumns
from nnctl.data.words import cut, key, nearest, some
from nnctl.errors import DataError
from nnctl.late import dataclass


class Place(Protocol):
    """The file that a table came from, able to point into it."""

    @property
    def name(self) -> str:
        """The file's, in messages."""

    @property
    def doubt(self) -> str:
        """The hint where a column is not found: the first row may be another thing than it was taken for."""

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell. row: of the table as it was read, from 0."""


_EXACT = 1 << 53
"""Up to here double precision tells whole numbers from their neighbours."""


@dataclass(frozen=True)
class Cells:
    """A column, or some of its rows.

    values: numbers (int64 or double), texts, truth values, dates or times; null where a cell is missing.
    rows: the place of each in the table as it was read; None for all, in order.
    """

    name: str
    values: pa.ChunkedArray
    place: Place
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def is_text(self) -> bool:
        """True where cells are texts."""
        of_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_dictionary)
        return any(test(self.values.type) for test in of_text)

    @property
    def is_number(self) -> bool:
        """True where cells are numbers, or true and false, which are 1 and 0."""
        of_numbers = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean)
        return any(test(self.values.type) for test in of_numbers)

    def numbers(self) -> NDArray[np.float64]:
        """The column as float64 (n,), NaN where a cell is missing. Raises DataError where it holds something else."""
        if not self.is_number:
            present = [(i, t) for i, t in enumerate(self.values.to_pylist()) if t is not None]
            # Python reads as numbers what readers of tables do not, as 1_000.
            index, text = next(((i, t) for i, t in present if not is_number(str(t))), (present or [(0, None)])[0])
            hint = f"if the column holds names, say {key(self.name)}: category under data.columns"
            raise self.error(index, f"{cut(str(text))!r} is no number", f"a number in column {cut(self.name)!r}", hint)
        self.require_told_apart()
        return np.asarray(pc.cast(self.values, pa.float64()).to_numpy(), dtype=np.float64)

    def require_told_apart(self) -> None:
        """Raise DataError at the first whole number that double precision does not tell from its neighbours."""
        if pa.types.is_integer(self.values.type):
            beyond = pc.greater(pc.cast(pc.abs(self.values), pa.uint64(), safe=False), _EXACT)
        elif self.is_text:
            beyond = pc.match_substring_regex(pc.cast(self.values, pa.string()), "^[+-]?[1-9][0-9]{16,}$")
        else:
            return
        if (index := pc.index(beyond, True).as_py()) >= 0:
            name = key(self.name)
            raise self.error(
                index,
                f"{self.values[index].as_py()} is beyond 2^53: as a number it would not be told from its neighbours",
                "",
                f"an identifier is no number: under data.columns, say {name}: ignore, or {name}: category",
            )

    def codes(self) -> tuple[NDArray[np.int64], list[str]]:
        """(a code for each row (n,), −1 where the cell is missing; the texts that codes stand for)."""
        values = self.values if self.is_text else pc.cast(self.values, pa.string())
        if not pa.types.is_dictionary(values.type):
            values = pc.dictionary_encode(values)
        joined = values.unify_dictionaries().combine_chunks()
        if isinstance(joined, pa.ChunkedArray):
            joined = joined.chunk(0) if joined.num_chunks else pa.array([], pa.dictionary(pa.int32(), pa.string()))
        codes = np.asarray(pc.fill_null(joined.indices, -1).to_numpy(zero_copy_only=False), dtype=np.int64)
        return codes, joined.dictionary.to_pylist()

    def take(self, rows: NDArray[np.int64]) -> Cells:
        """Some of the rows."""
        first, count = (int(rows[0]), len(rows)) if len(rows) else (0, 0)
        run = count and int(rows[-1]) - first + 1 == count
        values = self.values.slice(first, count) if run else self.values.take(pa.array(rows))
        return replace(self, values=values, rows=rows if self.rows is None else self.rows[rows])

    def error(self, index: int, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for the cell of a row of these."""
        row = index if self.rows is None else int(self.rows[index])
        return self.place.cell_error(row, self.name, message, expected, hint)

    def missing(self, index: int, hint: str) -> DataError:
        """The error for a missing cell, with the field that would fill it."""
        return self.error(index, f"missing value in column {cut(self.name)!r}", "", f"under data.columns, say {hint}")


@dataclass(frozen=True)
class Table:
    """A table in columns, by name in the order of the file.

    rows: the places of its rows in the table as it was read; None for all, in order.
    """

    columns: Mapping[str, pa.ChunkedArray]
    place: Place
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        if isinstance(self.columns, StoredColumns):
            return self.columns.rows
        return len(next(iter(self.columns.values())))

    def cells(self, name: str) -> Cells:
        """A column."""
        return Cells(name, self.columns[name], self.place, self.rows)

    def type_of(self, name: str) -> pa.DataType:
        """The type of a column's cells."""
        if isinstance(self.columns, StoredColumns):
            return self.columns.part(0, 0, [name])[name].type
        return self.columns[name].type

    def take(self, rows: NDArray[np.int64]) -> Table:
        """Some of the rows, by increasing indices."""
        places = rows if self.rows is None else self.rows[rows]
        if isinstance(self.columns, StoredColumns):
            return Table(self.columns.take(rows), self.place, places)
        columns = {name: values.take(pa.array(rows)) for name, values in self.columns.items()}
        return Table(columns, self.place, places)

    def require(self, name: str) -> None:
        """Raise DataError where there is no such column."""
        if name in self.columns:
            return
        near = nearest(name, self.columns)
        hint = f"did you mean {near!r}?" if near else f"the columns are {some(list(self.columns))}"
        hint = self.place.doubt or hint
        raise DataError(f"{self.place.name}: there is no column {cut(name)!r}\n  {hint}")

    def parts(self, rows: int, names: Sequence[str]) -> Iterator[Table]:
        """Some columns in parts of so many rows, in order."""
        for first in range(0, len(self), rows):
            stop = min(first + rows, len(self))
            if isinstance(self.columns, StoredColumns):
                columns = self.columns.part(first, stop, names)
            else:
                columns = {name: self.columns[name].slice(first, stop - first) for name in names}
            places = np.arange(first, stop, dtype=np.int64) if self.rows is None else self.rows[first:stop]
            yield Table(columns, self.place, places)
