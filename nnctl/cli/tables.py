"""Rows on stdout: a table on a terminal, JSON Lines in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

_STYLES = {"PASS": "green", "FAIL": "bold red", "KINK": "yellow"}


def print_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of equal keys."""
    if not sys.stdout.isatty():
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
        return
    if not rows:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    for name, value in rows[0].items():
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_styled(cell(value)) for value in row.values()))
    Console().print(table)


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


def _styled(text: str) -> str:
    from rich.markup import escape

    return f"[{_STYLES[text]}]{text}[/]" if text in _STYLES else escape(text)
