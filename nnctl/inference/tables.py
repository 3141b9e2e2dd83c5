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
from nnctl.inference.inputs import STDIN_NAME, ErrorOf, Part
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
        first = 0
        before: Part | None = None
        with _reading(path) as (file, name):
            for table in pieces(file, self.layout, rows):
                if first == 0:
                    self._tell_others(table, name)
                if len(table):
                    part = self._part(table, str(path), first, name)
                    first += len(table)
                    if before is not None:
                        yield before
                    before = part
        if before is None:
            raise DataError(f"{name}: holds no row to predict")
        yield replace(before, last=True)

    def labelled(self, path: Path, *, targets: bool) -> tuple[NDArray[np.float32], Table, ErrorOf]:
        """(inputs, the table's columns of inputs, as the run names them, the error for an example).

        targets: the columns of targets, too. Raises DataError.
        """
        with _reading(path) as (file, name):
            (table,) = pieces(file, self.layout, None)
            if not len(table):
                raise DataError(f"{name}: holds no row to measure")
            matched = self._matched(table, name, self.columns.targets if targets else ())
            inputs = encode(matched, self.columns.kinds, self.columns.lessons)
        return inputs, matched, partial(self._error, matched)

    def _matched(self, table: Table, name: str, more: tuple[str, ...] = ()) -> Table:
        """The columns of the inputs, and more than these, as the run names them. Raises DataError."""
        found = list(table.columns)
        by_place = self.columns.numbered or (isinstance(self.source, Csv) and is_numbered(found))
        names = self.columns.placed(found, name, more) if by_place else self.columns.matched(found, name, more)
        return as_run(table, names, self.columns.kinds, trimmed=isinstance(self.source, Csv))

    def _part(self, table: Table, path: str, first: int, name: str) -> Part:
        inputs = encode(matched := self._matched(table, name), self.columns.kinds, self.columns.lessons)
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
        """The error for an example, at the cell of its largest input. inputs: as the net computes, (features,)."""
        feature = int(np.argmax(np.abs(inputs)))
        return matched.cells(self.columns.features[feature]).error(index, message)

    def _tell_others(self, table: Table, name: str) -> None:
        """Name columns that the run does not know: they are left out."""
        found = list(table.columns)
        others = [column for column in found if column not in (*self.columns.names, *self.keep)]
        if others and not is_numbered(found) and not self.columns.numbered:
            what = "column" if len(others) == 1 else f"{len(others)} columns"
            log.warning("%s: %s %s: none of this run's, left out", name, what, some(others))

    @property
    def layout(self) -> Layout:
        """The layout of tables: what the run has as texts is read as written, and so is what is passed through."""
        texts = {name for name, kind in self.columns.kinds.items() if kind.as_text}
        kept = {name for name in self.keep if name not in self.columns.kinds}
        return replace(self.source.layout, as_text=self.source.layout.as_text | texts | kept)


@contextmanager
def _reading(path: Path) -> Iterator[tuple[Path, str]]:
    """(the file itself, its name in messages); for stdin a copy, for what is read twice can tell an error's line."""
    if path != STDIN:
        yield path, str(path)
        return
    with tempfile.TemporaryDirectory(prefix="nnctl-") as folder:
        copy = Path(folder) / "stdin.csv"
        # The descriptor is the process's, and stays open.
        with os.fdopen(0, "rb", closefd=False) as stdin, copy.open("wb") as file:
            shutil.copyfileobj(stdin, file)
        try:
            yield copy, STDIN_NAME
        except DataError as error:
            raise DataError(error.message.replace(str(copy), STDIN_NAME)) from error


def table_reader(source: object, kept: Any, keep: Sequence[str] = ()) -> TableReader | None:
    """The reader of a run's tables; None where its data had no columns, or the run is of a version that kept none."""
    columns = FittedColumns.of(kept)
    if columns is None or not isinstance(source, Csv | TableSource):
        return None
    return TableReader(source, columns, tuple(keep))
