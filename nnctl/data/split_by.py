"""Fields of specs that say by which column a table is split."""

from __future__ import annotations

from typing import Annotated

from nnctl.components.fields import NonEmptyStr
from nnctl.late import dataclass


@dataclass(frozen=True, kw_only=True)
class SplitBy:
    """Split as a column says; the column is an input only where `columns` names it."""

    by: Annotated[
        NonEmptyStr | None,
        "a column whose equal cells, as a customer's rows, never stand on two sides; sizes are then as near as groups "
        "allow, and groups are drawn in proportion to the classes that most of their rows have",
    ] = None
    column: Annotated[
        NonEmptyStr | None, "a column that says of each row train, validation or test; or its fold, from 0, for `fold`"
    ] = None
    time: Annotated[
        NonEmptyStr | None,
        "a column of dates or numbers whose later rows are held out, the latest for the test; equal times stay on one "
        "side",
    ] = None

    @property
    def name(self) -> str | None:
        """The column's name; None where it is not one that is said."""
        said = [name for name in (self.by, self.column, self.time) if name is not None]
        return said[0] if len(said) == 1 else None
