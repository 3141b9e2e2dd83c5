"""The seam between files of tables and what is done with them: batches of typed cells, read whole or one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa

from nnctl.data.limits import require_memory
from nnctl.data.tables.cell_kinds import TYPES, Kind, Part, assembled, joined, misfit, of_type
from nnctl.data.tables.cells import Place, Table
from nnctl.data.words import key, some
from nnctl.errors import DataError
from nnctl.late import dataclass

_BATCH = 1 << 23
"""Bytes of a file that a table of a stream holds, about."""


_CHECKED = 1 << 26
"""Bytes of a file that are read before the memory left is asked for again."""


class NoCellsError(DataError):
    """Columns that hold what is no cell, as lists. columns: what each of them holds, by name."""

    def __init__(self, message: str, columns: Mapping[str, str]) -> None:
        self.columns = columns
        lines = some([f"{key(name)}: ignore" for name in columns])
        super().__init__(
            f"{message}\n  in data of type table, under columns, say {lines}; or make columns of its parts in the file"
        )


@dataclass(frozen=True)
class Batch:
    """Some rows of a table, in order. bytes: that they take in the file. behind: cells that must all be missing."""

    rows: int
    parts: Mapping[str, Part]
    bytes: int
    behind: pa.Array | None = None

    def part(self, name: str) -> Part:
        """The part of a column."""
        return self.parts[name] if name in self.parts else Part("nothing", pa.nulls(self.rows))


class Reader(Protocol):
    """A file of a table."""

    place: Place
    decimal: str
    notated: frozenset[str]
    """See `Layout`."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""

    def batches(
        self, types: Mapping[str, pa.DataType] | None = None, only: Collection[str] | None = None
    ) -> Iterator[Batch]:
        """The rows in batches. types: of columns, where they are known: texts are then kept as they are written.

        only: columns that are read, all if None. A column that a batch lacks is missing in all of its rows. Raises
        DataError.
        """

    def types(self) -> dict[str, pa.DataType]:
        """The types of the columns, decided over the whole file in bounded memory. Raises DataError."""
        return _types(self)

    def table(self) -> Table:
        """The table, whole, one kind a column over all of it. Raises DataError."""
        return _whole(self)


def _whole(reader: Reader) -> Table:
    batches: list[Batch] = []
    unchecked = 0
    for batch in reader.batches():
        batches.append(batch)
        unchecked += batch.bytes
        if unchecked >= _CHECKED:
            require_memory(_CHECKED, reader.place.name)
            unchecked = 0
    _require_rows(reader, sum(batch.rows for batch in batches))
    parts = {name: [batch.part(name) for batch in batches] for name in reader.names}
    kinds = {name: joined(part.kind for part in column) for name, column in parts.items()}
    lost = [name for name, kind in kinds.items() if TYPES[kind] == pa.string() and not _written(parts[name])]
    if lost:
        # What began as numbers or dates has come out as texts: as the file has them.
        again = list(reader.batches(dict.fromkeys(lost, pa.string()), lost))
        parts |= {name: [batch.part(name) for batch in again] for name in lost}
    return Table({name: assembled(kinds[name], parts[name]) for name in reader.names}, reader.place)


def _types(reader: Reader) -> dict[str, pa.DataType]:
    kinds: dict[str, Kind] = {}
    rows = 0
    for batch in reader.batches():
        rows += batch.rows
        kinds |= {name: joined([kinds.get(name, "nothing"), batch.part(name).kind]) for name in reader.names}
    _require_rows(reader, rows)
    return {name: TYPES[kind] for name, kind in kinds.items()}


def stream(reader: Reader, types: Mapping[str, pa.DataType]) -> Iterator[Table]:
    """The columns of a file that have a type in `types`, in the order of the file, in tables of bounded size.

    types: int64, double, bool, string, date32 or timestamp, with a zone or not, by name, as `Reader.types` or those of
    a table that was read give them. Each table's `rows` are places in the whole file. Raises DataError at a cell that
    does not fit its column; a name that the file has not is left out, for the caller to miss.
    """
    names = [name for name in reader.names if name in types]
    waiting: list[dict[str, pa.ChunkedArray]] = []
    first = rows = size = 0
    for batch in reader.batches(types, names):
        if not batch.rows:
            continue
        waiting.append({name: _fitted(reader, batch, name, types[name], first + rows) for name in names})
        rows, size = rows + batch.rows, size + batch.bytes
        if size >= _BATCH:
            yield _table(reader, waiting, first, rows)
            first, rows, size, waiting = first + rows, 0, 0, []
    if waiting:
        yield _table(reader, waiting, first, rows)
    _require_rows(reader, first + rows)


def _fitted(reader: Reader, batch: Batch, name: str, type_: pa.DataType, first: int) -> pa.ChunkedArray:
    part = batch.part(name)
    if name in reader.notated and part.kind in ("whole", "real"):
        type_ = TYPES["real"]
    values = of_type(part, type_, reader.decimal)
    if values is None:
        index, text, expected = misfit(part, type_, reader.decimal)
        hint = f"if the column holds names, say {name}: category under data.columns" if expected == "a number" else ""
        what = f"{text!r} is no number" if expected == "a number" else f"{text!r} does not fit the column"
        raise reader.place.cell_error(first + index, name, what, f"{expected} in column {name!r}", hint)
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _table(reader: Reader, parts: list[dict[str, pa.ChunkedArray]], first: int, rows: int) -> Table:
    columns = {}
    for name in parts[0]:
        chunks = [chunk for part in parts for chunk in part[name].chunks]
        if len({chunk.type for chunk in chunks}) > 1:
            raise DataError(
                f"{reader.place.name}: column {name!r} holds numbers, and texts that are to be read as numbers\n"
                "  let all of its cells be of one kind"
            )
        columns[name] = pa.chunked_array(chunks, parts[0][name].type)
    return Table(columns, reader.place, np.arange(first, first + rows, dtype=np.int64))


def _written(parts: list[Part]) -> bool:
    return all(part.is_written for part in parts)


def _require_rows(reader: Reader, rows: int) -> None:
    if not rows:
        raise DataError(f"{reader.place.name} holds no rows")
