"""Tables as they come: columns of numbers, names and dates, in files of many kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MaxLen, MinLen

from nnctl.components.base import Column
from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register
from nnctl.components.signature import DataSignature
from nnctl.data.source import BALANCED, Description, Examples, IgnoringSource, InMemory

if TYPE_CHECKING:
    from nnctl.data.tables.layout import Layout


@register("data", "table")
class TableSource(IgnoringSource):
    """A table with one example a row: csv, tsv, txt, jsonl (packed or not), parquet, feather, arrow, xlsx, ods.

    What a column is, a number or a name, is decided over all of its cells, unless `columns` says it. What the columns
    teach (means, categories, what stands for missing cells) comes from training rows alone and is kept with the
    net: columns of another table are found by name.
    """

    example = "{type: table, path: houses.csv, target: price, columns: {id: ignore}, validation: 0.2}"
    of_files = (".csv", ".tsv", ".jsonl", ".parquet", ".feather", ".xlsx")

    undecided_targets = True
    weighs_rows = True

    path: Annotated[NonEmptyStr, "the file, relative to the spec"]
    target: Annotated[
        NonEmptyStr | Annotated[tuple[NonEmptyStr, ...], MinLen(1)], "the column to predict, by name, or several"
    ]
    columns: Annotated[
        dict[str, Column], "name: what the column is; those not listed are numbers or categories, as their cells are"
    ] = field(default_factory=dict)
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
    in_memory: InMemory = None
    missing_values: Annotated[
        tuple[str | int | float, ...] | None,
        "cells that stand for nothing, also numbers, such as -999; if absent, empty ones, ?, NA, N/A, NaN, null, None "
        "and -, in texts and sheets",
    ] = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target columns."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    def problems(self) -> Sequence[Problem]:
        """Targets that are left out, encodings that there are not, and delimiters that cannot be told apart."""
        problems = []
        both = [name for name in self.targets if name in self.columns and not self.columns[name].used]
        if both:
            problems.append(Problem("columns", f"column {both[0]} is the target and is ignored"))
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

    def signature(self, folder: Path, seed: int = 0) -> DataSignature:
        """The signature, from a full read: only the training rows tell the categories."""
        from nnctl.data.dataset import load_dataset

        return load_dataset(self, folder, seed).signature

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs that are fitted to the training rows; labels or values."""
        from nnctl.data.paths import existing_file
        from nnctl.data.tables.encoding import TableInputs
        from nnctl.data.tables.kinds import columns_of
        from nnctl.data.tables.reading import open_table
        from nnctl.data.tables.targets import targets_of, weights_of

        path = existing_file(self.path, folder)
        table = open_table(path, self.layout, self.in_memory)
        weight = () if self.weights is None or self.weights == BALANCED else (self.weights,)
        kinds = columns_of(table, self.columns, (*self.targets, *weight))
        targets, classes = targets_of(table, self.targets, self.target_type)
        description = Description((), classes=classes, target_shape=targets.shape[1:], examples=len(table))
        weights = weights_of(table, weight[0]) if weight else None
        return Examples(description, TableInputs(table, kinds, self.targets, description), targets, weights=weights)

    @property
    def layout(self) -> Layout:
        """The layout of its files, as the spec says it."""
        from nnctl.data.tables.layout import Layout

        return Layout(
            delimiter=self.delimiter,
            header=self.header,
            encoding=self.encoding,
            decimal=self.decimal,
            comment=self.comment,
            sheet=self.sheet,
            missing=None if self.missing_values is None else tuple(map(str, self.missing_values)),
            as_text=frozenset(name for name, column in self.columns.items() if column.as_text),
        )

    def where(self, folder: Path) -> str:
        """The file."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))


def _is_encoding(name: str) -> bool:
    """True where Python has a codec of this name for text."""
    try:
        return isinstance(b"".decode(name), str)
    except (LookupError, ValueError):
        return False
