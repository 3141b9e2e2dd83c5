"""The layout of a table's file: what a reader is told of it."""

from __future__ import annotations

from dataclasses import dataclass

MISSING = ("", "?", "NA", "N/A", "NaN", "null", "None", "-")
"""Cells that stand for nothing, in any case of letters, where a spec does not say others."""


@dataclass(frozen=True)
class Layout:
    """The layout of a table.

    delimiter: between cells of a text file, by its ending if None. header: whether its first row holds names; if None,
    it does where none of its cells is a number. encoding: of text. decimal: the decimal point. missing: cells that
    stand for nothing. as_text: names of columns that are read as they are written.
    """

    delimiter: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    missing: tuple[str, ...] = MISSING
    as_text: frozenset[str] = frozenset()
