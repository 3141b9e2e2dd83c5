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
    """All features of an example in one row, or those from an axis on: (batch, 28, 28, 1) → (batch, 784)."""

    formula = "(batch, d₁, …, d_k) → (batch, d₁, …, d_{axis−1}, d_axis·…·d_k)"
    transparent = True

    axis: Annotated[int, "the first of those that are joined, of which the batch's is 0; from the end if below 0"] = 1

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        rank = len(x.shape)
        axis = self.axis + rank if self.axis < 0 else self.axis
        if not 1 <= axis < max(rank, 2):
            raise ShapeError(
                f"{self.type} has axis {self.axis}, which is no axis of an example's features: its input is "
                f"{show(x.shape)}",
                f"use one of 1 to {rank - 1}" if rank > 1 else "leave axis out",
            )
        kept, joined = x.shape[:axis], x.shape[axis:]
        return builder.apply("reshape", x, shape=(*kept, math.prod(joined)))


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
