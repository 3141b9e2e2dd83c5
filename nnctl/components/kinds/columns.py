"""The kind that says what a column of a table is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from nnctl.components.registry import Component


class Column(Component):
    """A column of a table: what its cells mean, and the numbers that they become.

    `used`: whether it takes part. `as_text`: whether its cells are read as they are written, for their digits
    are no number, or not written as numbers are by default. What `fit` learns of training rows is plain data,
    which checkpoints keep; `encode` needs nothing else.
    """

    kind: ClassVar[str] = "column"
    used: ClassVar[bool] = True

    @property
    def as_text(self) -> bool:
        """True where the cells are to be read as texts, whatever they look like."""
        return False

    @property
    def drops_missing(self) -> bool:
        """True where an example whose cell is missing takes no part in training."""
        return False

    def fit(self, cells: Any) -> Mapping[str, Any]:
        """The lesson of the training rows' `nnctl.data.tables.cells.Cells`, as plain data. Raises DataError."""
        raise NotImplementedError

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the inputs that the column becomes, one a number."""
        raise NotImplementedError

    def encode(self, cells: Any, fitted: Mapping[str, Any]) -> Any:
        """The inputs of any rows' cells, float32 (n, features). Raises DataError, naming line and column."""
        raise NotImplementedError
