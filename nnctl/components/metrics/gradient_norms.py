"""The size of gradients."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from nnctl.components.builder import Builder
from nnctl.components.metrics.norms import Norms, norm
from nnctl.components.registry import register


@register("metric", "gradient_norms")
class GradientNorms(Norms):
    """The size of each layer's gradient while it trains, which vanishes or explodes towards the first layers.

    Of the biases it is ‖∂C/∂b‖, the batch's mean of δ, and so the speed at which a layer
    learns. The gradient is that of the objective, penalties included, before clipping.
    """

    formula = "‖∂C/∂b‖ for each layer"
    example = "{type: gradient_norms, of: weight}"
    higher_is_better = False

    of: Annotated[Literal["weight", "bias"], "which gradients"] = "bias"

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        return norm(builder, gradient)
