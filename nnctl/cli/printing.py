"""Rows on stdout: a table on a terminal, JSON Lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nnctl.screen.characters import json_line
from nnctl.screen.guard import is_unicode


def print_rows(rows: Sequence[Mapping[str, Any]], shown: Sequence[Mapping[str, Any]] | None = None) -> None:
    """Print rows of equal keys on stdout. `shown`: on a terminal these instead, in the words of people."""
    if not sys.stdout.isatty():
        for row in rows:
            print_json(row)
    elif lines := rows if shown is None else shown:
        from nnctl.cli.tables import Column, print_table

        print_table([Column(head(name), [line[name] for line in lines]) for name in lines[0]])


def print_json(row: Mapping[str, Any]) -> None:
    """Print an object in a line of its own, and leave nothing in the buffer: its reader may be waiting."""
    print(json_line(row, ascii_only=not is_unicode(sys.stdout)), flush=True)


def print_lines(lines: Iterable[str]) -> None:
    """Print text as data: names may be no text at all, and stdout of a narrow encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    for text in lines:
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def head(name: str) -> str:
    """A column's name in words; a path of the spec as it must be written."""
    return name.replace("_", " ") if name.isidentifier() else name
