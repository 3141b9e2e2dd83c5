"""Text of tables from files: unpacked, decoded, and cut into blocks of whole rows."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa

from nnctl.data.limits import LINE_CHARACTERS
from nnctl.data.opening import open_file, unreadable
from nnctl.errors import DataError

BLOCK = 1 << 19
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


class Cutter(Protocol):
    """A grammar that knows where rows end."""

    def cut(self, data: bytes) -> int:
        """The end of the last row that is complete; 0 where none is."""


@dataclass(frozen=True)
class Block:
    """Whole rows of a text, in UTF-8. line: the number of its first line, from 1."""

    data: bytes
    line: int


@dataclass(frozen=True)
class TextFile:
    """A file of text, packed or not. encoding: as Python names it; a mark at the text's begin overrides UTF-8."""

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
        carry, line = b"", 1
        for piece in self._pieces():
            data = carry + piece
            while line <= skip and b"\n" in data:
                data = data[data.index(b"\n") + 1 :]
                line += 1
            cut = grammar.cut(data) if line > skip else 0
            if cut:
                block = self._checked(data[:cut], line)
                line += lines_in(block.data)
                yield block
            carry = data[cut:]
            if len(carry) > LINE_CHARACTERS:
                raise self._endless(carry, line)
        if carry:
            self._checked(carry, line)
            if grammar.cut(carry + b"\n") != len(carry) + 1:
                raise DataError(f"{self.path}:{line}:1: error: a quote in the row that begins here is left open")
            yield self._checked(carry + b"\n", line)

    def _pieces(self) -> Iterator[bytes]:
        """The text in UTF-8, without its mark; each line ends in a line feed."""
        held = b""
        for piece in self._decoded():
            data = held + piece
            held = b"\r" if data.endswith(b"\r") else b""
            data = data[: len(data) - len(held)]
            if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
                data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            yield data
        if held:
            yield b"\n"

    def _decoded(self) -> Iterator[bytes]:
        with self._unpacked() as stream:
            first = self._read(stream)
            mark = next((mark for mark in _MARKS if first.startswith(mark)), b"")
            is_utf8 = codecs.lookup(self.encoding).name in ("utf-8", "utf-8-sig")
            if is_utf8 and _MARKS.get(mark, "utf-8") == "utf-8":
                first = first.removeprefix(mark)
                while first:
                    yield first
                    first = self._read(stream)
                return
            encoding = _MARKS[mark] if is_utf8 else self.encoding
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

    def _checked(self, data: bytes, line: int) -> Block:
        if b"\0" in data:
            number, column = _position(data, data.index(b"\0"), line)
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
                number, column = _position(data, error.start, line)
                raise DataError(
                    f"{self.path}:{number}:{column}: error: the file is not UTF-8: {error.reason}\n"
                    f"  say encoding: {_likely(data)}"
                ) from error
        return Block(data, line)

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


def lines_in(data: bytes) -> int:
    """The number of lines that end in some bytes."""
    # Ten times as fast as `bytes.count`.
    return int(np.count_nonzero(np.frombuffer(data, dtype=np.uint8) == 10))


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
