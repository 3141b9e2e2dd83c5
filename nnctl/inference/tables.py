"""Inputs of a net that was trained on the columns of a table, from another table's."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.sources.table import TableSource
from nnctl.data.sources.tables import Csv
from nnctl.data.tables.cells import Table
from nnctl.data.tables.encoding import encode
from nnctl.data.tables.fitted import FittedColumns, is_numbered
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.matching import as_run, pieces
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError, UsageError
from nnctl.inference.inputs import STDIN_NAME, Part
from nnctl.training.specs import STDIN

log = logging.getLogger("nnctl.data")

_PLAIN = (pa.types.is_string, pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
"""Types of cells that lines of answers have words for; others, such as dates, are written as texts."""


@dataclass(frozen=True)
class TableReader:
    """A reader of tables by the columns of a run.

    source: of its spec. keep: names of columns that are passed through.
    """

    source: Csv | TableSource
    columns: FittedColumns
    keep: tuple[str, ...] = ()

    def parts(self, path: Path, rows: int | None) -> Iterator[Part]:
        """The examples of a file, or of CSV on stdin, so many at a time, all if None. Raises DataError, UsageError."""
        name = STDIN_NAME if path == STDIN else str(path)
        with table_file(path) as file:
            first = 0
            before: Part | None = None
            try:
                for table in pieces(file, self._layout, rows):
                    if first == 0:
                        self._tell_others(table, name)
                    if len(table):
                        part = self._part(table, str(path), first, name)
                        first += len(table)
                        if before is not None:
                            yield before
                        before = part
            except DataError as error:
                raise DataError(error.message.replace(str(file), name)) from error
        if before is None:
            raise DataError(f"{name}: holds no row to predict")
        yield replace(before, last=True)

    def matched(self, table: Table, name: str) -> Table:
        """The inputs' columns, as the run names them. Raises DataError."""
        found = list(table.columns)
        by_place = self.columns.numbered or (isinstance(self.source, Csv) and is_numbered(found))
        names = self.columns.placed(found, name) if by_place else self.columns.matched(found, name)
        return as_run(table, names, self.columns.kinds, trimmed=isinstance(self.source, Csv))

    def _part(self, table: Table, path: str, first: int, name: str) -> Part:
        inputs = encode(matched := self.matched(table, name), self.columns.kinds, self.columns.lessons)
        return Part(
            inputs,
            [path] * len(table),
            range(first, first + len(table)),
            last=False,
            kept={column: self._kept(table, column, name) for column in self.keep},
            error=partial(self._error, matched),
        )

    def _kept(self, table: Table, column: str, name: str) -> list[Any]:
        if column not in table.columns:
            near = nearest(column, table.columns)
            hint = f"did you mean {near!r}?" if near else f"it has {some(list(table.columns))}"
            raise UsageError(f"--keep {cut(column)}: {name} has no such column\n  {hint}")
        cells = table.columns[column]
        if not any(plain(cells.type) for plain in _PLAIN):
            cells = pc.cast(cells, pa.string())
        kept: list[Any] = cells.to_pylist()
        return kept

    def _error(self, matched: Table, inputs: NDArray[Any], index: int, message: str) -> DataError:
        """The error for an example, at the cell of its largest input. inputs: (n, features), as the net computes."""
        feature = int(np.argmax(np.abs(inputs[index])))
        return matched.cells(self.columns.features[feature]).error(index, message)

    def _tell_others(self, table: Table, name: str) -> None:
        """Name columns that the run does not know: they are left out."""
        found = list(table.columns)
        others = [column for column in found if column not in (*self.columns.names, *self.keep)]
        if others and not is_numbered(found) and not self.columns.numbered:
            what = "column" if len(others) == 1 else f"{len(others)} columns"
            log.warning("%s: %s %s: none of this run's, left out", name, what, some(others))

    @property
    def _layout(self) -> Layout:
        texts = {name for name, kind in self.columns.kinds.items() if kind.as_text}
        kept = {name for name in self.keep if name not in self.columns.kinds}
        return replace(self.source.layout, as_text=self.source.layout.as_text | texts | kept)


@contextmanager
def table_file(path: Path) -> Iterator[Path]:
    """The file itself; for stdin a copy, for what is read twice can point at the line of an error."""
    if path != STDIN:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="nnctl-") as folder:
        copy = Path(folder) / "stdin.csv"
        # The descriptor is the process's, and stays open.
        with os.fdopen(0, "rb", closefd=False) as stdin, copy.open("wb") as file:
            shutil.copyfileobj(stdin, file)
        yield copy


def table_reader(source: object, kept: Any, keep: Sequence[str] = ()) -> TableReader | None:
    """The reader of a run's tables; None where its data had no columns, or the run is of a version that kept none."""
    columns = FittedColumns.of(kept)
    if columns is None or not isinstance(source, Csv | TableSource):
        return None
    return TableReader(source, columns, tuple(keep))
