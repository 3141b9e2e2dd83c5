"""JSON Lines: an object a line, its keys the names of columns."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from nnctl.data.limits import require_columns
from nnctl.data.tables.cell_kinds import Part, all_numbers, as_written, of_values
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reader import Batch, NoCellsError, Reader
from nnctl.data.tables.text_files import Block, Cut, TextFile
from nnctl.data.words import cut
from nnctl.errors import DataError, Diagnostic, Location
from nnctl.late import dataclass


class _Lines:
    """The grammar of a text whose rows are lines."""

    def cut(self, data: bytes) -> Cut:
        """The whole lines at the begin of some bytes."""
        return Cut(data.rfind(b"\n") + 1, quoted=True, by_lines=True)


@dataclass(frozen=True)
class RecordPlace:
    """A place in JSON Lines, which are read again to find one."""

    file: TextFile
    doubt: str = ""

    @property
    def name(self) -> str:
        """The file's, in messages."""
        return str(self.file.path)

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        """The error for a cell, with its line, at its key where the line has it."""
        for block in self.file.blocks(_Lines()):
            lines = [(i, line) for i, line in enumerate(_lines(block)) if line.strip()]
            if row < len(lines):
                index, line = lines[row]
                number = self.file.line_of(block, _Lines()) + index
                text, key = line.decode().rstrip(), json.dumps(column, ensure_ascii=False)
                start, width = (text.index(key), len(key)) if key in text else (0, len(text))
                location = Location(self.name, number, start + 1, max(1, width), text)
                return DataError(Diagnostic(message, location, expected, hint).render())
            row -= len(lines)
        return DataError(f"{self.name}: row {row + 1}, column {cut(column)!r}: {message}")


class RecordReader(Reader):
    """A reader of JSON Lines. A key that a line lacks is missing there, as null is; a number in quotes is a text."""

    decimal = "."

    def __init__(self, path: Path, layout: Layout) -> None:
        self._file = TextFile(path, layout.encoding)
        self.place = RecordPlace(self._file)
        self._layout = layout
        self.notated = layout.notated
        self._names: dict[str, None] = {}
        first = next(self.batches(only=()), None)
        if first is None or not first.rows:
            raise DataError(f"{path} is empty")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns that were met so far, in the order they came; all of them once the file was read."""
        return tuple(self._names)

    def batches(
        self, types: Mapping[str, pa.DataType] | None = None, only: Collection[str] | None = None
    ) -> Iterator[Batch]:
        """See `Reader`."""
        for block in self._file.blocks(_Lines()):
            records = [self._record(line, block, i, only) for i, line in enumerate(_lines(block)) if line.strip()]
            for record in records:
                self._names.update(dict.fromkeys(record))
            require_columns(len(self._names), self.place.name)
            names = [name for name in self._names if only is None or name in only]
            parts = {name: self._part(name, [record.get(name) for record in records], types) for name in names}
            yield Batch(len(records), parts, len(block.data))

    def _part(self, name: str, values: list[Any], types: Mapping[str, pa.DataType] | None) -> Part:
        if self._layout.missing is not None:
            marks = set(self._layout.missing)
            values = [None if value is not None and as_written(value) in marks else value for value in values]
        if name in self.notated and all_numbers(values):
            return of_values(values)
        if name in self._layout.as_text or (types is not None and types.get(name) == pa.string()):
            written = [None if value is None else as_written(value) for value in values]
            return Part("text", pa.array(written, pa.string()))
        return of_values(values)

    def _record(self, line: bytes, block: Block, index: int, only: Collection[str] | None) -> dict[str, Any]:
        text = line.decode()
        try:
            record = json.loads(text, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            raise self._error(text, block, index, error.pos, f"this is no JSON: {error.msg}") from error
        except _RepeatedError as error:
            raise self._error(text, block, index, 0, f"two keys of the object are {error}") from error
        except RecursionError as error:
            raise self._error(text, block, index, 0, "brackets are in brackets without end") from error
        if not isinstance(record, dict):
            raise self._error(text, block, index, 0, "the line is no object", "expected one object a line, in braces")
        odd = {}
        for key, value in record.items():
            if isinstance(value, dict | list):
                record[key], name = None, key.strip()
                if (only is None or name in only) and name not in self._layout.left_out:
                    odd[key] = "an object" if isinstance(value, dict) else "a list"
        if odd:
            key, what = next(iter(odd.items()))
            at = max(0, text.find(json.dumps(key, ensure_ascii=False)))
            message = f"{cut(key)!r} holds {what}, and a cell is a single value"
            raise NoCellsError(self._error(text, block, index, at, message).message, odd)
        return {key.strip(): value for key, value in record.items()}

    def _error(self, text: str, block: Block, index: int, position: int, message: str, hint: str = "") -> DataError:
        number = self._file.line_of(block, _Lines()) + index
        location = Location(self.place.name, number, position + 1, 1, text.rstrip("\r\n"))
        return DataError(Diagnostic(message, location, hint=hint).render())


class _RepeatedError(ValueError):
    """A key that an object has twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _RepeatedError(repr(cut(next(key for key in keys if keys.count(key) > 1))))
    return record


def _lines(block: Block) -> list[bytes]:
    return block.data.removesuffix(b"\n").split(b"\n")
