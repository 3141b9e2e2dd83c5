"""Columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from nnctl.components.base import Column
from nnctl.components.registry import register

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.tables.cells import Cells


@register("column", "number")
class Number(Column):
    """A number: an amount, a count, a measurement.

    Statistics and scaling are computed in double precision, and the scaled number is rounded to single
    precision: seconds since 1970 keep their seconds.
    """

    example = "{type: number, missing: median}"

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

    @property
    def drops_missing(self) -> bool:
        """True where `missing` says so."""
        return self.missing == "drop"

    def fit(self, cells: Cells) -> Mapping[str, Any]:
        """fill: for missing numbers, or None. shift, scale: in (x − shift)·scale."""
        import numpy as np

        values = cells.numbers()
        present = values[np.isfinite(values)]
        fill = self._fill(present)
        if fill is not None:
            present = np.where(np.isnan(values), fill, values)
        shift, scale = 0.0, 1.0
        if self.scale != "none" and len(present):
            low, high = float(present.min()), float(present.max())
            # Of a column that never varies the rounded mean may differ from it.
            mean, spread = (low, 0.0) if low == high else (float(present.mean()), float(present.std()))
            shift, spread = (mean, spread) if self.scale == "standardize" else (low, high - low)
            scale = 1.0 / spread if spread else 1.0
        return {"fill": fill, "shift": shift, "scale": scale}

    def features(self, name: str, fitted: Mapping[str, Any]) -> tuple[str, ...]:
        """The number, then its flag."""
        return (name, f"{name} is missing") if self.flag else (name,)

    def encode(self, cells: Cells, fitted: Mapping[str, Any]) -> NDArray[np.float32]:
        """(x − shift)·scale in float64, rounded; the flag behind it."""
        import numpy as np

        values = cells.numbers()
        missing = np.isnan(values)
        if fitted["fill"] is not None:
            values = np.where(missing, fitted["fill"], values)
        elif missing.any():
            raise cells.missing(int(np.argmax(missing)), "missing: median, or another of `nnctl explain number`")
        scaled = (values - fitted["shift"]) * fitted["scale"]
        if not np.all(np.abs(scaled) <= np.finfo(np.float32).max):
            index = int(np.argmax(~(np.abs(scaled) <= np.finfo(np.float32).max)))
            raise cells.error(index, f"{values[index]:g} does not fit single precision", "a smaller magnitude")
        return np.stack([scaled, missing], axis=1).astype(np.float32)[:, : 2 if self.flag else 1]

    def _fill(self, present: NDArray[np.float64]) -> float | None:
        """The number that stands for missing ones."""
        import numpy as np

        if isinstance(self.missing, float | int):
            return float(self.missing)
        if self.missing in ("median", "mean") and len(present):
            return float(np.median(present) if self.missing == "median" else present.mean())
        return None
