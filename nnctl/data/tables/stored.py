"""Tables on disk: typed columns in a file that is made once, of which a column or some rows are read at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
from numpy.typing import NDArray

_FILE = "columns.arrow"
_BLOCK = 1 << 16
"""Rows of a block, of which each column lies in one piece."""


def write_columns(folder: Path, parts: Iterable[Mapping[str, pa.ChunkedArray]]) -> None:
    """Write a table that comes in parts, all with the same columns of the same types; at least one part."""
    waiting: list[pa.Table] = []
    writer = None
    for part in parts:
        table = pa.table(dict(part))
        if writer is None:
            writer = ipc.new_file(folder / _FILE, table.schema)
        waiting.append(table)
        if sum(map(len, waiting)) >= _BLOCK:
            joined = pa.concat_tables(waiting)
            whole = len(joined) - len(joined) % _BLOCK
            _write(writer, joined.slice(0, whole))
            waiting = [joined.slice(whole)]
    if writer is None:
        raise ValueError("a table comes in one part at least")
    _write(writer, pa.concat_tables(waiting))
    writer.close()


class StoredColumns(Mapping[str, pa.ChunkedArray]):
    """The columns of a table on disk, or of some rows of it; each is read when it is asked for, and not kept.

    rows: increasing; None for all.
    """

    def __init__(self, folder: Path, rows: NDArray[np.int64] | None = None) -> None:
        self.folder = folder
        self._rows = rows
        with pa.OSFile(str(folder / _FILE)) as file:
            reader = ipc.open_file(file)
            self._names: list[str] = reader.schema.names
            blocks = reader.num_record_batches
            options = ipc.IpcReadOptions(included_fields=[0])
            last = ipc.open_file(file, options=options).get_batch(blocks - 1).num_rows if blocks else 0
        self._count = (blocks - 1) * _BLOCK + last if blocks else 0

    @property
    def digest(self) -> str:
        """The digest of the file and of which rows of it these are."""
        rows = b"" if self._rows is None else np.ascontiguousarray(self._rows).tobytes()
        return hashlib.sha256(self.folder.name.encode() + rows).hexdigest()

    @property
    def rows(self) -> int:
        """The number of rows."""
        return self._count if self._rows is None else len(self._rows)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self.part(0, self.rows, [name])[name]

    def take(self, rows: NDArray[np.int64]) -> StoredColumns:
        """The same of some rows, by increasing indices; nothing is read."""
        return StoredColumns(self.folder, rows if self._rows is None else self._rows[rows])

    def part(self, first: int, stop: int, names: Iterable[str] | None = None) -> dict[str, pa.ChunkedArray]:
        """The rows from `first` to `stop` of some columns, or of all. Raises KeyError for one that there is not."""
        wanted = list(self._names if names is None else names)
        if missing := [name for name in wanted if name not in self._names]:
            raise KeyError(missing[0])
        rows = None if self._rows is None else self._rows[first:stop]
        if rows is not None:
            first, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
        options = ipc.IpcReadOptions(included_fields=[self._names.index(name) for name in wanted])
        with pa.OSFile(str(self.folder / _FILE)) as file:
            reader = ipc.open_file(file, options=options)
            blocks = [reader.get_batch(i) for i in range(first // _BLOCK, -(-stop // _BLOCK))]
            table = pa.Table.from_batches(blocks, reader.schema)
        table = table.slice(first % _BLOCK, stop - first)
        if rows is not None and len(rows) < stop - first:
            table = table.take(pa.array(rows - first))
        return {name: table[name] for name in wanted}


def _write(writer: ipc.RecordBatchFileWriter, table: pa.Table) -> None:
    for first in range(0, len(table), _BLOCK):
        for batch in table.slice(first, _BLOCK).combine_chunks().to_batches():
            writer.write_batch(batch)
