"""The grammar of delimited text: where rows and cells begin and end, and which lines are none."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnctl.data.tables.text_files import Block, Cut, lines_in
from nnctl.late import dataclass

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


class Plain(NamedTuple):
    """Rows as Arrow reads them. loose: whether texts may have blanks around them still, or be empty though quoted."""

    data: bytes
    loose: bool


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

    def cut(self, data: bytes) -> Cut:
        """The whole rows at the begin of some bytes."""
        last = data.rfind(b"\n") + 1
        quoted = _QUOTE in data
        if not last or not quoted or _lines_are_rows(data[:last]):
            return Cut(last, quoted, by_lines=True)
        end = 0
        while (match := self._line.match(data, end)) is not None and match.end() > end:
            end = match.end()
        return Cut(end, quoted, by_lines=False)

    def rows(self, data: bytes) -> Iterator[Row]:
        """Rows of a block of whole rows."""
        end = lines = 0
        while (match := self._line.match(data, end)) is not None and match.end() > end:
            begin, end = end, match.end()
            if self._skipped.match(data, begin, end) is None:
                yield Row(begin, end, lines)
            lines += data.count(b"\n", begin, end)

    def count(self, block: Block) -> int:
        """The number of a block's rows."""
        data = block.data
        blanks = _Positions(data, b" ") if b" " in data else None
        if block.by_lines and not self._may_skip(data, blanks) and not _may_be_empty(data):
            return lines_in(data)
        return sum(1 for _ in self.rows(data))

    def plain(self, block: Block) -> Plain:
        """The rows of a block, without lines of comment or blanks, without blanks around unquoted cells.

        Cells that runs of blanks divide have a tab between them.
        """
        data = block.data
        blanks = _Positions(data, b" ") if b" " in data else None
        if self._may_skip(data, blanks):
            if block.by_lines:
                data = self._skipped_line.sub(b"", data)
            else:
                data = b"".join(data[row.start : row.end] for row in self.rows(data))
            blanks = _Positions(data, b" ") if b" " in data else None
        if self.blanks:
            return Plain(self._tabbed(data, block.quoted), block.quoted)
        loose = self._are_loose(data, blanks, block)
        return Plain(data if blanks is None else self._stripped(data, blanks, block.quoted), loose)

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
        comment = self._comment + b"\n|" if self.comment else b""
        return re.compile(rb"%s%s(?:[%s]%s)*+\n" % (comment, cell, d, cell))

    @property
    def _margin(self) -> bytes:
        """Blanks that are no delimiters."""
        return b" *" if self.delimiter == "\t" else rb"[ \t]*"

    @property
    def _comment(self) -> bytes:
        """A comment up to the end of its line."""
        return rb"%s%s[^\n]*+" % (self._margin, re.escape((self.comment or "").encode()))

    @cached_property
    def _skipped(self) -> re.Pattern[bytes]:
        comment = b"|" + self._comment if self.comment else b""
        return re.compile(rb"(?:%s\r?%s)\n" % (self._margin, comment))

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

    def _may_skip(self, data: bytes, blanks: _Positions | None) -> bool:
        """True where there may be lines of comment, or of blanks."""
        if self.comment is not None and self.comment.encode() in data:
            return True
        if b"\t" in data and _Positions(data, b"\t").any_behind(b"\n"):
            return True
        return blanks is not None and blanks.any_behind(b"\n")

    def _stripped(self, data: bytes, blanks: _Positions, quoted: bool) -> bytes:
        """Without blanks around cells; inside quotes all stays."""
        d = self.delimiter.encode()
        if quoted:
            # Blanks before a quote would make it a character; others are taken from texts later.
            before_quotes = blanks.any_behind(d + b"\n", b' "')
            return self._delimiter_or_quoted.sub(lambda m: m[1] or m[2], data) if before_quotes else data
        if not blanks.any_behind(d + b"\n") and not blanks.any_before(d + b"\r\n"):
            return data
        for wide, narrow in ((d + b" ", d), (b" " + d, d), (b" \n", b"\n"), (b" \r\n", b"\r\n"), (b"\n ", b"\n")):
            while wide in data:
                data = data.replace(wide, narrow)
        return data.lstrip(b" ")

    def _are_loose(self, data: bytes, blanks: _Positions | None, block: Block) -> bool:
        """True where texts may have blanks around them still, or be empty though quoted."""
        d = self.delimiter.encode()
        if b"\t" in data and (d != b"\t" or block.quoted):
            return True
        if not block.quoted:
            return False
        # The end of a line may be in quotes, too, where lines are not rows.
        if not block.by_lines or _has_pairs_of_quotes(data):
            return True
        edges = d + b'"\r\n'
        return blanks is not None and (blanks.any_behind(edges) or blanks.any_before(edges))

    def _tabbed(self, data: bytes, quoted: bool) -> bytes:
        """Tabs for runs of blanks; none at the ends of lines."""
        if not quoted:
            data = re.sub(rb"[ \t]+", b"\t", data)
            return data.replace(b"\t\n", b"\n").replace(b"\t\r\n", b"\r\n").replace(b"\n\t", b"\n").lstrip(b"\t")
        return self._blanks_or_quoted.sub(lambda m: m[1] or (b"\n" if b"\n" in m[0] else b"\t"), data).lstrip(b"\t")


def _lines_are_rows(data: bytes) -> bool:
    """True where no quoted cell holds the end of a line, for each line has an even number of quotes."""
    characters = np.frombuffer(data, dtype=np.uint8)
    starts = np.flatnonzero(characters == 10)
    starts += 1
    starts[1:] = starts[:-1]
    starts[0] = 0
    # Sums wrap at 256, which changes no number's parity.
    return not (np.add.reduceat((characters == 34).view(np.uint8), starts, dtype=np.uint8) & 1).any()


def _has_pairs_of_quotes(data: bytes) -> bool:
    quotes = np.frombuffer(data, dtype=np.uint8) == _QUOTE[0]
    return bool((quotes[1:] & quotes[:-1]).any())


def _may_be_empty(data: bytes) -> bool:
    """True where there may be empty lines."""
    return _Positions(data, b"\n").any_behind(b"\n") or _Positions(data, b"\r").any_behind(b"\n")


class _Positions:
    """The positions of a character in some bytes that end in a line's end, and what stands beside them."""

    def __init__(self, data: bytes, one: bytes) -> None:
        # Several times as fast as the search for each pair.
        self._characters = np.frombuffer(data, dtype=np.uint8)
        self._at = np.flatnonzero(self._characters == one[0])
        # Before the first character is the last, which ends a line.
        self._before = self._characters[self._at - 1]
        self._after = self._characters[np.minimum(self._at + 1, len(data) - 1)]

    def any_behind(self, befores: bytes, afters: bytes = b"") -> bool:
        """True where one is right behind one of some characters; before one of others, too, where there are any."""
        found = _among(self._before, befores)
        return bool((found & _among(self._after, afters)).any() if afters else found.any())

    def any_before(self, afters: bytes) -> bool:
        """True where one is right before one of some characters."""
        return bool(_among(self._after, afters).any())


def _among(characters: NDArray[np.uint8], some: bytes) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = characters == some[0]
    for one in some[1:]:
        found |= characters == one
    return found
