"""Layouts of text files that nobody has described: encoding, delimiter and comments, by their first lines."""

from __future__ import annotations

import csv
from pathlib import Path

from nnctl.data.tables.layout import COMMENT, Layout
from nnctl.data.tables.text_files import BLOCK, TextFile
from nnctl.spec.noted import Noted

_LINES = 50
_DELIMITERS = (";", "\t", "|")
_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""Marks at the begin of UTF-16 and UTF-32, by which the reader knows them."""


def layout_of(path: Path) -> tuple[Layout, dict[str, object]]:
    """(the layout of a text file, the fields of `table` that say it where it is not the usual one)."""
    start = TextFile(path).start()
    encoding = "utf-8" if start.startswith(_MARKS) or _is_utf8(start) else "cp1252"
    fields: dict[str, object] = {}
    if encoding != "utf-8":
        fields["encoding"] = Noted(encoding, "its bytes are no UTF-8; this is the likeliest other")
    lines = TextFile(path, encoding).head().decode(errors="replace").splitlines()
    rows = [line for line in lines if line.strip() and not line.startswith(COMMENT)][:_LINES]
    delimiter = _delimiter_of(rows, path)
    if delimiter is not None:
        fields["delimiter"] = Noted(delimiter, "every line has as many")
    comment = COMMENT if _begins_with_comment(lines, rows, delimiter or _usual(path)) else None
    if comment is not None:
        fields["comment"] = Noted(comment, "its first line begins with it, and is no row")
    return Layout(delimiter=delimiter, encoding=encoding, comment=comment), fields


def _is_utf8(head: bytes) -> bool:
    """True where bytes are UTF-8, the last character perhaps cut."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) >= BLOCK and error.start >= len(head) - 4
    return True


def _usual(path: Path) -> str:
    return Layout().delimiter_of(path)


def _begins_with_comment(lines: list[str], rows: list[str], delimiter: str) -> bool:
    """True where the first line begins as a comment does, and has not as many cells as the rows."""
    if not rows or not lines[0].startswith(COMMENT):
        return False
    return not _even([lines[0], rows[0]], delimiter)


def _delimiter_of(lines: list[str], path: Path) -> str | None:
    """The delimiter that divides all lines into equally many cells; None for the usual one."""
    usual = _usual(path)
    if not lines or lines[0].lower().lstrip('"').startswith("sep=") or _even(lines, usual):
        return None
    return next(
        (delimiter for delimiter in (*_DELIMITERS, ",") if delimiter != usual and _even(lines, delimiter)), None
    )


def _even(lines: list[str], delimiter: str) -> bool:
    widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
    return len(widths) == 1 and max(widths) > 1
