"""Columns of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from nnctl.components.base import Column
from nnctl.components.encodings import Named
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.words import cut, key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.tables.cells import Cells


@register("column", "category")
class Category(Column):
    """A name among several: one input each, 1 for the cell's own and 0 for the others, or a trained vector.

    Categories are those of the training rows, in alphabetical order, two of them as any other number. Cells are
    compared as they are written. An unseen name that becomes other is 0 in every input where no training row is other,
    and so is a missing cell that is a category where no training row lacks it.
    """

    formula = "x_j = 1 if the cell is category j else 0"
    example = "{type: category, unseen: other, least: 20}"
    named: ClassVar[bool] = True

    unseen: Annotated[
        Literal["error", "other"],
        "what becomes of a name that the training rows do not have: a line of error, or other",
    ] = "error"
    least: Annotated[PositiveInt, "training rows that a category has at least; what is rarer becomes other"] = 1
    missing: Annotated[
        Literal["error", "category", "drop"],
        "what becomes of a missing cell: an error, a category of its own, or the example is left out of training",
    ] = "error"
    embedding: Annotated[
        PositiveInt | None,
        "numbers of a trained vector that stands for each category, in place of one input each; it begins as N(0, 1), "
        "or as U(±0.05) in the keras convention",
    ] = None

    def problems(self) -> Sequence[Problem]:
        """A vector that nothing trains."""
        if self.embedding is None or self.unseen == "error" or self.least > 1:
            return ()
        return (Problem("unseen", "no training row is other, and its vector would stay random", "say least: 2, too"),)

    @property
    def as_text(self) -> bool:
        """True: 007 is no 7."""
        return True

    @property
    def drops_missing(self) -> bool:
        """True where `missing` says so."""
        return self.missing == "drop"

    def absent(self, cells: Cells) -> NDArray[np.bool_]:
        """A mask of the missing cells."""
        import numpy as np

        return np.asarray(cells.codes()[0] < 0)

    def fit(self, cells: Cells) -> Mapping[str, Any]:
        """categories: names in alphabetical order. rare: names that become other. gaps: whether cells are missing."""
        import numpy as np

        codes, names = cells.codes()
        counts = np.bincount(codes[codes >= 0], minlength=len(names))
        found = {name: count for name, count in zip(names, counts.tolist()) if count}
        return {
            "categories": sorted(name for name, count in found.items() if count >= self.least),
            "rare": sorted(name for name, count in found.items() if count < self.least),
            "gaps": bool((codes < 0).any()),
        }

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """One a category, then that of others, then that of missing cells; of an embedding the one index."""
        if self.embedding is not None:
            return (name,)
        known = [f"{name}={category}" for category in fitted["categories"]]
        return (*known, *(f"{name} {special}" for special in self._special(fitted)))

    def embedded(self, fitted: Mapping[str, Any]) -> tuple[tuple[str, ...], int] | None:
        """The categories, then others, then missing cells."""
        if self.embedding is None:
            return None
        return (*fitted["categories"], *self._special(fitted)), self.embedding

    def encode(self, cells: Cells, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """Rows of 0 with a 1 at the category; of an embedding its index."""
        import numpy as np

        codes, names = cells.codes()
        places, unseen, missing, width = self._places(fitted)
        # The last of these is at −1, the code of a missing cell.
        columns = np.array([*(places.get(name, unseen) for name in names), missing], dtype=np.int64)[codes]
        if (columns < 0).any():
            index = int(np.argmax(columns < 0))
            if codes[index] < 0:
                raise cells.missing(index, f"{key(cells.name)}: {{type: category, missing: category}}")
            message = f"{cut(names[codes[index]])!r} is no category of the training rows"
            hint = f"under data.columns, say {key(cells.name)}: {{type: category, unseen: other}}"
            raise cells.error(index, message, "", hint)
        if self.embedding is not None:
            if width <= columns.max(initial=-1):
                index = int(np.argmax(columns == width))
                message = (
                    f"{cut(names[codes[index]])!r} is no category of the training rows, and none of those is other"
                )
                hint = f"under data.columns, give {cells.name} a higher least: its rare categories then train other"
                raise cells.error(index, message, "", hint)
            return columns.astype(np.float32)[:, None]
        encoded = np.zeros((len(codes), width + 1), dtype=np.float32)
        encoded[np.arange(len(codes)), columns] = 1.0
        return encoded[:, :width]

    def encoding(self, fitted: Mapping[str, Any]) -> Named:
        """The same of a name; of an embedding, what has no vector is refused."""
        places, unseen, missing, width = self._places(fitted)
        known = {name: float(place) for name, place in places.items() if self.embedding is None or place < width}

        def number(place: int) -> float | None:
            return None if place < 0 or (self.embedding is not None and place >= width) else float(place)

        return Named(known, number(unseen), number(missing), width if self.embedding is None else None)

    def constant(self, fitted: Mapping[str, Any]) -> bool:
        """True where all have one name."""
        return len(fitted["categories"]) + bool(fitted["rare"]) == 1 and self.missing != "category"

    def amounts(self, cells: Cells) -> NDArray[np.float64]:
        """Nothing: raises DataError, for names are no numbers."""
        message = f"column {cut(cells.name)!r} is a category, and a number is needed"
        raise cells.error(0, message, "", f"under data.columns, say {key(cells.name)}: number")

    def _places(self, fitted: Mapping[str, Any]) -> tuple[dict[str, int], int, int, int]:
        """(the input of each name, of an unseen and of a missing one, −1 where it is refused; the number of inputs)."""
        special = self._special(fitted)
        places = {category: index for index, category in enumerate(fitted["categories"])}
        width = len(places) + len(special)
        # Beyond the last place is nowhere: 0 in every input.
        other = len(places) if "is another" in special else width
        places |= dict.fromkeys(fitted["rare"], other)
        unseen = other if self.unseen == "other" else -1
        missing = -1
        if self.missing == "category":
            missing = width - 1 if "is missing" in special else width
        return places, unseen, missing, width

    def _special(self, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """Names of the rows beside the categories: inputs that training rows have, vectors whether or not."""
        missing = self.missing == "category" and (fitted["gaps"] or self.embedding is not None)
        return (*(("is another",) if fitted["rare"] else ()), *(("is missing",) if missing else ()))
