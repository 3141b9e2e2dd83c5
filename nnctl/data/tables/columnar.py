"""Files of typed columns: Parquet and Feather."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

from nnctl.data.tables.cells import Table
from nnctl.data.tables.layout import Layout
from nnctl.data.words import cut
from nnctl.errors import DataError


@dataclass(frozen=True)
class RowPlace:
    """A place in a file without lines: rows by number."""

    name: str

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, with the number of its row."""
        more = [f"  expected {expected}"] if expected else []
        more += [f"  {hint}"] if hint else []
        return DataError("\n".join([f"{self.name}: row {row + 1}, column {cut(column)!r}: {message}", *more]))


def read_columnar(path: Path, layout: Layout) -> Table:
    """The table in a Parquet or Feather file. Raises DataError."""
    try:
        read = parquet.read_table if path.suffix.lower() == ".parquet" else feather.read_table
        table = read(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"{path}: {error}") from error
    return Table({name: table[name] for name in table.column_names}, RowPlace(str(path)))
