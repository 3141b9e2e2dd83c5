"""Places in tables: errors that point at a cell by its line and column, its row, or its name in a sheet."""

from __future__ import annotations

from nnctl.data.tables.grammar import Cell, Grammar
from nnctl.data.tables.text_files import TextFile, lines_in
from nnctl.data.words import cut
from nnctl.errors import DataError, Diagnostic, Location
from nnctl.late import dataclass


@dataclass(frozen=True)
class TextPlace:
    """A place in delimited text, which is read again to find a line.

    skip: lines before the first row. positions: of columns in a row, by name. has_header: whether the first row holds
    names. doubt: see `Place`.
    """

    file: TextFile
    grammar: Grammar
    skip: int
    positions: dict[str, int]
    has_header: bool
    doubt: str = ""

    @property
    def name(self) -> str:
        """The file's, in messages."""
        return str(self.file.path)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that are read, in the order of the file."""
        return tuple(self.positions)

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, with its line and column."""
        found = self._find(row + self.has_header)
        if found is None:
            return DataError(f"{self.name}: row {row + 1}, column {cut(column)!r}: {message}")
        text, line = found
        cells, position = self.grammar.cells(text), self.positions[column]
        cell = cells[position] if position < len(cells) else Cell(0, len(text), text)
        return DataError(Diagnostic(message, self._location(text, line, cell), expected, hint).render())

    def row_error(self, text: str, line: int, message: str, hint: str) -> DataError:
        """The error for a row that begins on a line."""
        whole = Cell(0, len(text.rstrip("\r\n")), text)
        return DataError(Diagnostic(message, self._location(text, line, whole), hint=hint).render())

    def _find(self, row: int) -> tuple[str, int] | None:
        """(a row's text, the line it begins on), the header being row 0 where there is one; None where it has gone."""
        line = 1 + self.skip
        for block in self.file.blocks(self.grammar, self.skip):
            count = self.grammar.count(block)
            if row < count:
                found = next(r for i, r in enumerate(self.grammar.rows(block.data)) if i == row)
                return block.data[found.start : found.end].decode(), line + found.lines
            row -= count
            line += lines_in(block.data)
        return None

    def _location(self, text: str, line: int, cell: Cell) -> Location:
        """The location of a cell, in its line of a row that may have several."""
        start = text.rfind("\n", 0, cell.start) + 1
        shown = text[start:].split("\n", 1)[0].rstrip("\r")
        width = max(1, min(cell.end, start + len(shown)) - cell.start)
        return Location(self.name, line + text.count("\n", 0, cell.start), cell.start - start + 1, width, shown)


@dataclass(frozen=True)
class RowPlace:
    """A place in a file without lines: rows by number."""

    name: str
    doubt: str = ""

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, with the number of its row."""
        return _plain_error(f"{self.name}: row {row + 1}, column {cut(column)!r}: {message}", expected, hint)


@dataclass(frozen=True)
class SheetPlace:
    """A place in a sheet of a workbook: cells by name, as B7. first: the number of the first row that holds data."""

    name: str
    sheet: str
    first: int
    columns: dict[str, int]
    doubt: str = ""

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, with its name."""
        where = f"sheet {cut(self.sheet)!r}, cell {letters(self.columns[column])}{self.first + row}"
        return _plain_error(f"{self.name}: {where}: {message}", expected, hint)


def letters(column: int) -> str:
    """The name of a sheet's column, from 0: A to Z, AA and so on."""
    name = ""
    while column >= 0:
        name = chr(ord("A") + column % 26) + name
        column = column // 26 - 1
    return name


def _plain_error(message: str, expected: str, hint: str) -> DataError:
    more = [f"  expected {expected}"] if expected else []
    more += [f"  {hint}"] if hint else []
    return DataError("\n".join([message, *more]))
