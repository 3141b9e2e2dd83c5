"""Delimited text: rows of cells, and errors that point at a row or a cell in its file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from nnctl.errors import DataError, Diagnostic, Location

Row = tuple[int, list[str]]
"""The line a row begins on, from 1, and its cells."""


@dataclass(frozen=True)
class DelimitedFile:
    """A text file of cells, UTF-8, quoted as CSV has it."""

    path: Path
    delimiter: str

    def rows(self) -> Iterator[Row]:
        """Rows that are not blank. Raises DataError where the file cannot be read."""
        line = 0
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file, delimiter=self.delimiter, strict=True)
                for cells in reader:
                    begin, line = line + 1, reader.line_num
                    if cells and not (len(cells) == 1 and not cells[0].strip()):
                        yield begin, cells
        except csv.Error as error:
            raise DataError(f"{self.path}:{line + 1}:1: error: {error}") from error
        except UnicodeDecodeError as error:
            place = _undecodable(self.path)
            raise DataError(f"{self.path}:{place}: error: the file is not UTF-8: {error.reason}") from error
        except OSError as error:
            raise DataError(f"{self.path} cannot be read: {error.strerror}") from error

    def row_error(self, row: Row, message: str, hint: str) -> DataError:
        """The error for a problem of a full row."""
        text = self._line(row[0])
        location = Location(str(self.path), row[0], 1, max(1, len(text)), text)
        return DataError(Diagnostic(message, location, hint=hint).render())

    def cell_error(self, row: Row, column: int, message: str, expected: str, hint: str = "") -> DataError:
        """The error for a problem of one cell."""
        line, cells = row
        text = self._line(line)
        start, width = _span(text, self.delimiter, column, len(cells))
        location = Location(str(self.path), line, start + 1, width, text)
        return DataError(Diagnostic(message, location, expected, hint).render())

    def _line(self, number: int) -> str:
        with self.path.open(encoding="utf-8-sig", newline=None) as file:
            return next(islice(file, number - 1, None), "").rstrip("\n")


def _undecodable(path: Path) -> str:
    """line:column of the first byte that is no UTF-8; the reader itself decodes far ahead of its line."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            return f"{number}:{len(line[: error.start].decode()) + 1}"
    raise AssertionError("the reader could not decode the file, and each of its lines can be")


def _span(text: str, delimiter: str, column: int, count: int) -> tuple[int, int]:
    """(start, width) of a cell in its line; the whole line where a quoted cell spans several."""
    bounds, quoted = [-1], False
    for i, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == delimiter and not quoted:
            bounds.append(i)
    if quoted or len(bounds) != count:
        return 0, max(1, len(text))
    bounds.append(len(text))
    return bounds[column] + 1, max(1, bounds[column + 1] - bounds[column] - 1)
