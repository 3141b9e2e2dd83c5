"""Several files of rows as one table, whose columns are matched by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.source import SPLITS
from nnctl.data.tables.cells import Place, Table
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reading import open_table, read_table
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError


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

    files: by the split that they are for, train first. in_memory: of one, as `open_table` has it; several are joined in
    memory. Raises DataError where columns differ.
    """
    if len(files) == 1:
        return open_table(files["train"], layout, in_memory), None, ()
    tables = [read_table(path, layout) for path in files.values()]
    names = list(tables[0].columns)
    advice = _match(tables, names)
    # A column of texts in one file and of numbers in another is read as written in all: its kind is decided over both.
    if mixed := {name for name in names if not _alike([table.columns[name].type for table in tables])}:
        if both := sorted(mixed & layout.notated):
            raise DataError(
                f"{tables[0].place.name}: column {cut(both[0])!r} holds texts that are to be read as numbers in one of "
                "the files, and numbers in another\n  let the files be of one kind"
            )
        told = replace(layout, as_text=layout.as_text | mixed)
        tables = [read_table(path, told) for path in files.values()]
    columns = {name: _joined([table.columns[name] for table in tables]) for name in names}
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
        if more := [name for name in table.columns if name not in names]:
            advice.append(
                f"{table.place.name} has columns that the training rows lack, and they are left out: {some(more)}"
            )
    return tuple(advice)


def _alike(types: list[pa.DataType]) -> bool:
    """True where columns of these types can be one, without a change of what their cells mean."""
    there = {type_ for type_ in types if not pa.types.is_null(type_)}
    return len(there) <= 1 or all(_is_number(type_) for type_ in there) or all(_is_instant(type_) for type_ in there)


def _joined(columns: list[pa.ChunkedArray]) -> pa.ChunkedArray:
    types = list(dict.fromkeys(column.type for column in columns if not pa.types.is_null(column.type)))
    kind = types[0] if types else pa.null()
    if len(types) > 1 and all(_is_number(type_) for type_ in types):
        kind = pa.float64()
    elif len(types) > 1 and all(_is_instant(type_) for type_ in types):
        kind = pa.timestamp("us")
    elif len(types) > 1:
        kind = pa.string()
    cast = [column if column.type == kind else pc.cast(column, kind) for column in columns]
    return pa.chunked_array([chunk for column in cast for chunk in column.chunks], kind)


def _is_number(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _is_instant(type_: pa.DataType) -> bool:
    return bool(pa.types.is_date(type_) or (pa.types.is_timestamp(type_) and type_.tz is None))
