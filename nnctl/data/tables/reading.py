"""Tables read from files, by their endings."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from nnctl.data.stored.folder import digest_of, entry, on_disk
from nnctl.data.tables.cells import Place, Table
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.stored import StoredColumns, write_columns
from nnctl.errors import DataError

TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
COLUMNAR = (".parquet", ".feather", ".arrow")
ENDINGS = (*TEXT, *COLUMNAR)
_IN_MEMORY = 4
"""Bytes of memory that a byte of a file takes, about: as text, as columns, and as inputs."""


def open_table(path: Path, layout: Layout, in_memory: bool | None) -> Table:
    """The table in a file, in memory or, where that says no, on disk: with typed columns that are made once.

    in_memory: by the file's size and the memory left if None. Raises DataError.
    """
    if not on_disk(in_memory, _IN_MEMORY * path.stat().st_size):
        return read_table(path, layout)
    digest = digest_of([path], {**asdict(layout), "as_text": sorted(layout.as_text)})
    folder = entry(digest, str(path), "columns", lambda into: write_columns(into, [read_table(path, layout).columns]))
    return Table(StoredColumns(folder), place_of(path, layout))


def place_of(path: Path, layout: Layout) -> Place:
    """The place of a file's cells, without reading them all. Raises DataError."""
    if path.name.lower().endswith(TEXT):
        from nnctl.data.tables.delimited import text_place

        return text_place(path, layout)
    from nnctl.data.tables.columnar import RowPlace

    return RowPlace(str(path))


def read_table(path: Path, layout: Layout) -> Table:
    """The table in a file, whole. Raises DataError, naming line and column where there are lines."""
    name = path.name.lower()
    if name.endswith(COLUMNAR):
        from nnctl.data.tables.columnar import read_columnar

        return read_columnar(path, layout)
    if name.endswith(TEXT):
        from nnctl.data.tables.delimited import read_delimited

        return read_delimited(path, layout)
    raise DataError(f"{path}: is no table that can be read\n  expected one of {', '.join(ENDINGS)}")
