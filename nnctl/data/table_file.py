"""Fields of specs that say how a table's file is laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MaxLen, MinLen

from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem
from nnctl.late import dataclass

if TYPE_CHECKING:
    from nnctl.data.tables.layout import Layout


@dataclass(frozen=True, kw_only=True)
class TableFile:
    """The layout of a table's file, as a spec says it."""

    header: Annotated[
        bool | None, "whether the first row holds names; if absent, it does when none of its cells is a number"
    ] = None
    delimiter: Annotated[
        Annotated[str, MinLen(1), MaxLen(1)] | None,
        "between the cells of a text, a blank for runs of blanks; if absent, what its line sep=; says, in .tsv a tab, "
        "a semicolon where `decimal` is a comma, and else a comma",
    ] = None
    encoding: Annotated[
        NonEmptyStr, "of a text, as Python names it: utf-8, latin-1, cp1252; UTF-16 and UTF-32 are known by their mark"
    ] = "utf-8"
    decimal: Annotated[Literal[".", ","], "the decimal point of a text's numbers"] = "."
    comment: Annotated[NonEmptyStr | None, "what lines of a text that are no rows begin with, such as #"] = None
    sheet: Annotated[NonEmptyStr | None, "of a workbook, by name; needed where there are several"] = None
    missing_values: Annotated[
        tuple[str | int | float, ...] | None,
        "cells that stand for nothing, also numbers, such as -999; if absent, empty ones, ?, NA, N/A, NaN, null, None "
        "and -, in texts and sheets",
    ] = None

    @property
    def texts(self) -> frozenset[str]:
        """Names of the columns that are read as they are written."""
        return frozenset()

    @property
    def notated(self) -> frozenset[str]:
        """Names of those among `texts` whose cells are numbers, written in a way of their own."""
        return frozenset()

    @property
    def left_out(self) -> frozenset[str]:
        """Names of the columns that are left out."""
        return frozenset()

    @property
    def layout(self) -> Layout:
        """The layout, as a reader is told it."""
        from nnctl.data.tables.layout import Layout

        return Layout(
            delimiter=self.delimiter,
            header=self.header,
            encoding=self.encoding,
            decimal=self.decimal,
            comment=self.comment,
            sheet=self.sheet,
            missing=None if self.missing_values is None else tuple(map(str, self.missing_values)),
            as_text=self.texts,
            notated=self.notated,
            left_out=self.left_out,
        )

    def text_problems(self) -> list[Problem]:
        """Ways to read a text that there are not."""
        problems = []
        if not _is_encoding(self.encoding):
            problems.append(
                Problem(
                    "encoding",
                    f"there is no encoding {self.encoding!r}",
                    "it is one of Python's: utf-8, latin-1, cp1252, utf-16",
                )
            )
        if self.delimiter is not None and self.delimiter == self.decimal:
            problems.append(Problem("delimiter", f"the decimal point is {self.decimal!r}, too", "say delimiter: ';'"))
        if self.delimiter is not None and (self.delimiter in '"\r\n\0' or not self.delimiter.isascii()):
            problems.append(Problem("delimiter", f"{self.delimiter!r} cannot be between cells", "say delimiter: ';'"))
        return problems


def _is_encoding(name: str) -> bool:
    """True where Python has a codec of this name for text."""
    try:
        "a".encode(name)
    except (LookupError, ValueError):
        return False
    return True
