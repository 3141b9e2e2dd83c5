"""The size of gradients."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Annotated, Any, Literal

from nnctl.components.builder import Builder
from nnctl.components.metrics.norms import Norms, norm_of
from nnctl.components.registry import register


@register("metric", "gradient_norms")
class GradientNorms(Norms):
    """The size of each layer's gradient while it trains, which vanishes or explodes towards the first layers.

    Of the biases it is ‖∂C/∂b‖, the batch's mean of δ, and so the speed at which a layer
    learns; in a net without biases it is ‖∂C/∂W‖. The gradient is that of the objective, penalties
    included, before clipping.
    """

    formula = "‖∂C/∂b‖ for each layer"
    example = "{type: gradient_norms, of: weight}"
    higher_is_better = False

    of: Annotated[
        Literal["weight", "bias"] | None, "which gradients; those of biases if absent, of weights in a net without"
    ] = None

    @property
    def measured(self) -> str:
        return self.of or "bias"

    def among(self, kinds: Collection[str]) -> GradientNorms:
        return replace(self, of="weight") if self.of is None and "bias" not in kinds else self

    def measure(self, builder: Builder, parameter: Any, gradient: Any) -> Any:
        return norm_of(builder, gradient)
