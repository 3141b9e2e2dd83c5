"""Rescalings of the inputs, from the statistics of the training set.

Each is an affine map a feature, so that any sequence of them is one shift and
one scale, kept with the net and applied to each batch where it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from nnctl.components.base import Transform
from nnctl.components.registry import Problem, register
from nnctl.late import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class AffineTransform(Transform):
    """x ← (x − shift)·scale with statistics of each feature, or of all together."""

    per: Annotated[
        Literal["feature", "dataset"], "statistics of each feature (pixel, column) apart, or of all numbers together"
    ] = "feature"

    @property
    def per_feature(self) -> bool:
        """True where shift and scale have the shape of one input."""
        return self.per == "feature"

    def affine(self, statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(shift, scale), scale positive, from per-feature statistics of the data as it reaches this transform."""
        return self.rescale(statistics if self.per_feature else statistics.pooled())

    def rescale(self, statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(shift, scale) in the shape of `statistics`."""
        raise NotImplementedError


@register("transform", "standardize")
class Standardize(AffineTransform):
    """(x − μ)/σ. A feature that never varies keeps its scale and becomes 0."""

    formula = "x ← (x − μ)/σ"
    example = "{type: standardize, per: feature}"

    def rescale(self, statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """μ and 1/σ."""
        return statistics.mean, _reciprocal(statistics.std)


@register("transform", "min_max")
class MinMax(AffineTransform):
    """Least to `low`, greatest to `high`. A feature that never varies becomes `low`."""

    formula = "x ← low + (x − min)·(high − low)/(max − min)"
    example = "{type: min_max, per: feature}"

    low: Annotated[float, "what the least becomes"] = 0.0
    high: Annotated[float, "what the greatest becomes; above low"] = 1.0

    def problems(self) -> Sequence[Problem]:
        """Bounds that are not in order."""
        if self.low < self.high:
            return ()
        return (Problem("low", f"low is {self.low:g} and high is {self.high:g}", "low must be below high"),)

    def rescale(self, statistics: Statistics) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """low + (x − min)·(high − low)/(max − min), as one shift and one scale."""
        scale = _reciprocal((statistics.maximum - statistics.minimum) / (self.high - self.low))
        return statistics.minimum - self.low / scale, scale


def _reciprocal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1/x, and 1 where x is 0."""
    import numpy as np

    return np.asarray(1.0 / np.where(x == 0.0, 1.0, x))
