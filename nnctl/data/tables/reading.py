"""Tables read from files, by their endings: whole, on disk, or in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from nnctl.data.stored.folder import digest_of, entry, on_disk
from nnctl.data.stored.progress import shown
from nnctl.data.tables.cells import Place, Table
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reader import Reader, stream
from nnctl.data.tables.stored import StoredColumns, write_columns
from nnctl.errors import DataError

_TEXT = (".csv", ".tsv", ".txt")
_RECORDS = (".jsonl", ".ndjson")
_PACKED = ("", ".gz", ".bz2", ".zst")
COLUMNAR = (".parquet", ".feather", ".arrow")
SHEETS = (".xlsx", ".xlsm", ".xls", ".ods")
TEXT = tuple(ending + packed for ending in _TEXT for packed in _PACKED)
RECORDS = tuple(ending + packed for ending in _RECORDS for packed in _PACKED)
_OTHER_PACKS = (".zip", ".xz", ".lzma", ".7z", ".rar", ".tar", ".tgz", ".tar.gz")
_IN_MEMORY = 4
"""Bytes of memory that a byte of a file takes, about: as text, as columns, and as inputs."""


def open_table(path: Path, layout: Layout, in_memory: bool | None) -> Table:
    """The table in a file, in memory or, where that says no, on disk: with typed columns that are made once.

    in_memory: by the file's size and the memory left if None. Raises DataError.
    """
    if not belongs_on_disk([path], in_memory):
        return read_table(path, layout)
    names = {field: sorted(getattr(layout, field)) for field in ("as_text", "notated", "left_out")}
    digest = digest_of([path], {**asdict(layout), **names})

    def make(folder: Path) -> None:
        reader = reader_of(path, layout)
        types = reader.types()
        parts = shown(stream(reader, types), f"keeping the columns of {path}", None, "rows")
        write_columns(folder, (part.columns for part in parts))
        pa.default_memory_pool().release_unused()

    return Table(StoredColumns(entry(digest, str(path), "columns", make)), place_of(path, layout))


def belongs_on_disk(paths: Sequence[Path], in_memory: bool | None) -> bool:
    """True where the tables in these files are read from disk; in_memory: by their sizes if None."""
    return on_disk(in_memory, _IN_MEMORY * sum(path.stat().st_size for path in paths))


def place_of(path: Path, layout: Layout) -> Place:
    """The place of a file's cells, without reading them all. Raises DataError."""
    return reader_of(path, layout).place


def read_table(path: Path, layout: Layout) -> Table:
    """The table in a file, whole. Raises DataError, naming line and column where there are lines."""
    return reader_of(path, layout).table()


def reader_of(path: Path, layout: Layout) -> Reader:
    """The reader of a file, by its ending. Raises DataError."""
    name = path.name.lower()
    if name.endswith(COLUMNAR):
        from nnctl.data.tables.columnar import ColumnarReader

        return ColumnarReader(path, layout)
    if name.endswith(SHEETS):
        from nnctl.data.tables.sheets import SheetReader

        return SheetReader(path, layout)
    if name.endswith(RECORDS):
        from nnctl.data.tables.records import RecordReader

        return RecordReader(path, layout)
    if name.endswith(TEXT):
        from nnctl.data.tables.delimited import DelimitedReader

        return DelimitedReader(path, layout)
    if (way := way_of(path)) is not None:
        raise DataError(f"{path}: {way}")
    plain = ", ".join((*_TEXT, *_RECORDS, *COLUMNAR, *SHEETS))
    raise DataError(
        f"{path}: is no table that can be read\n  expected one of {plain}; texts may be packed (.gz, .bz2, .zst)"
    )


def way_of(path: Path) -> str | None:
    """The words for a file that is nearly one that is read, with the way to make it one; None for others."""
    name = path.name.lower()
    if name.endswith(_OTHER_PACKS):
        return "it is packed in a way that is not read\n  unpack it; a text may be packed as .gz, .bz2 or .zst"
    if name.endswith(".json"):
        return f"of JSON, files with an object a line are read\n  write it so, as {path.stem}.jsonl"
    return None
