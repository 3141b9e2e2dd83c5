"""Several files of rows as one table, whose columns are matched by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.source import SPLITS
from nnctl.data.stored.folder import digest_of, entry
from nnctl.data.tables.cells import Place, Table
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reading import belongs_on_disk, open_table
from nnctl.data.tables.stored import StoredColumns, write_columns
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError
from nnctl.late import dataclass

_PART_ROWS = 1 << 16
"""Rows joined at a time on disk."""


@dataclass(frozen=True)
class JoinedPlace:
    """A place in one of several files: their rows follow one another. starts: the first row of each."""

    places: tuple[Place, ...]
    starts: tuple[int, ...]

    @property
    def name(self) -> str:
        """The first file's, in messages."""
        return self.places[0].name

    @property
    def doubt(self) -> str:
        """The first file's."""
        return self.places[0].doubt

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, in its file."""
        which = int(np.searchsorted(self.starts, row, side="right")) - 1
        return self.places[which].cell_error(row - self.starts[which], column, message, expected, hint)


def read_joined(
    files: Mapping[str, Path], layout: Layout, in_memory: bool | None
) -> tuple[Table, NDArray[np.int8] | None, tuple[str, ...]]:
    """(the table of all rows, the split of each by its file or None of one file, a sentence for each doubt).

    files: by the split that they are for, train first. in_memory: as `open_table` has it, of all together. Raises
    DataError where columns differ; those that the spec leaves out need be in the first file alone.
    """
    if len(files) > 1:
        in_memory = not belongs_on_disk(list(files.values()), in_memory)
    tables = [open_table(path, layout, in_memory) for path in files.values()]
    for name in layout.left_out:
        tables[0].require(name)
    if len(files) == 1:
        return tables[0], None, ()
    optional = layout.left_out
    names = [n for n in tables[0].columns if n not in optional or all(n in table.columns for table in tables)]
    advice = _match(tables, names)
    # A column of texts in one file and of numbers in another is read as written in all: its kind is decided over both.
    if mixed := {name for name in names if not _alike([table.type_of(name) for table in tables])}:
        if both := sorted(mixed & layout.notated):
            raise DataError(
                f"{tables[0].place.name}: column {cut(both[0])!r} holds texts that are to be read as numbers in one of "
                "the files, and numbers in another\n  let the files be of one kind"
            )
        told = replace(layout, as_text=layout.as_text | mixed)
        tables = [open_table(path, told, in_memory) for path in files.values()]
    types = {name: _joined([table.type_of(name) for table in tables]) for name in names}
    columns: Mapping[str, pa.ChunkedArray]
    if in_memory:
        columns = {name: _of_type([table.columns[name] for table in tables], types[name]) for name in names}
    else:
        columns = _stored(tables, types)
    starts = np.cumsum([0, *map(len, tables[:-1])])
    place = JoinedPlace(tuple(table.place for table in tables), tuple(starts.tolist()))
    sides = [
        np.full(len(table), SPLITS.index(split), dtype=np.int8) for split, table in zip(files, tables, strict=True)
    ]
    return Table(columns, place), np.concatenate(sides), advice


def _match(tables: list[Table], names: list[str]) -> tuple[str, ...]:
    """Advice on columns that the first table does not have. Raises DataError where another lacks one of its own."""
    advice = []
    for table in tables[1:]:
        for name in names:
            if name not in table.columns:
                near = nearest(name, table.columns)
                hint = f"did you mean {near!r}?" if near else f"its columns are {some(list(table.columns))}"
                raise DataError(
                    f"{table.place.name}: there is no column {cut(name)!r}, as in {tables[0].place.name}\n  {hint}"
                )
        if more := [name for name in table.columns if name not in tables[0].columns]:
            advice.append(
                f"{table.place.name} has columns that the training rows lack, and they are left out: {some(more)}"
            )
    return tuple(advice)


def _alike(types: list[pa.DataType]) -> bool:
    """True where columns of these types can be one, without a change of what their cells mean."""
    there = {type_ for type_ in types if not pa.types.is_null(type_)}
    return len(there) <= 1 or all(_is_number(type_) for type_ in there) or all(_is_instant(type_) for type_ in there)


def _joined(types: list[pa.DataType]) -> pa.DataType:
    """The type of a column whose parts have these."""
    there = list(dict.fromkeys(type_ for type_ in types if not pa.types.is_null(type_)))
    if len(there) < 2:
        return there[0] if there else pa.null()
    if all(_is_number(type_) for type_ in there):
        return pa.float64()
    return pa.timestamp("us") if all(_is_instant(type_) for type_ in there) else pa.string()


def _of_type(columns: Iterable[pa.ChunkedArray], kind: pa.DataType) -> pa.ChunkedArray:
    """Columns one behind the other, in one type."""
    cast = [column if column.type == kind else pc.cast(column, kind) for column in columns]
    return pa.chunked_array([chunk for column in cast for chunk in column.chunks], kind)


def _stored(tables: Sequence[Table], types: Mapping[str, pa.DataType]) -> StoredColumns:
    """The columns of tables on disk, one table behind the other."""
    digests = [table.columns.digest for table in tables if isinstance(table.columns, StoredColumns)]
    digest = digest_of([], {"joined": digests, "types": {name: str(type_) for name, type_ in types.items()}})

    def make(folder: Path) -> None:
        parts = (part.columns for table in tables for part in table.parts(_PART_ROWS, list(types)))
        write_columns(folder, ({name: _of_type([part[name]], types[name]) for name in types} for part in parts))

    return StoredColumns(entry(digest, tables[0].place.name, "joined columns", make))


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _is_instant(type_: pa.DataType) -> bool:
    return bool(pa.types.is_date(type_) or (pa.types.is_timestamp(type_) and type_.tz is None))
