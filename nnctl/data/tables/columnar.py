"""Files of typed columns: Parquet, Feather and Arrow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet

from nnctl.data.opening import open_file
from nnctl.data.tables.cell_kinds import TYPES, Part, kind_of
from nnctl.data.tables.cells import Table
from nnctl.data.tables.heading import is_number, require_distinct
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.places import RowPlace
from nnctl.data.tables.reader import Batch, NoCellsError, Reader
from nnctl.data.words import cut, some
from nnctl.errors import DataError

_BATCH_ROWS = 1 << 15
_BUFFER = 1 << 16
"""Bytes that are read ahead of each column: a group of rows may be as large as the file."""
_STREAM = b"\xff\xff\xff\xff"
"""The first bytes of Arrow's format for streams."""


class ColumnarReader(Reader):
    """A reader of a file of typed columns: what its types say is taken, and null is missing.

    Decimal numbers become doubles, or whole numbers where they have no decimals; those that do not fit 64 bits become
    texts. Times of the day become texts. A column of lists, maps, spans of time or bytes is refused by its name, unless
    it is left out: then it is not read, and its cells are missing.
    """

    decimal = "."

    def __init__(self, path: Path, layout: Layout) -> None:
        self._path = path
        self.place = RowPlace(str(path))
        self._missing = layout.missing
        self._as_text = layout.as_text - layout.notated
        self.notated = layout.notated
        with self._reading():
            self._schema = parquet.read_schema(path) if self._is_parquet else self._table_schema()
        require_distinct(str(path), self._schema.names)
        types = zip(self.names, self._schema.types, strict=True)
        self._odd = {name: str(type_) for name, type_ in types if not _is_plain(type_)}
        self._left_out = layout.left_out

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(name.strip() for name in self._schema.names)

    def types(self) -> dict[str, pa.DataType]:
        """See `Reader`. The schema has them, but where numbers may not fit 64 bits."""
        self._require_plain(self.names)
        fields = zip(self.names, self._schema.types, strict=True)
        if any(pa.types.is_decimal(type_) or pa.types.is_uint64(type_) for _, type_ in fields):
            return super().types()
        types = dict(zip(self.names, self._schema.types, strict=True))
        plain = {name: self._cells(name, pa.array([], types[name])).kind for name in self._plain_ones(self.names)}
        return {name: TYPES[plain.get(name, "nothing")] for name in self.names}

    def table(self) -> Table:
        """The table, whole. Raises DataError."""
        self._require_plain(self.names)
        plain = self._plain_ones(self.names)
        with self._reading():
            if self._is_parquet:
                # Without the machinery for data sets of many files, which takes long to import.
                with parquet.ParquetFile(self._path) as file:
                    table = file.read(self._chosen(plain))
            elif self._is_stream():
                with open_file(self._path) as file:
                    table = ipc.open_stream(file).read_all()
            else:
                table = feather.read_table(self._path, self._chosen(plain))
        if not len(table):
            raise DataError(f"{self._path} holds no rows")
        parts = {name: self._cells(name, table.column(stored)) for name, stored in plain.items()}
        nothing = pa.chunked_array([pa.nulls(len(table), TYPES["nothing"])])
        return Table({name: parts[name].values if name in parts else nothing for name in self.names}, self.place)

    def batches(
        self, types: Mapping[str, pa.DataType] | None = None, only: Collection[str] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        names = [name for name in self.names if only is None or name in only]
        self._require_plain(names)
        plain = self._plain_ones(names)
        with self._reading():
            for batch in self._record_batches(self._chosen(plain)):
                columns = {name: batch.column(batch.schema.get_field_index(stored)) for name, stored in plain.items()}
                parts = {name: self._cells(name, column) for name, column in columns.items()}
                yield Batch(batch.num_rows, parts, batch.nbytes)

    @property
    def _is_parquet(self) -> bool:
        return self._path.suffix.lower() == ".parquet"

    def _is_stream(self) -> bool:
        with open_file(self._path) as file:
            return file.read(4) == _STREAM

    def _table_schema(self) -> pa.Schema:
        with open_file(self._path) as file:
            return (ipc.open_stream(file) if self._is_stream() else ipc.open_file(file)).schema

    def _record_batches(self, chosen: list[str] | None) -> Iterator[pa.RecordBatch]:
        if self._is_parquet:
            with parquet.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False) as file:
                yield from file.iter_batches(_BATCH_ROWS, columns=chosen)
        elif self._is_stream():
            with open_file(self._path) as source:
                yield from ipc.open_stream(source)
        else:
            with pa.OSFile(str(self._path)) as source:
                reader = ipc.open_file(source)
                for i in range(reader.num_record_batches):
                    yield reader.get_batch(i)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with open_file(self._path) as file:
            empty = not file.read(1)
        if empty:
            raise DataError(f"{self._path} is empty")
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            words = str(error).split("\n", 1)[0]
            raise DataError(f"{self._path} is cut short or broken: {words}") from error

    def _plain_ones(self, names: Collection[str]) -> dict[str, str]:
        """Of some columns those that hold cells: their names in the file, by name."""
        stored = zip(self.names, self._schema.names, strict=True)
        return {name: written for name, written in stored if name in names and name not in self._odd}

    def _chosen(self, plain: Mapping[str, str]) -> list[str] | None:
        """The columns that are read of a file, in which what is no cell may take most of the room; all if None."""
        return list(plain.values()) if self._odd else None

    def _require_plain(self, names: Collection[str]) -> None:
        odd = {name: type_ for name, type_ in self._odd.items() if name in names and name not in self._left_out}
        if odd:
            held = some([f"{cut(name)!r} holds {type_}" for name, type_ in odd.items()])
            what = "a cell is a number, a text, true or false, or a date"
            raise NoCellsError(f"{self._path}: column {held}, and {what}", odd)

    def _cells(self, name: str, column: pa.Array | pa.ChunkedArray) -> Part:
        values = _plain(column)
        if self._missing is not None:
            values = without(values, self._missing)
        kind = kind_of(values.type)
        was_number = kind == "text" and (pa.types.is_integer(column.type) or pa.types.is_decimal(column.type))
        if name in self._as_text and kind != "text":
            return Part("text", pc.cast(values, pa.string()))
        return Part("digits" if was_number else kind, values)


def _is_plain(type_: pa.DataType) -> bool:
    """True where values of a type are cells."""
    try:
        kind_of(type_)
    except ValueError:
        return bool(pa.types.is_time(type_.value_type if pa.types.is_dictionary(type_) else type_))
    return True


def without(values: pa.Array | pa.ChunkedArray, marks: Collection[str]) -> pa.Array | pa.ChunkedArray:
    """Cells, null where one is what stands for nothing."""
    kind = kind_of(values.type)
    if kind == "text":
        plain = pc.cast(values, pa.string())
        return pc.if_else(pc.is_in(plain, pa.array(sorted(marks), pa.string())), None, plain)
    if kind in ("whole", "real"):
        numbers = [float(mark) for mark in marks if is_number(mark)]
        found = pc.is_in(pc.cast(values, pa.float64()), pa.array(numbers, pa.float64()))
        return pc.if_else(found, pa.scalar(None, values.type), values) if numbers else values
    return values


def _plain(column: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """A column as one of the types that cells have."""
    type_ = column.type
    if pa.types.is_dictionary(type_):
        return column if kind_of(type_) == "text" else _plain(pc.cast(column, type_.value_type))
    if pa.types.is_null(type_) or (pa.types.is_decimal(type_) and type_.scale > 0):
        return pc.cast(column, pa.float64())
    if pa.types.is_decimal(type_) or pa.types.is_uint64(type_):
        try:
            return pc.cast(column, pa.int64())
        except pa.ArrowInvalid:
            return pc.cast(column, pa.string())
    if pa.types.is_float16(type_):
        return pc.cast(column, pa.float32())
    if pa.types.is_timestamp(type_):
        return pc.cast(column, pa.timestamp("us", "UTC" if type_.tz else None), safe=False)
    if pa.types.is_date64(type_):
        return pc.cast(column, pa.date32())
    if pa.types.is_time(type_) or pa.types.is_string_view(type_):
        return pc.cast(column, pa.string())
    return column
