"""The share of examples whose label is among the k largest outputs."""

from __future__ import annotations

from typing import Annotated, Any

from nnctl.components.base import MeanMetric
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveInt
from nnctl.components.metrics.targets import labelled
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("metric", "top_k")
class TopK(MeanMetric):
    """The share of examples whose label is among the k largest outputs."""

    formula = "1 if y is among the k largest a_j else 0"
    example = "{type: top_k, k: 5}"

    k: Annotated[PositiveInt, "how many answers each example has"] = 5

    @property
    def column(self) -> str:
        return f"top_{self.k}_accuracy"

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        if not labelled(output, target):
            raise ShapeError("top_k needs labels for targets", "for values use accuracy, mse or mae", path="metrics")
        classes = output.shape[-1]
        if self.k >= classes:
            raise ShapeError(
                f"among the {self.k} largest of {classes} outputs is always the right one",
                f"choose k below {classes}",
                path="metrics",
            )
        return builder.apply("in_top_k", output, target, k=self.k)
