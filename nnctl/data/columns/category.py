"""Columns of names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from nnctl.components.base import Column
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register
from nnctl.data.words import cut

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.tables.cells import Cells


@register("column", "category")
class Category(Column):
    """A name among several: one input each, 1 for the cell's own and 0 for the others.

    Categories are those of the training rows, in alphabetical order. Cells are compared as they are written.
    """

    example = "{type: category, unseen: other, least: 20}"

    unseen: Annotated[
        Literal["error", "other"],
        "what becomes of a name that the training rows do not have: a line of error, or other",
    ] = "error"
    least: Annotated[PositiveInt, "training rows that a category has at least; what is rarer becomes other"] = 1
    missing: Annotated[
        Literal["error", "category", "drop"],
        "what becomes of a missing cell: an error, a category of its own, or the example is left out of training",
    ] = "error"

    @property
    def as_text(self) -> bool:
        """True: 007 is no 7."""
        return True

    @property
    def drops_missing(self) -> bool:
        """True where `missing` says so."""
        return self.missing == "drop"

    def fit(self, cells: Cells) -> Mapping[str, Any]:
        """categories: names in alphabetical order. rare: names that become other."""
        import numpy as np

        codes, names = cells.codes()
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        found = {name: count for name, count in zip(names, counts.tolist()) if count}
        return {
            "categories": sorted(name for name, count in found.items() if count >= self.least),
            "rare": sorted(name for name, count in found.items() if count < self.least),
        }

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """One a category, then that of others, then that of missing cells."""
        known = [f"{name}={category}" for category in fitted["categories"]]
        known += [f"{name} is another"] if self._has_other(fitted) else []
        return (*known, *([f"{name} is missing"] if self.missing == "category" else []))

    def encode(self, cells: Cells, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """Rows of 0 with a 1 at the category."""
        import numpy as np

        codes, names = cells.codes()
        width = len(self.features("", fitted))
        places = {category: index for index, category in enumerate(fitted["categories"])}
        other = len(places)
        places |= dict.fromkeys(fitted["rare"], other)
        unseen = other if self.unseen == "other" else -1
        missing = width - 1 if self.missing == "category" else -1
        # The last of these is at −1, the code of a missing cell.
        columns = np.array([*(places.get(name, unseen) for name in names), missing], dtype=np.int64)[codes]
        if (columns < 0).any():
            index = int(np.argmax(columns < 0))
            if codes[index] < 0:
                raise cells.missing(index, "missing: category")
            message = f"{cut(names[codes[index]])!r} is no category of the training rows"
            hint = f"say {cells.name}: {{type: category, unseen: other}} under data.columns"
            raise cells.error(index, message, "", hint)
        encoded = np.zeros((len(codes), width), dtype=np.float32)
        encoded[np.arange(len(codes)), columns] = 1.0
        return encoded

    def _has_other(self, fitted: Mapping[str, Any]) -> bool:
        return self.unseen == "other" or bool(fitted["rare"])
