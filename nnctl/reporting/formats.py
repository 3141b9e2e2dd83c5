"""A row of the metrics as one line of text: JSON Lines or CSV."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from typing import Protocol

from nnctl.errors import require_choice
from nnctl.training.events import Record, Value


class Format(Protocol):
    """A format of rows as lines; a line ends with its newline."""

    def header(self, columns: Sequence[str]) -> str:
        """The text before the first row; empty where there is none."""

    def row(self, record: Record) -> str:
        """The text of a row."""

    def fits(self, line: str, columns: Sequence[str]) -> bool:
        """True where a line may be a row of these columns."""


class JsonLines:
    """One JSON object a line. A number that is not finite is null: JSON has no word for it."""

    def header(self, columns: Sequence[str]) -> str:
        """No text: each line names its columns."""
        return ""

    def row(self, record: Record) -> str:
        """One object, keys in the order of the columns."""
        return json.dumps({name: _finite(value) for name, value in record.items()}, allow_nan=False) + "\n"

    def fits(self, line: str, columns: Sequence[str]) -> bool:
        """True where the line is an object with exactly these keys."""
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            return False
        return isinstance(row, dict) and tuple(row) == tuple(columns)


class CsvLines:
    """Comma-separated values under one header, as RFC 4180 has them but for the newline; an empty field is null."""

    def header(self, columns: Sequence[str]) -> str:
        """The names of the columns, the same for every row of a run."""
        return self._line(columns)

    def row(self, record: Record) -> str:
        """The values, in the order of the columns."""
        values = [_finite(value) for value in record.values()]
        return self._line(["" if value is None else value for value in values])

    def fits(self, line: str, columns: Sequence[str]) -> bool:
        """True where the line has as many fields as there are columns."""
        return len(next(csv.reader([line]), [])) == len(columns)

    def _line(self, values: Sequence[object]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(values)
        return text.getvalue()


FORMATS: dict[str, type[JsonLines] | type[CsvLines]] = {"jsonl": JsonLines, "csv": CsvLines}


def format_named(name: str) -> Format:
    """The format that `--format` names. Raises UsageError."""
    require_choice("--format", name, FORMATS)
    return FORMATS[name]()


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value
