"""Inputs of a net that was trained on the columns of a table, from another table's."""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nnctl.data.columns.number import Number
from nnctl.data.sources.csv import Csv
from nnctl.data.sources.table import TableSource
from nnctl.data.tables.cell_kinds import TYPES, Kind
from nnctl.data.tables.cells import Table
from nnctl.data.tables.encoding import encode
from nnctl.data.tables.fitted import FittedColumns, is_numbered
from nnctl.data.tables.matching import pieces, renamed
from nnctl.data.tables.reader import NoCellsError, Reader
from nnctl.data.tables.reading import reader_of
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError, UsageError
from nnctl.inference.inputs import STDIN_NAME, ErrorOf, Part
from nnctl.late import dataclass
from nnctl.training.specs import STDIN

log = logging.getLogger("nnctl.data")

_OF_SPECS = re.compile(r"\n  [^\n|]*\bsay [^\n]*: [^\n]*$")
"""The end of a message that names a field of specs, as `say delimiter: ';'`."""
_FAR = 10.0
"""Standard deviations from the mean: of any numbers at most a hundredth is farther."""
_OF_A_RUN = "of a run's own table its spec says that: write this one as that was written, or train anew"


@dataclass(frozen=True)
class TableReader:
    """A reader of tables by the columns of a run.

    source: of its spec. keep: names of columns that are passed through.
    """

    source: Csv | TableSource
    columns: FittedColumns
    keep: tuple[str, ...] = ()

    def parts(self, path: Path, rows: int | None, called: str | None = None) -> Iterator[Part]:
        """The examples of a file, or of stdin, so many at a time, all if None; called: otherwise than by its path.

        Raises DataError, UsageError.
        """
        first = 0
        before: Part | None = None
        with reading(path) as (file, found):
            name = called or found
            layout = self.source.layout
            reader = reader_of(file, replace(layout, left_out=layout.left_out.difference(self.keep)))
            self._look(reader.names, name)
            names = self._names(reader, name)
            for table in self._pieces(reader, self._types(names), rows):
                part = self._part(table, names, called or str(path), first)
                if first == 0:
                    self._tell_far(part.inputs, name)
                first += len(table)
                if before is not None:
                    yield before
                before = part
        if before is not None:
            yield replace(before, last=True)

    def _pieces(self, reader: Reader, types: Mapping[str, pa.DataType], rows: int | None) -> Iterator[Table]:
        try:
            yield from pieces(reader, types, rows)
        except NoCellsError as error:
            for column in self.keep:
                if column in error.columns:
                    held = f"a cell is a single value, and it holds {error.columns[column]}"
                    raise UsageError(f"--keep {cut(column)}: {held} in {reader.place.name}") from error
            raise

    def cells(self, path: Path) -> Table:
        """The columns of a file that the net reads, as the run names them. Raises DataError."""
        with reading(path) as (file, name):
            reader = reader_of(file, self.source.layout)
            return self._table(reader, self._names(reader, name), {})

    def labelled(
        self, path: Path, targets: tuple[str, ...], more: Mapping[str, pa.DataType]
    ) -> tuple[NDArray[np.float32], Table, ErrorOf]:
        """(inputs, the table's columns as the run names them, the error for an example).

        The columns are those of inputs, targets, and `more` with a type, by the run's names. Raises DataError.
        """
        with reading(path) as (file, name):
            reader = reader_of(file, self.source.layout)
            names = self._names(reader, name, tuple(dict.fromkeys((*targets, *more))))
            matched = self._table(reader, names, more)
            inputs = encode(matched, self.columns.kinds, self.columns.fitted)
            self._tell_far(inputs, name)
        return inputs, matched, partial(self._error, matched)

    def _table(self, reader: Reader, names: Mapping[str, str], more: Mapping[str, pa.DataType]) -> Table:
        """A file's columns under the run's names. more: types of some, in place of those that they have here."""
        types = self._types(names) | {names[column]: type_ for column, type_ in more.items()}
        (table,) = pieces(reader, types, None)
        return renamed(table, names, trimmed=isinstance(self.source, Csv))

    def _names(self, reader: Reader, name: str, more: tuple[str, ...] = ()) -> dict[str, str]:
        """The file's column for each input, and for more than these, by the run's names. Raises DataError."""
        by_place = self.columns.numbered or (isinstance(self.source, Csv) and is_numbered(reader.names))
        if by_place:
            return self.columns.placed(reader.names, name, more)
        return self.columns.matched(reader.names, name, more, reader.place.doubt)

    def _types(self, names: Mapping[str, str]) -> dict[str, pa.DataType]:
        """Types of the columns that are read, by the file's names; what is passed through alone is read as written."""
        kinds = self.columns.cells
        types = {found: TYPES[cast(Kind, kinds[name])] for name, found in names.items() if name in kinds}
        return dict.fromkeys(self.keep, pa.string()) | types

    def _part(self, table: Table, names: Mapping[str, str], path: str, first: int) -> Part:
        matched = renamed(table, names, trimmed=isinstance(self.source, Csv))
        return Part(
            encode(matched, self.columns.kinds, self.columns.fitted),
            [path] * len(table),
            range(first, first + len(table)),
            last=False,
            kept={column: _written(table.columns[column]) for column in self.keep},
            error=partial(self._error, matched),
        )

    def _error(self, matched: Table, inputs: NDArray[Any], index: int, message: str) -> DataError:
        """The error for an example, at the cell of its largest input. inputs: as the net computes, (features,)."""
        feature = int(np.argmax(np.abs(inputs)))
        return matched.cells(self.columns.features[feature]).error(index, message)

    def _tell_far(self, inputs: NDArray[np.float32], name: str) -> None:
        """Tell columns most of whose numbers are farther from the training rows than a hundredth of these can be."""
        features = self.columns.features
        for column, kind in self.columns.kinds.items():
            scale = self.columns.fitted[column].get("scale", 0.0)
            if not (isinstance(kind, Number) and kind.scale == "standardize" and scale):
                continue
            far = np.flatnonzero(np.abs(scaled := inputs[:, features.index(column)]) > _FAR)
            if 2 * len(far) > len(inputs):
                shift = self.columns.fitted[column]["shift"]
                value = shift + float(scaled[far[0]]) / scale
                held = f"{value:,.6g} and the like in {len(far):,} of {len(inputs):,} rows"
                had = f"training had {shift:,.6g} ± {1 / scale:,.6g}"
                log.warning("%s: column %r holds %s, and %s: is it the same unit?", name, cut(column), held, had)

    def _look(self, found: Sequence[str], name: str) -> None:
        """Tell columns that the run does not know and leaves out. Raises UsageError where one to keep is missing."""
        for column in self.keep:
            if column not in found:
                near = nearest(column, found)
                hint = f"did you mean {near!r}?" if near else f"it has {some(list(found))}"
                raise UsageError(f"--keep {cut(column)}: {name} has no such column\n  {hint}")
        known = {*self.columns.names, *self.keep}
        others = [column for column in found if column not in known]
        if others and not is_numbered(found) and not self.columns.numbered:
            what = "column" if len(others) == 1 else f"{len(others)} columns"
            log.warning("%s: %s %s: none of this run's, left out", name, what, some(others))


def table_reader(source: object, fitted: Any, keep: Sequence[str] = ()) -> TableReader | None:
    """The reader of a run's tables; None where its data had no columns, or the run is of a version that has none."""
    columns = FittedColumns.of(fitted)
    if columns is None or not isinstance(source, Csv | TableSource):
        return None
    return TableReader(source, columns, tuple(keep))


def _written(column: pa.ChunkedArray) -> list[str | None]:
    """The cells of a column that is passed through, as texts; of an input its number or date."""
    cells: list[str | None] = column.cast(pa.string()).to_pylist()
    return cells


@contextmanager
def reading(path: Path) -> Iterator[tuple[Path, str]]:
    """(the file itself, its name in messages); for stdin a copy, for what is read twice can tell an error's line.

    Errors that name a field of specs say what can be done about it here, where the spec is a run's.
    """
    try:
        with _opened(path) as opened:
            yield opened
    except DataError as error:
        if _OF_SPECS.search(error.message):
            raise DataError(f"{error.message}\n  {_OF_A_RUN}") from error
        raise


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Path, str]]:
    if path != STDIN:
        yield path, str(path)
        return
    with tempfile.TemporaryDirectory(prefix="nnctl-") as folder:
        copy = Path(folder) / "stdin.csv"
        # The descriptor is the process's, and stays open.
        with os.fdopen(0, "rb", closefd=False) as stdin, copy.open("wb") as file:
            start = stdin.read(1)
            file.write(start)
            shutil.copyfileobj(stdin, file)
        if start == b"{":
            # A header does not begin so; a line that is an object does.
            copy = copy.rename(copy.with_suffix(".jsonl"))
        try:
            yield copy, STDIN_NAME
        except DataError as error:
            raise DataError(error.message.replace(str(copy), STDIN_NAME)) from error
