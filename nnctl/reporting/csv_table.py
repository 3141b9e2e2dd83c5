"""Rows as one CSV table, for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nnctl.spec.yaml.flow import flow


def csv_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Rows of equal keys as CSV under one header, an empty field for None; what is no scalar is as in a spec."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    lines: list[list[Any]] = [list(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    for line in lines:
        writer.writerow(flow(value) if isinstance(value, dict | list | tuple | bool) else value for value in line)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
