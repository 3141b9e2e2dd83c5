"""Tables read from files, by their endings."""

from __future__ import annotations

from pathlib import Path

from nnctl.data.tables.cells import Table
from nnctl.data.tables.layout import Layout
from nnctl.errors import DataError

TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
COLUMNAR = (".parquet", ".feather", ".arrow")
ENDINGS = (*TEXT, *COLUMNAR)


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
