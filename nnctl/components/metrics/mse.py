"""The mean squared error."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import Array, MeanMetric, Namespace
from nnctl.components.builder import Builder
from nnctl.components.metrics.targets import mean_of_units, values
from nnctl.components.registry import register


@register("metric", "mse")
class MeanSquaredErrorMetric(MeanMetric):
    """The squared error, averaged over the output units."""

    formula = "1/K Σ (y_j − a_j)²"
    higher_is_better = False

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.square(a - y)

        return mean_of_units(builder, builder.formula("squared_error", error, output, values(builder, output, target)))
