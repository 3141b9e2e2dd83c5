"""Layers that only change the shape of an example."""

from __future__ import annotations

import math
from typing import Annotated, Any

from annotated_types import MinLen

from nnctl.components.base import Layer
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveInt
from nnctl.components.layers.shapes import one, show
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("layer", "flatten")
class Flatten(Layer):
    """All features of an example in one row: (batch, 28, 28, 1) → (batch, 784)."""

    formula = "(batch, d₁, …, d_k) → (batch, d₁·…·d_k)"
    transparent = True

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        batch, *features = x.shape
        return builder.apply("reshape", x, shape=(batch, math.prod(features)))


@register("layer", "reshape")
class Reshape(Layer):
    """The same features under another shape, without the batch axis."""

    formula = "(batch, …) → (batch, *shape)"
    example = "{type: reshape, shape: [8, 8, 1]}"
    transparent = True

    shape: Annotated[Annotated[tuple[PositiveInt, ...], MinLen(1)], "of one example, e.g. [28, 28, 1]"]

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        batch, *features = x.shape
        if math.prod(features) != math.prod(self.shape):
            raise ShapeError(
                f"an example of shape {show(features)} has {math.prod(features)} numbers, "
                f"{show(self.shape)} has {math.prod(self.shape)}",
                "the product of the axes must stay the same",
            )
        return builder.apply("reshape", x, shape=(batch, *self.shape))
