"""The root of the mean squared error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnctl.components.base import Metric
from nnctl.components.builder import Builder
from nnctl.components.metrics.targets import rows, values
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics


@register("metric", "rmse")
class RootMeanSquaredError(Metric):
    """The root of the mean squared error of each output, the mean over the outputs: in the targets' own unit.

    Of sequences each step counts as an example. As `root_mean_squared_error` of scikit-learn.
    """

    formula = "1/K Σ_j √(1/n Σ (y_j − a_j)²)"
    higher_is_better = False

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        return {"outputs": rows(builder, output), "targets": rows(builder, values(builder, output, target))}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(_root, _squares)


def _squares(statistics: Statistics) -> Statistics:
    import numpy as np

    error = statistics["outputs"] - statistics["targets"]
    return {"squares": error**2, "count": np.ones(len(error))}


def _root(totals: Statistics) -> float:
    return float(((totals["squares"] / totals["count"]) ** 0.5).mean())
