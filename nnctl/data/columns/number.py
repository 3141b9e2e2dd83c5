"""Columns of numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from annotated_types import MaxLen, MinLen

from nnctl.components.base import Column
from nnctl.components.encodings import Scaled
from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register
from nnctl.data.words import key

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.tables.cells import Cells
    from nnctl.data.tables.numerals import Notation

_Character = Annotated[str, MinLen(1), MaxLen(1)]


@register("column", "number")
class Number(Column):
    """A number: an amount, a count, a measurement.

    Statistics and scaling are computed in double precision, and the scaled number is rounded to single
    precision: seconds since 1970 keep their seconds. A column that never varies becomes 0.
    """

    formula = "x = (cell − μ)/σ"
    example = "{type: number, missing: median}"
    notated: ClassVar[bool] = True

    decimal: Annotated[
        _Character | None, "the decimal point; the table's if absent, and a comma where thousands are set off by points"
    ] = None
    thousands: Annotated[
        _Character | None, "what stands between groups of digits, as in 1,234,567; a blank is any blank; none if absent"
    ] = None
    unit: Annotated[
        NonEmptyStr | None,
        "what stands before or behind the numbers, as $ or kg, and may be left out; % divides by 100 and stands in "
        "every cell",
    ] = None
    missing: Annotated[
        Literal["error", "median", "mean", "drop"] | float,
        "what stands for a missing number: a statistic of the training rows, or a number; drop leaves the example out "
        "of training",
    ] = "error"
    flag: Annotated[bool, "one more input, 1 where the number is missing and else 0"] = False
    scale: Annotated[
        Literal["standardize", "min_max", "none"],
        "by statistics of the training rows: mean 0 and standard deviation 1, or from 0 to 1, or as it is",
    ] = "standardize"

    def problems(self) -> Sequence[Problem]:
        """Marks that could not be told apart, and a flag that is never up."""
        found = []
        for name, mark in (("decimal", self.decimal), ("thousands", self.thousands)):
            if mark is not None and (mark.isalnum() or mark in "+-\u2212()"):
                found.append(Problem(name, f"{mark!r} is part of numbers", "as in 1,234.5 or 1.234,5"))
        if self.thousands is not None and self.thousands == self.decimal:
            found.append(Problem("thousands", "it is the decimal point, too", "one of the two is another character"))
        if self.unit is not None and any(character.isdigit() for character in self.unit):
            found.append(Problem("unit", f"{self.unit!r} has a digit, and numbers have them", "a unit has none"))
        if self.flag and self.missing in ("error", "drop"):
            found.append(
                Problem("flag", f"no number is missing where missing is {self.missing}", "say missing: median, too")
            )
        return found

    @property
    def as_text(self) -> bool:
        """True where the numbers are written in a way of their own."""
        return any(mark is not None for mark in (self.decimal, self.thousands, self.unit))

    @property
    def drops_missing(self) -> bool:
        """True where `missing` says so."""
        return self.missing == "drop"

    def in_table(self, decimal: str) -> Self:
        """The same with the table's decimal point, unless thousands take it."""
        if self.decimal is not None or not self.as_text:
            return self
        if decimal == self.thousands:
            decimal = "," if self.thousands == "." else "."
        return replace(self, decimal=decimal)

    def absent(self, cells: Cells) -> NDArray[np.bool_]:
        """A mask of the missing cells."""
        import numpy as np

        return np.isnan(self.amounts(cells))

    def amounts(self, cells: Cells) -> NDArray[np.float64]:
        """The numbers."""
        return self._notation.numbers(cells) if self.as_text else cells.numbers()

    def fit(self, cells: Cells) -> Mapping[str, Any]:
        """fill: for missing numbers, or None. shift, scale: in (x − shift)·scale."""
        import numpy as np

        values = self.amounts(cells)
        present = values[np.isfinite(values)]
        fill = self._fill(cells, present)
        if fill is not None:
            present = np.where(np.isnan(values), fill, values)
            present = present[np.isfinite(present)]
        shift, scale = 0.0, 1.0
        if self.scale != "none" and len(present):
            shift, scale = standard(present) if self.scale == "standardize" else _range(present)
        return {"fill": fill, "shift": shift, "scale": scale}

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """The number, then its flag."""
        return (name, f"{name} is missing") if self.flag else (name,)

    def encode(self, cells: Cells, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """(x − shift)·scale in float64, rounded; the flag behind it."""
        import numpy as np

        values = self.amounts(cells)
        missing = np.isnan(values)
        if fitted["fill"] is not None:
            values = np.where(missing, fitted["fill"], values)
        elif missing.any():
            raise cells.missing(int(np.argmax(missing)), f"{key(cells.name)}: {{type: number, missing: median}}")
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (values - fitted["shift"]) * fitted["scale"]
        fits = np.abs(scaled) <= np.finfo(np.float32).max
        if not fits.all():
            index = int(np.argmax(~fits))
            raise cells.error(index, f"{values[index]:g} does not fit single precision", "a smaller magnitude")
        return np.stack([scaled, missing], axis=1).astype(np.float32)[:, : 2 if self.flag else 1]

    def encoding(self, fitted: Mapping[str, Any]) -> Scaled:
        """The same of a number."""
        return Scaled(fitted["shift"], fitted["scale"], fitted["fill"], self.flag)

    def constant(self, fitted: Mapping[str, Any]) -> bool:
        """True where there is nothing to scale by."""
        return bool(fitted["scale"] == 0.0) and not self.flag

    @property
    def _notation(self) -> Notation:
        from nnctl.data.tables.numerals import Notation

        return Notation(self.decimal or ".", self.thousands, self.unit)

    def _fill(self, cells: Cells, present: NDArray[np.float64]) -> float | None:
        """The number that stands for missing ones."""
        import numpy as np

        if isinstance(self.missing, float | int):
            return float(self.missing)
        if self.missing not in ("median", "mean"):
            return None
        if not len(present):
            raise cells.error(0, f"no training row has a number in column {cells.name!r}: there is no {self.missing}")
        return float(np.median(present) if self.missing == "median" else _mean(present))


def standard(values: NDArray[np.float64]) -> tuple[float, float]:
    """(μ, 1/σ) of numbers (n,), n at least 1, σ of the population; (x, 0) where all are x."""
    low = float(values.min())
    # Of a column that never varies the rounded mean may differ from it.
    if low == values.max():
        return low, 0.0
    size = _size(values)
    return _mean(values), 1.0 / float((values / size).std()) / size


def _range(values: NDArray[np.float64]) -> tuple[float, float]:
    """(least, 1/(greatest − least)); (x, 0) where all are x."""
    low, high = float(values.min()), float(values.max())
    return low, 0.0 if low == high else 1.0 / (high - low)


def _mean(values: NDArray[np.float64]) -> float:
    size = _size(values)
    return size * float((values / size).mean())


def _size(values: NDArray[np.float64]) -> float:
    """A power of two near the largest magnitude: what is divided by it has sums and squares that are finite."""
    exponent = math.frexp(float(abs(values).max()))[1]
    return math.ldexp(1.0, max(-1000, min(exponent, 1000)))
