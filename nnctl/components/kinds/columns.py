"""The kind that says what a column of a table is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from nnctl.components.encodings import Encoding
from nnctl.components.registry import Component


class Column(Component):
    """A column of a table: what its cells mean, and the numbers that they become.

    `used`: whether it takes part. `as_text`: whether its cells are read as they are written, for their digits
    are no number, or not written as numbers are by default. What `fit` finds in training rows is plain data,
    `fitted`, which checkpoints keep; `encode` needs nothing else. Cells are `nnctl.data.tables.cells.Cells`.
    """

    kind: ClassVar[str] = "column"
    used: ClassVar[bool] = True
    named: ClassVar[bool] = False
    """True where cells are names: as a target its column is labels."""

    notated: ClassVar[bool] = False
    """True where cells that are read as texts are numbers, so that what a file has as a number is one already."""

    @property
    def as_text(self) -> bool:
        """True where the cells are to be read as texts, whatever they look like."""
        return False

    @property
    def drops_missing(self) -> bool:
        """True where an example whose cell is missing takes no part in training."""
        return False

    def in_table(self, decimal: str) -> Self:
        """The same in a table with this decimal point, where the column says none."""
        return self

    def absent(self, cells: Any) -> Any:
        """A mask of the missing cells, bool (n,)."""
        raise NotImplementedError

    def fit(self, cells: Any) -> Mapping[str, Any]:
        """Statistics, categories and fills of the training rows' cells, as plain data. Raises DataError."""
        raise NotImplementedError

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the inputs that the column becomes, one a number."""
        raise NotImplementedError

    def encode(self, cells: Any, fitted: Mapping[str, Any]) -> Any:
        """The inputs of any rows' cells, float32 (n, features). Raises DataError, naming line and column."""
        raise NotImplementedError

    def encoding(self, fitted: Mapping[str, Any]) -> Encoding | None:
        """The rule of `encode` as data, which exported files follow: of numbers as `amounts` gives them, or of texts.

        None where it cannot be said so: files are then given the inputs as `encode` makes them.
        """
        return None

    def embedded(self, fitted: Mapping[str, Any]) -> tuple[tuple[str, ...], int] | None:
        """(names of the rows, length of a row) of the table of trained vectors that its one input is an index of.

        None where its inputs are numbers.
        """
        return None

    def constant(self, fitted: Mapping[str, Any]) -> bool:
        """True where it is known that its inputs are the same for every training row."""
        return False

    def amounts(self, cells: Any) -> Any:
        """The cells as values to learn or to order by, float64 (n,), NaN where one is missing. Raises DataError."""
        raise NotImplementedError
