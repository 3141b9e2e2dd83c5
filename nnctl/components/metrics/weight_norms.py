"""The size of weights."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from nnctl.components.builder import Builder
from nnctl.components.metrics.norms import Norms, norm_of
from nnctl.components.registry import register


@register("metric", "weight_norms")
class WeightNorms(Norms):
    """The size of each layer's weights, before each step's update."""

    formula = "‖W‖ for each layer, the root of the sum of all squares"
    example = "{type: weight_norms, of: weight}"
    higher_is_better = False

    of: Annotated[Literal["weight", "bias"], "which parameters"] = "weight"

    @property
    def measured(self) -> str:
        return self.of

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        return norm_of(builder, parameter)
