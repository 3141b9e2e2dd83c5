"""Tables on disk: typed columns in a file that is made once, of which a column or some rows are read at a time.

The file holds pieces, one for each column of each block of rows, as Arrow's messages; beside it lie their places.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
from numpy.typing import NDArray

_PIECES, _PLACES, _SCHEMA = "columns.arrow", "places.npy", "schema.arrow"
_BLOCK = 1 << 16
"""Rows of a block; the last has fewer."""


def write_columns(folder: Path, parts: Iterable[Mapping[str, pa.ChunkedArray]]) -> None:
    """Write a table that comes in parts, all with the same columns of the same types; at least one part."""
    places: list[NDArray[np.int64]] = []
    waiting: pa.Table | None = None
    with (folder / _PIECES).open("wb") as file:
        for part in parts:
            table = pa.table(dict(part))
            waiting = table if waiting is None else pa.concat_tables([waiting, table])
            while len(waiting) >= _BLOCK:
                places.append(_write(file, waiting.slice(0, _BLOCK)))
                waiting = waiting.slice(_BLOCK)
        if waiting is None:
            raise ValueError("a table comes in one part at least")
        if len(waiting) or not places:
            places.append(_write(file, waiting))
    np.save(folder / _PLACES, np.stack(places))
    (folder / _SCHEMA).write_bytes(waiting.schema.serialize().to_pybytes())


def _write(file: BinaryIO, block: pa.Table) -> NDArray[np.int64]:
    """Write a block's columns. Returns the offset, the length and the rows of each piece, (columns, 3)."""
    places = np.empty((block.num_columns, 3), dtype=np.int64)
    for index, name in enumerate(block.column_names):
        (batch,) = block.select([name]).combine_chunks().to_batches() or [_empty(block.schema.field(name))]
        message = batch.serialize()
        places[index] = file.tell(), message.size, len(block)
        file.write(message)
    return places


def _empty(field: pa.Field) -> pa.RecordBatch:
    return pa.record_batch([pa.array([], field.type)], schema=pa.schema([field]))


class StoredColumns(Mapping[str, pa.ChunkedArray]):
    """The columns of a table on disk, or of some rows of it; each is read when it is asked for, and not kept.

    rows: increasing; None for all.
    """

    def __init__(self, folder: Path, rows: NDArray[np.int64] | None = None) -> None:
        self._folder, self._rows = folder, rows
        self._places: NDArray[np.int64] = np.load(folder / _PLACES)
        self._schema: pa.Schema = ipc.read_schema(pa.py_buffer((folder / _SCHEMA).read_bytes()))

    @property
    def digest(self) -> str:
        """The digest of the file and of which rows of it these are."""
        rows = b"" if self._rows is None else np.ascontiguousarray(self._rows).tobytes()
        return hashlib.sha256(self._folder.name.encode() + rows).hexdigest()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self._places[:, 0, 2].sum()) if self._rows is None else len(self._rows)

    def __len__(self) -> int:
        return len(self._schema)

    def __iter__(self) -> Iterator[str]:
        return iter(self._schema.names)

    def __contains__(self, name: object) -> bool:
        return name in self._schema.names

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self.part(0, self.rows, [name])[name]

    def take(self, rows: NDArray[np.int64]) -> StoredColumns:
        """The same of some rows, by increasing indices; nothing is read."""
        return StoredColumns(self._folder, rows if self._rows is None else self._rows[rows])

    def part(self, first: int, stop: int, names: Iterable[str]) -> dict[str, pa.ChunkedArray]:
        """The rows from `first` to `stop` of some columns. Raises KeyError for a column that there is not."""
        rows = None if self._rows is None else self._rows[first:stop]
        if rows is not None:
            first, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        with (self._folder / _PIECES).open("rb") as file:
            columns = {name: self._column(file, name, first, stop) for name in names}
        if rows is not None and len(rows) < stop - first:
            columns = {name: column.take(pa.array(rows - first)) for name, column in columns.items()}
        return columns

    def _column(self, file: BinaryIO, name: str, first: int, stop: int) -> pa.ChunkedArray:
        if name not in self:
            raise KeyError(name)
        field = self._schema.field(name)
        schema = pa.schema([field])
        chunks = []
        for offset, size, _ in self._places[first // _BLOCK : -(-stop // _BLOCK), self._schema.names.index(name)]:
            message = pa.py_buffer(os.pread(file.fileno(), int(size), int(offset)))
            chunks.append(ipc.read_record_batch(message, schema).column(0))
        return pa.chunked_array(chunks, field.type).slice(first % _BLOCK, stop - first)
