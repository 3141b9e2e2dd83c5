"""Rows on stdout: a table on a terminal, JSON Lines in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

_STYLES = {"PASS": "green", "FAIL": "bold red", "KINK": "yellow"}


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of equal keys on stdout."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Text throughout: in plain strings rich takes "[name=left]" of a setting's path for markup.
    table = Table(box=box.SIMPLE)
    for name, value in rows[0].items():
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(Text(_head(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        words = map(cell, row.values())
        table.add_row(*(Text(word, _STYLES.get(word, "")) for word in words))
    Console().print(table)


def _head(name: str) -> str:
    """A column's name in words; a path of the spec as it must be written."""
    return name.replace("_", " ") if name.isidentifier() else name


def cell(value: Any) -> str:
    """A value as people read it in a table."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.5g}"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return ", ".join(map(cell, value))
        case dict():
            return " ".join(f"{key}:{cell(count)}" for key, count in value.items())
        case _:
            return str(value)
