"""Delimited text: rows of cells, and errors that point at a row or a cell in its file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from nnctl.data.limits import LINE_CHARACTERS
from nnctl.data.opening import not_utf8, open_file, unreadable
from nnctl.errors import DataError, Diagnostic, Location
from nnctl.late import dataclass

Row = tuple[int, list[str]]
"""The line a row begins on, from 1, and its cells."""

_BLOCK_ROWS = 1024
_BLOCK_CELLS = 1 << 17


@dataclass(frozen=True)
class DelimitedFile:
    """A text of cells, UTF-8, quoted as CSV has it.

    name: in messages. opened: gives its bytes. again: whether it can be opened once more, to show a line of it.
    """

    name: str
    delimiter: str
    opened: Callable[[], BinaryIO]
    again: bool = True

    @classmethod
    def at(cls, path: Path, delimiter: str) -> DelimitedFile:
        """The file at `path`."""
        return cls(str(path), delimiter, lambda: open_file(path))

    def rows(self) -> Iterator[Row]:
        """Rows that are not blank. Raises DataError where the file cannot be read."""
        line = 0
        with self.opened() as file:
            seen = _Lines(file, self.name)
            try:
                reader = csv.reader(seen, delimiter=self.delimiter, strict=True)
                for cells in reader:
                    begin, line = line + 1, reader.line_num
                    if cells and not (len(cells) == 1 and not cells[0].strip()):
                        yield begin, cells
            except csv.Error as error:
                raise DataError(f"{self.name}:{line + 1}:1: error: {_words(error)}") from error
            except OSError as error:
                raise unreadable(Path(self.name), error) from error

    def row_error(self, row: Row, message: str, hint: str) -> DataError:
        """The error for a problem of a full row."""
        text = self._line(row)
        location = Location(self.name, row[0], 1, max(1, len(text)), text)
        return DataError(Diagnostic(message, location, hint=hint).render())

    def cell_error(self, row: Row, column: int, message: str, expected: str, hint: str = "") -> DataError:
        """The error for a problem of one cell."""
        line, cells = row
        text = self._line(row)
        start, width = _span(text, self.delimiter, column, len(cells))
        location = Location(self.name, line, start + 1, width, text)
        return DataError(Diagnostic(message, location, expected, hint).render())

    def _line(self, row: Row) -> str:
        """The line a row begins on, as it stands in the file; put together again where that cannot be read twice."""
        if not self.again:
            return self.delimiter.join(row[1])
        try:
            with self.opened() as file, TextIOWrapper(file, "utf-8-sig", newline=None) as text:
                return next(islice(text, row[0] - 1, None), "").rstrip("\n")
        # It has gone, or changed, since it was read.
        except (DataError, OSError, UnicodeDecodeError):
            return self.delimiter.join(row[1])


class _Lines:
    """Lines of a file's bytes as text, each as long as it may be, whatever ends it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name = file, name
        self._text = TextIOWrapper(file, "utf-8-sig", newline="")
        self._number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self._number += 1
        try:
            line = self._text.readline(LINE_CHARACTERS + 1)
        except UnicodeDecodeError as error:
            # The reader decodes far ahead of its line.
            raise not_utf8(*self._undecodable(error), error.reason) from error
        if not line:
            raise StopIteration
        if len(line) > LINE_CHARACTERS:
            raise DataError(
                f"{self._name}:{self._number}:{LINE_CHARACTERS + 1}: error: the line goes on beyond "
                f"{LINE_CHARACTERS:,} characters\n  is it a table?"
            )
        if "\0" in line:
            raise DataError(
                f"{self._name}:{self._number}:{line.index(chr(0)) + 1}: error: there is a NUL character\n"
                "  save the table as text, in UTF-8"
            )
        return line

    def _undecodable(self, error: UnicodeDecodeError) -> tuple[str, bytes]:
        """(file:line:column of the first byte that is no UTF-8, the first bytes), of a file that can be read again."""
        if not self._file.seekable():
            return f"{self._name}:{self._number}", bytes(error.object[:2]) if self._number == 1 else b""
        self._file.seek(0)
        first = self._file.read(4)
        self._file.seek(0)
        number = 0
        while line := self._file.readline(LINE_CHARACTERS):
            number += 1
            try:
                line.decode()
            except UnicodeDecodeError as found:
                return f"{self._name}:{number}:{len(line[: found.start].decode('utf-8-sig')) + 1}", first
        return f"{self._name}:{self._number}", first


def blocks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in blocks of bounded size, however many cells a row has, and however long these are."""
    block: list[Row] = []
    cells = characters = 0
    for row in rows:
        block.append(row)
        cells += len(row[1])
        characters += sum(map(len, row[1]))
        if len(block) == _BLOCK_ROWS or cells >= _BLOCK_CELLS or characters >= LINE_CHARACTERS:
            yield block
            block, cells, characters = [], 0, 0
    if block:
        yield block


def _words(error: csv.Error) -> str:
    text = str(error)
    if "field limit" in text:
        return f"a cell is longer than {csv.field_size_limit():,} characters\n  is a quote left open?"
    return text


def _span(text: str, delimiter: str, column: int, count: int) -> tuple[int, int]:
    """(start, width) of a cell in its line; the whole line where a quoted cell spans several."""
    bounds, is_quoted = [-1], False
    for i, character in enumerate(text):
        if character == '"':
            is_quoted = not is_quoted
        elif character == delimiter and not is_quoted:
            bounds.append(i)
    if is_quoted or len(bounds) != count:
        return 0, max(1, len(text))
    bounds.append(len(text))
    return bounds[column] + 1, max(1, bounds[column + 1] - bounds[column] - 1)
