"""Layouts of text files that nobody has described: encoding and delimiter, by their first lines."""

from __future__ import annotations

import csv
from pathlib import Path

from nnctl.data.tables.layout import Layout
from nnctl.data.tables.text_files import BLOCK, TextFile
from nnctl.spec.noted import Noted

_LINES = 50
_DELIMITERS = (";", "\t", "|")
_MARKS = (b"\xff\xfe", b"\xfe\xff")
"""Marks at the begin of UTF-16 and UTF-32, by which the reader knows them."""


def layout_of(path: Path) -> tuple[Layout, dict[str, object]]:
    """(the layout of a text file, the fields of `table` that say it where it is not the usual one)."""
    head = TextFile(path).start()
    if head.startswith(_MARKS):
        return Layout(), {}
    encoding = "utf-8" if _is_utf8(head) else "cp1252"
    fields: dict[str, object] = {}
    if encoding != "utf-8":
        fields["encoding"] = Noted(encoding, "its bytes are no UTF-8; this is the likeliest other")
    delimiter = _delimiter_of(head.decode(encoding, errors="replace"), path)
    if delimiter is not None:
        fields["delimiter"] = Noted(delimiter, "every line has as many")
    return Layout(delimiter=delimiter, encoding=encoding), fields


def _is_utf8(head: bytes) -> bool:
    """True where bytes are UTF-8, the last character perhaps cut."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) >= BLOCK and error.start >= len(head) - 4
    return True


def _delimiter_of(text: str, path: Path) -> str | None:
    """The delimiter that divides all lines into equally many cells; None for the usual one."""
    usual = "\t" if ".tsv" in path.name.lower()[-8:] else ","
    lines = [line for line in text.splitlines()[:_LINES] if line.strip()]
    if not lines or lines[0].lower().lstrip('"').startswith("sep=") or _even(lines, usual):
        return None
    return next(
        (delimiter for delimiter in (*_DELIMITERS, ",") if delimiter != usual and _even(lines, delimiter)), None
    )


def _even(lines: list[str], delimiter: str) -> bool:
    widths = {len(row) for row in csv.reader(lines, delimiter=delimiter)}
    return len(widths) == 1 and max(widths) > 1
