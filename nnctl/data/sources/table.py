"""Tables as they come: columns of numbers, names and dates, in files of many kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    """A table with one example a row: csv, tsv, parquet, feather, packed or not.

    What a column is, a number or a name, is decided over all of its cells, unless `columns` says it. What the columns
    teach (means, categories, what stands for missing cells) comes from training rows alone and is kept with the
    net: columns of another table are found by name.
    """

    example = "{type: table, path: houses.csv, target: price, columns: {id: ignore}, validation: 0.2}"
    of_files = (".csv", ".tsv", ".parquet", ".feather")

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
        Annotated[str, MinLen(1), MaxLen(1)] | None, "between the cells of a text; a comma if absent, in .tsv a tab"
    ] = None
    encoding: Annotated[NonEmptyStr, "of a text, as Python names it: utf-8, latin-1, utf-16"] = "utf-8"
    decimal: Annotated[Annotated[str, MinLen(1), MaxLen(1)], "the decimal point of a text's numbers"] = "."
    in_memory: InMemory = None
    missing_values: Annotated[
        tuple[str, ...] | None, "cells that stand for nothing; if absent, empty ones, ?, NA, N/A, NaN, null, None and -"
    ] = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target columns."""
        return self.target if isinstance(self.target, tuple) else (self.target,)

    def problems(self) -> Sequence[Problem]:
        """Targets that are left out."""
        both = [name for name in self.targets if name in self.columns and not self.columns[name].used]
        return (Problem("columns", f"column {both[0]} is the target and is ignored"),) if both else ()

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
        from nnctl.data.tables.layout import MISSING, Layout

        return Layout(
            delimiter=self.delimiter,
            header=self.header,
            encoding=self.encoding,
            decimal=self.decimal,
            missing=MISSING if self.missing_values is None else self.missing_values,
            as_text=frozenset(name for name, column in self.columns.items() if column.as_text),
        )

    def where(self, folder: Path) -> str:
        """The file."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))
