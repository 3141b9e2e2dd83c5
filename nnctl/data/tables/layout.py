"""The layout of a table's file: what a reader is told of it."""

from __future__ import annotations

from pathlib import Path

from nnctl.late import dataclass

MISSING = ("", "?", "NA", "N/A", "NaN", "null", "None", "-")
"""Cells of a text that stand for nothing, in any case of letters, where a spec does not say others."""

COMMENT = "#"
"""The mark at the begin of a line of comment, most often."""


@dataclass(frozen=True)
class Layout:
    """The layout of a table.

    delimiter: between cells of a text file, by its ending if None; a blank stands for any run of blanks and tabs.
    header: whether its first row holds names; if None, it does where none of its cells is a number. encoding: of
    text. decimal: the decimal point. comment: what a line of comment begins with. missing: cells that stand for
    nothing; None for MISSING in texts and sheets, and null alone in files of typed columns. sheet: of a workbook, by
    name. as_text: names of columns that are read as they are written. notated: those of them whose texts are numbers;
    what a file has as a number is one already. left_out: names of columns that the spec ignores: where they hold what
    is no cell, as a list, nothing is read of it.
    """

    delimiter: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    comment: str | None = None
    missing: tuple[str, ...] | None = None
    sheet: str | None = None
    as_text: frozenset[str] = frozenset()
    notated: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def marks(self) -> frozenset[str]:
        """Marks of missing cells in a text, in the forms of letters that occur."""
        marks = MISSING if self.missing is None else self.missing
        return frozenset(form for mark in marks for form in (mark, mark.lower(), mark.upper(), mark.title()))

    def delimiter_of(self, path: Path) -> str:
        """The delimiter of a file, by its ending where none is said."""
        if self.delimiter is not None:
            return self.delimiter
        if ".tsv" in path.name.lower()[-8:]:
            return "\t"
        return ";" if self.decimal == "," else ","
