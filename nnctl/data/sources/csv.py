"""Tables of type csv: text files of comma-separated values and their like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import MaxLen, MinLen

from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register
from nnctl.data.examples import Description, Examples
from nnctl.data.source import Source
from nnctl.errors import DataError

if TYPE_CHECKING:
    from nnctl.data.tables.layout import Layout

Column = NonEmptyStr | int
"""A column by its name in the header, or by its number from 0; −1 is the last."""


@register("data", "csv")
class Csv(Source):
    """A table with one example a row; the columns that are no targets are inputs.

    A column of text is a set of categories, and so is one named in `categorical`: as an
    input it becomes one 0/1 column a category. The kind of a column is that of its first cell.
    """

    seeded = False
    example = "{type: csv, path: houses.csv, target: price, ignore: [id], validation: 0.2}"
    undecided_targets = True

    path: Annotated[NonEmptyStr, "the file, relative to the spec"]
    target: Annotated[
        Column | Annotated[tuple[Column, ...], MinLen(1)],
        "the column to predict, or several: a name of the header, or a number from 0, -1 being the last",
    ]
    header: Annotated[
        bool | None, "whether the first row holds names; if absent, it does when none of its cells is a number"
    ] = None
    delimiter: Annotated[
        Annotated[str, MinLen(1), MaxLen(1)] | None,
        "the one character between cells; a comma if absent, in .tsv files a tab",
    ] = None
    ignore: Annotated[tuple[Column, ...], "columns to leave out, such as an identifier"] = ()
    categorical: Annotated[tuple[Column, ...], "columns of numbers that are names of categories"] = ()

    def problems(self) -> Sequence[Problem]:
        """Columns with two roles."""
        targets = self.target if isinstance(self.target, tuple) else (self.target,)
        both = [str(column) for column in targets if column in self.ignore]
        return (Problem("ignore", f"column {both[0]} is the target and is ignored"),) if both else ()

    def describe(self, folder: Path) -> Description:
        """The description, from a full read: only that tells the classes and the categories."""
        return self.read(folder, 0).description

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs float32 (n, columns)."""
        from nnctl.data.formats.csv_table import Roles, read_table, to_examples
        from nnctl.data.paths import existing_file

        path = existing_file(self.path, folder)
        roles = Roles(
            targets=self.target if isinstance(self.target, tuple) else (self.target,),
            ignored=self.ignore,
            categorical=self.categorical,
            target_type=self.target_type,
        )
        delimiter = self.delimiter or ("\t" if path.suffix.lower() == ".tsv" else ",")
        return to_examples(read_table(path, delimiter, self.header, roles))

    @property
    def layout(self) -> Layout:
        """The layout of its files, as the spec says it."""
        from nnctl.data.tables.layout import Layout

        return Layout(delimiter=self.delimiter, header=self.header)

    def example_error(self, folder: Path, seed: int, index: int, column: str, message: str) -> DataError:
        """The error for a cell, with the line of its row."""
        from nnctl.data.paths import existing_file
        from nnctl.data.tables.reading import place_of

        return place_of(existing_file(self.path, folder), self.layout).cell_error(index, column, message)

    def where(self, folder: Path) -> str:
        """The file."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))
