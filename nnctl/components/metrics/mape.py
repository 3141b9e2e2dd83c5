"""The error as a share of the target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnctl.components.metrics.regression import OfNumbers
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics


@register("metric", "mape")
class MeanAbsolutePercentageError(OfNumbers):
    """The absolute error as a share of the target, the mean over examples and outputs: 0.1 is ten percent.

    As `mean_absolute_percentage_error` of scikit-learn: a target of 0 counts as 2⁻⁵², which
    makes an error there enormous.
    """

    formula = "1/nK Σ |y − a| / max(|y|, ε)"
    higher_is_better = False

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(lambda totals: float((totals["shares"] / totals["count"]).mean()), _shares)


def _shares(statistics: Statistics) -> Statistics:
    import numpy as np

    size = np.maximum(np.abs(statistics["targets"]), np.finfo(np.float64).eps)
    shares = np.abs(statistics["targets"] - statistics["outputs"]) / size
    return {"shares": shares, "count": np.ones(len(shares))}
