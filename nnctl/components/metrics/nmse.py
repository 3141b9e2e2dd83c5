"""The squared error against the variance of an example's targets."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import Array, MeanMetric, Namespace
from nnctl.components.builder import Builder
from nnctl.components.metrics.targets import labelled
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("metric", "nmse")
class NormalizedMeanSquaredError(MeanMetric):
    """The squared error of an example over the variance of its targets: 0 is perfect, 1 is answering their mean.

    For sequences, whose targets vary within an example; its root is the NRMSE of the literature.
    """

    formula = "Σ (y_j − a_j)² / Σ (y_j − ȳ)²"
    higher_is_better = False

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        if labelled(output, target) or len(target.shape) < 3:
            raise ShapeError("nmse needs targets that are sequences of values", "use mse", path="metrics")
        axes = tuple(range(1, len(target.shape)))
        center = builder.apply("mean", target, axes=axes, keepdims=True)

        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.square(a - y)

        wrong = builder.apply("sum", builder.formula("squared_error", error, output, target), axes=axes)
        spread = builder.apply("sum", builder.formula("squared_distance", error, target, center), axes=axes)
        return wrong / spread
