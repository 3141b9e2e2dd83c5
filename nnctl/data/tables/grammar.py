"""The grammar of delimited text: where rows and cells begin and end, and which lines are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nnctl.data.tables.text_files import lines_in

_QUOTE = b'"'


class Cell(NamedTuple):
    """A cell of a row: the characters from `start` to `end` of its text, and what they say."""

    start: int
    end: int
    text: str


class Row(NamedTuple):
    """A row in a block: its bytes from `start` to `end`, and how many lines come before it."""

    start: int
    end: int
    lines: int


@dataclass(frozen=True)
class Grammar:
    """The grammar of a text in UTF-8 whose lines end in a line feed, with a carriage return before it or not.

    A cell may be quoted, and its quotes doubled; quotes elsewhere than at a cell's begin are characters. Empty lines,
    and those that begin with `comment`, are no rows. delimiter: one ASCII character; a blank stands for any run of
    blanks and tabs.
    """

    delimiter: str
    comment: str | None = None

    @property
    def blanks(self) -> bool:
        """True where runs of blanks are between cells."""
        return self.delimiter == " "

    def cut(self, data: bytes) -> int:
        """The end of the last row that is complete; 0 where none is."""
        last = data.rfind(b"\n") + 1
        if not last or self._lines_are_rows(data[:last] if last < len(data) else data):
            return last
        end = 0
        while (match := self._line.match(data, end)) is not None and match.end() > end:
            end = match.end()
        return end

    def rows(self, data: bytes) -> Iterator[Row]:
        """Rows of a block of whole rows."""
        end = lines = 0
        while (match := self._line.match(data, end)) is not None and match.end() > end:
            begin, end = end, match.end()
            if self._skipped.match(data, begin, end) is None:
                yield Row(begin, end, lines)
            lines += data.count(b"\n", begin, end)

    def count(self, data: bytes) -> int:
        """The number of rows of a block of whole rows."""
        if self._lines_are_rows(data) and not self._may_skip(data) and not self._may_be_empty(data):
            return lines_in(data)
        return sum(1 for _ in self.rows(data))

    def plain(self, data: bytes) -> bytes:
        """The rows of a block, without lines of comment or blanks, without blanks around unquoted cells.

        Cells that runs of blanks divide have a tab between them.
        """
        if self._may_skip(data):
            if self._lines_are_rows(data):
                data = self._skipped_line.sub(b"", data)
            else:
                data = b"".join(data[row.start : row.end] for row in self.rows(data))
        if self.blanks:
            return self._tabbed(data)
        return self._stripped(data) if b" " in data else data

    @property
    def plain_delimiter(self) -> str:
        """The delimiter of what `plain` gives."""
        return "\t" if self.blanks else self.delimiter

    def cells(self, text: str) -> list[Cell]:
        """The cells of a row's text."""
        text = text.rstrip("\r\n")
        cells: list[Cell] = []
        position = len(text) - len(text.lstrip(" \t")) if self.blanks else 0
        end = len(text.rstrip(" \t")) if self.blanks else len(text)
        while True:
            match = self._cell.match(text, position, end)
            assert match is not None
            quoted = match["quoted"]
            said = match[0].strip() if quoted is None else quoted.replace('""', '"') + match["more"]
            cells.append(Cell(match.start(), match.end(), said))
            if match.end() >= end:
                return cells
            between = self._between.match(text, match.end())
            assert between is not None
            position = between.end()

    @cached_property
    def _between(self) -> re.Pattern[str]:
        return re.compile(r"[ \t]+" if self.blanks else re.escape(self.delimiter))

    @cached_property
    def _cell(self) -> re.Pattern[str]:
        other = r"[^ \t]" if self.blanks else f"[^{re.escape(self.delimiter)}]"
        lead = "" if self.blanks or self.delimiter == "\t" else " *"
        return re.compile(f'{lead}"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"(?P<more>{other}*+)|{other}*+')

    @cached_property
    def _line(self) -> re.Pattern[bytes]:
        """A line of comment, or a row with its end."""
        d = rb" \t" if self.blanks else re.escape(self.delimiter.encode())
        lead = b"" if self.blanks or self.delimiter == "\t" else b" *"
        cell = rb'(?:%s"[^"]*+(?:""[^"]*+)*+"[^%s\n]*+|(?!%s")[^%s\n]*+)' % (lead, d, lead, d)
        comment = rb"[ \t]*%s[^\n]*+\n|" % re.escape(self.comment.encode()) if self.comment else b""
        return re.compile(rb"%s%s(?:[%s]%s)*+\n" % (comment, cell, d, cell))

    @cached_property
    def _skipped(self) -> re.Pattern[bytes]:
        blank = b"[ ]*" if self.delimiter == "\t" else rb"[ \t]*"
        comment = rb"|[ \t]*%s[^\n]*" % re.escape(self.comment.encode()) if self.comment else b""
        return re.compile(rb"(?:%s\r?%s)\n" % (blank, comment))

    @cached_property
    def _skipped_line(self) -> re.Pattern[bytes]:
        return re.compile(b"^" + self._skipped.pattern, re.MULTILINE)

    @cached_property
    def _blanks_or_quoted(self) -> re.Pattern[bytes]:
        return re.compile(rb'(?<![^ \t\n])("[^"]*+(?:""[^"]*+)*+")|[ \t]*\r?\n[ \t]*|[ \t]+')

    @cached_property
    def _delimiter_or_quoted(self) -> re.Pattern[bytes]:
        d = re.escape(self.delimiter.encode())
        return re.compile(rb'(?<![^ %s\n])("[^"]*+(?:""[^"]*+)*+")|([%s\n]) +' % (d, d))

    def _may_skip(self, data: bytes) -> bool:
        """True where there may be lines of comment, or of blanks."""
        if self.comment is not None and self.comment.encode() in data:
            return True
        if b" " not in data and b"\t" not in data:
            return False
        return data[:1] in b" \t" or b"\n " in data or b"\n\t" in data

    @staticmethod
    def _may_be_empty(data: bytes) -> bool:
        """True where there may be empty lines."""
        return data[:1] in b"\r\n" or b"\n\n" in data or b"\n\r" in data

    @staticmethod
    def _lines_are_rows(data: bytes) -> bool:
        """True where no quoted cell holds the end of a line, for each line has an even number of quotes."""
        if _QUOTE not in data:
            return True
        characters = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(characters == 10)
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else np.zeros(1, dtype=np.int64)
        # Sums wrap at 256, which changes no number's parity.
        return not (np.add.reduceat((characters == 34).view(np.uint8), starts, dtype=np.uint8) & 1).any()

    def _stripped(self, data: bytes) -> bytes:
        """Without blanks around cells; inside quotes all stays."""
        d = self.delimiter.encode()
        if _QUOTE in data:
            # Blanks before a quote would make it a character. Others are taken from texts later.
            if d + b' "' not in data and b'\n "' not in data and d + b"  " not in data:
                return data
            return self._delimiter_or_quoted.sub(lambda m: m[1] or m[2], data)
        for wide, narrow in ((d + b" ", d), (b" " + d, d), (b" \n", b"\n"), (b" \r\n", b"\r\n"), (b"\n ", b"\n")):
            while wide in data:
                data = data.replace(wide, narrow)
        return data.lstrip(b" ")

    def _tabbed(self, data: bytes) -> bytes:
        """Tabs for runs of blanks; none at the ends of lines."""
        if _QUOTE not in data:
            data = re.sub(rb"[ \t]+", b"\t", data)
            return data.replace(b"\t\n", b"\n").replace(b"\t\r\n", b"\r\n").replace(b"\n\t", b"\n").lstrip(b"\t")
        return self._blanks_or_quoted.sub(lambda m: m[1] or (b"\n" if b"\n" in m[0] else b"\t"), data).lstrip(b"\t")
