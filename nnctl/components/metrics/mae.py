"""The mean absolute error."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import Array, MeanMetric, Namespace
from nnctl.components.builder import Builder
from nnctl.components.metrics.targets import mean_of_units, values
from nnctl.components.registry import register


@register("metric", "mae")
class MeanAbsoluteErrorMetric(MeanMetric):
    """The absolute error, averaged over the output units."""

    formula = "1/K Σ |y_j − a_j|"
    higher_is_better = False

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.abs(a - y)

        return mean_of_units(builder, builder.formula("absolute_error", error, output, values(builder, output, target)))
