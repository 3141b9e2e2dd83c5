"""Text of tables from files: unpacked, decoded, and cut into blocks of whole rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from nnctl.data.limits import LINE_CHARACTERS
from nnctl.data.opening import open_file, unreadable
from nnctl.errors import DataError
from nnctl.late import dataclass

BLOCK = 1 << 20
"""Bytes of a block. Its cells and their numbers stay in a core's cache."""
_HEAD = 64
"""Bytes that tell how a text begins."""
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd"}
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Marks at a text's begin, longer ones before those that they begin with."""
_ONE_BYTE = ("cp1252", "iso8859-1", "iso8859-15")
"""Encodings in which any UTF-8 reads as another text."""


class Cutter(Protocol):
    """A grammar that knows where rows end."""

    def cut(self, data: bytes) -> Cut:
        """The whole rows at the begin of some bytes."""


class Cut(NamedTuple):
    """The end of the last whole row, 0 where there is none; what the rows are like, as of a `Block`."""

    end: int
    quoted: bool
    by_lines: bool


@dataclass(frozen=True)
class Block:
    """Whole rows of a text, in UTF-8.

    number: of the block, from 0. quoted: whether it has quotes. by_lines: whether every line is a row, or none. ahead:
    lines of the block before its first row.
    """

    data: bytes
    number: int
    quoted: bool = True
    by_lines: bool = False
    ahead: int = 0


@dataclass(frozen=True)
class TextFile:
    """A file of text, packed or not. encoding: as Python names it; a mark at the text's begin overrides it."""

    path: Path
    encoding: str = "utf-8"

    def head(self) -> bytes:
        """The text's first bytes, in UTF-8. Raises DataError."""
        head = b""
        for piece in self._pieces():
            head += piece
            if len(head) >= _HEAD:
                break
        return head

    def start(self) -> bytes:
        """The first bytes, unpacked and in no encoding but the file's, a block of them at most. Raises DataError."""
        with self._unpacked() as stream:
            return self._read(stream)

    def blocks(self, grammar: Cutter, skip: int = 0) -> Iterator[Block]:
        """Blocks of whole rows, after `skip` lines. Raises DataError, naming the line where there is one."""
        carry, number, skipped = b"", 0, 0
        for piece in self._pieces():
            begin = 0
            while skipped < skip and (end := piece.find(b"\n", begin)) >= 0:
                begin, skipped = end + 1, skipped + 1
            if skipped < skip:
                continue
            data, carry, shape = _divided(carry, piece[begin:], grammar)
            if data:
                block = Block(data, number, *shape)
                self._check(block, grammar, skip)
                number += 1
                yield block
            if len(carry) > LINE_CHARACTERS:
                raise self._endless(carry, self.line_of(Block(carry, number), grammar, skip))
        if carry:
            end, quoted, by_lines = grammar.cut(carry + b"\n")
            block = Block(carry + b"\n", number, quoted, by_lines)
            self._check(block, grammar, skip)
            if end != len(block.data):
                line = self.line_of(block, grammar, skip)
                raise DataError(f"{self.path}:{line}:1: error: a quote in the row that begins here is left open")
            yield block

    def line_of(self, block: Block, grammar: Cutter, skip: int = 0) -> int:
        """The number of a block's first line, from 1. What comes before it is read again: it is seldom asked for."""
        before = islice(self.blocks(grammar, skip), block.number)
        return 1 + skip + block.ahead + sum(lines_in(other.data) for other in before)

    def _pieces(self) -> Iterator[bytes]:
        """The text in UTF-8, without its mark; each line ends in a line feed."""
        held = b""
        for piece in self._decoded():
            data = held + piece
            held = b"\r" if data.endswith(b"\r") else b""
            data = data[: len(data) - len(held)]
            if b"\r" in data and _has_lone_returns(data):
                data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            yield data
        if held:
            yield b"\n"

    def _decoded(self) -> Iterator[bytes]:
        with self._unpacked() as stream:
            first = self._read(stream)
            mark = next((mark for mark in _MARKS if first.startswith(mark)), b"")
            encoding = _MARKS.get(mark, self.encoding)
            if codecs.lookup(encoding).name in ("utf-8", "utf-8-sig"):
                first = first.removeprefix(mark)
                while first:
                    yield first
                    first = self._read(stream)
                return
            if _is_utf8(first) and codecs.lookup(encoding).name in _ONE_BYTE:
                raise DataError(
                    f"{self.path}: the encoding is said to be {self.encoding}, and the text is UTF-8\n"
                    f"  say encoding: utf-8"
                )
            decoder = codecs.getincrementaldecoder(encoding)()
            line, last = 1, ""
            while True:
                try:
                    text = decoder.decode(first, final=not first)
                except UnicodeDecodeError as error:
                    before = last + bytes(error.object[: error.start]).decode(encoding, "replace")
                    raise DataError(
                        f"{self.path}:{line + before.count(chr(10))}:{len(before.rpartition(chr(10))[2]) + 1}: error: "
                        f"the file is not {encoding}: {error.reason}\n  say its encoding, such as encoding: utf-8"
                    ) from error
                yield text.removeprefix("\ufeff").encode()
                if not first:
                    return
                line += text.count("\n")
                last = text.rpartition("\n")[2] if "\n" in text else last + text
                first = self._read(stream)

    @contextmanager
    def _unpacked(self) -> Iterator[pa.NativeFile]:
        with open_file(self.path) as file:
            start = file.read(4)
            file.seek(0)
            packed = next((name for mark, name in _PACKED.items() if start.startswith(mark)), None)
            source = pa.PythonFile(file, mode="r")
            yield pa.CompressedInputStream(source, packed) if packed else file

    def _read(self, stream: pa.NativeFile) -> bytes:
        try:
            return bytes(stream.read(BLOCK))
        except pa.ArrowException as error:
            raise DataError(f"{self.path} is cut short or broken: {error}") from error
        except OSError as error:
            if error.errno is not None:
                raise unreadable(self.path, error) from error
            raise DataError(f"{self.path} is cut short or broken: {error}") from error

    def _check(self, block: Block, grammar: Cutter, skip: int) -> None:
        """Raise DataError where bytes are none of a text in UTF-8."""
        data = block.data
        if b"\0" in data:
            number, column = _position(data, data.index(b"\0"), self.line_of(block, grammar, skip))
            alike = data[1::2].count(0) > len(data) // 4 or data[::2].count(0) > len(data) // 4
            hint = (
                f"say encoding: utf-16-{'le' if data[1:2] == bytes(1) else 'be'}"
                if alike
                else ("is it a table? save it as text, in UTF-8")
            )
            raise DataError(f"{self.path}:{number}:{column}: error: there is a NUL character\n  {hint}")
        if not data.isascii():
            try:
                data.decode()
            except UnicodeDecodeError as error:
                number, column = _position(data, error.start, self.line_of(block, grammar, skip))
                raise DataError(
                    f"{self.path}:{number}:{column}: error: the file is not UTF-8: {error.reason}\n"
                    f"  say encoding: {_likely(data)}"
                ) from error

    def _endless(self, data: bytes, line: int) -> DataError:
        if b"\n" in data:
            return DataError(
                f"{self.path}:{line}:1: error: a cell of the row that begins here is longer than "
                f"{LINE_CHARACTERS:,} characters\n  is a quote left open?"
            )
        return DataError(
            f"{self.path}:{line}:{LINE_CHARACTERS + 1}: error: the line goes on beyond {LINE_CHARACTERS:,} characters"
            "\n  is it a table?"
        )


def _is_utf8(data: bytes) -> bool:
    """True where a text has characters beyond ASCII, all of them in UTF-8, the last perhaps cut."""
    if data.isascii():
        return False
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return not data[: error.start].isascii() and error.start >= len(data) - 3
    return True


def _divided(carry: bytes, piece: bytes, grammar: Cutter) -> tuple[bytes, bytes, tuple[bool, bool]]:
    """(whole rows, what is left of the next one, whether the rows have quotes and are lines)."""
    if b'"' not in piece and b'"' not in carry:
        # Nothing is copied twice.
        end = piece.rfind(b"\n") + 1
        if not end:
            return b"", carry + piece, (False, True)
        return b"".join((carry, memoryview(piece)[:end])), piece[end:], (False, True)
    data = carry + piece
    end, quoted, by_lines = grammar.cut(data)
    return data[:end], data[end:], (quoted, by_lines)


def lines_in(data: bytes) -> int:
    """The number of lines that end in some bytes."""
    # Ten times as fast as `bytes.count`.
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == 10))


def _has_lone_returns(data: bytes) -> bool:
    """True where a carriage return has no line feed behind it. The data does not end in one."""
    characters = np.frombuffer(data, dtype=np.uint8)
    return bool(((characters[:-1] == 13) & (characters[1:] != 10)).any())


def _position(data: bytes, index: int, line: int) -> tuple[int, int]:
    """(line, column) of a byte."""
    start = data.rfind(b"\n", 0, index) + 1
    return line + data.count(b"\n", 0, index), len(data[start:index].decode("utf-8", "replace")) + 1


def _likely(data: bytes) -> str:
    """An encoding that the bytes may be of."""
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return "latin-1"
    return "cp1252"
