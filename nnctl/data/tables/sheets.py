"""Sheets of workbooks, of Excel's kinds and OpenDocument's, by python-calamine."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from nnctl.data.opening import open_file
from nnctl.data.tables.cell_kinds import Part, all_numbers, as_written, of_values
from nnctl.data.tables.heading import heading_of
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.places import SheetPlace
from nnctl.data.tables.reader import Batch, Reader
from nnctl.data.words import cut, nearest, some
from nnctl.errors import DataError

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook


class SheetReader(Reader):
    """A reader of a sheet. Its first row that is not empty is the first; a cell with an error is missing.

    A workbook keeps all numbers as doubles: a column of numbers without decimals is one of whole numbers.
    """

    decimal = "."

    def __init__(self, path: Path, layout: Layout) -> None:
        name, rows, (top, left) = _rows(path, layout.sheet)
        written = [[as_written(cell) for cell in row] for row in rows]
        full = [i for i, row in enumerate(written) if any(cell.strip() for cell in row)]
        if not full:
            raise DataError(f"{path}: sheet {cut(name)!r} is empty")
        heading = heading_of(f"{path}: sheet {cut(name)!r}", [written[i] for i in full], layout.header, whole=True)
        first = full[0] + heading.has_header
        self._rows = [[_value(cell) for cell in row] for row in rows[first : full[-1] + 1]]
        self._positions = heading.positions
        self._layout = layout
        self.notated = layout.notated
        columns = {column: left + i for column, i in heading.positions.items()}
        self.place = SheetPlace(str(path), name, top + first + 1, columns, heading.doubt)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(self._positions)

    def batches(
        self, types: Mapping[str, pa.DataType] | None = None, only: Collection[str] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`. All rows are one batch."""
        names = [name for name in self.names if only is None or name in only]
        parts = {name: self._part(name, types) for name in names}
        yield Batch(len(self._rows), parts, len(self._rows) * len(names) * 8)

    def _part(self, name: str, types: Mapping[str, pa.DataType] | None) -> Part:
        position, marks = self._positions[name], self._layout.marks
        values = [row[position] for row in self._rows]
        values = [None if value is not None and as_written(value) in marks else value for value in values]
        if all(as_written(value).lstrip("-").isdigit() for value in values if isinstance(value, float)):
            values = [int(value) if isinstance(value, float) else value for value in values]
        if name in self.notated and all_numbers(values):
            return of_values(values)
        if name in self._layout.as_text or (types is not None and types.get(name) == pa.string()):
            return Part("text", pa.array([None if v is None else as_written(v) for v in values], pa.string()))
        return of_values(values)


def _rows(path: Path, sheet: str | None) -> tuple[str, list[list[Any]], tuple[int, int]]:
    """(a sheet's name, its rows of cells, the row and column of the first, from 0). Raises DataError."""
    try:
        from python_calamine import CalamineError, CalamineWorkbook
    except ModuleNotFoundError as error:
        raise DataError(
            f"{path}: workbooks are read by python-calamine, which is not installed\n  pip install 'nnctl[xlsx]'"
        ) from error
    with open_file(path) as file:
        empty = not file.read(1)
    if empty:
        raise DataError(f"{path} is empty")
    try:
        workbook = CalamineWorkbook.from_path(path)
        name = _chosen(path, workbook, sheet)
        found = workbook.get_sheet_by_name(name)
        return name, found.to_python(), found.start or (0, 0)
    except (CalamineError, OSError) as error:
        raise DataError(f"{path} is cut short or broken, or has a password: {error}") from error


def _chosen(path: Path, workbook: CalamineWorkbook, sheet: str | None) -> str:
    names = workbook.sheet_names
    if sheet is None:
        # Programs of offices begin a workbook with sheets that nobody fills.
        if len(names) > 1:
            names = [name for name in names if workbook.get_sheet_by_name(name).height] or names
        if len(names) == 1:
            return names[0]
        raise DataError(
            f"{path} has {len(names)} sheets with cells\n  say one: in a spec sheet: {cut(names[0])}, to nnctl init "
            f"--sheet {shlex.quote(cut(names[0]))}\n  they are {some(names)}"
        )
    if sheet not in names:
        near = nearest(sheet, names)
        hint = f"did you mean {near!r}?" if near else f"they are {some(names)}"
        raise DataError(f"{path}: there is no sheet {cut(sheet)!r}\n  {hint}")
    return sheet


def _value(cell: Any) -> Any:
    """A cell's value: None where it is empty, a text where it is a time of the day or a span of time."""
    if isinstance(cell, str):
        return cell.strip() or None
    if isinstance(cell, time | timedelta):
        return str(cell)
    if isinstance(cell, datetime | date | bool | float):
        return cell
    return float(cell)
