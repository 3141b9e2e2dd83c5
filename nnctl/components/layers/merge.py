"""Layers that join branches."""

from __future__ import annotations

from typing import Annotated, Any

from nnctl.components.base import Layer
from nnctl.components.builder import Builder
from nnctl.components.layers.shapes import check_numbers, several, show
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError


@register("layer", "add")
class Add(Layer):
    """The sum of its inputs, which have the same shape."""

    formula = "a = x₁ + x₂ + …"
    example = "{type: add, inputs: [left, right]}"

    def build(self, builder: Builder, *inputs: Any) -> Any:
        total, *others = several(self.type, inputs)
        for x in inputs:
            check_numbers(self.type, x)
        for x in others:
            if x.shape != total.shape:
                raise ShapeError(
                    f"add needs inputs of one shape, found {' and '.join(show(i.shape) for i in inputs)}",
                    "give the branches the same number of units, or join them with concatenate",
                )
            total = total + x
        return total


@register("layer", "concatenate")
class Concatenate(Layer):
    """Its inputs side by side; all other axes must agree."""

    formula = "a = (x₁, x₂, …) along axis"
    example = "{type: concatenate, inputs: [left, right]}"

    axis: Annotated[int, "counted with the batch axis as 0; -1 is the last"] = -1

    def build(self, builder: Builder, *inputs: Any) -> Any:
        xs = several(self.type, inputs)
        for x in xs:
            check_numbers(self.type, x)
        rank = len(xs[0].shape)
        shapes = " and ".join(show(x.shape) for x in xs)
        if not -rank <= self.axis < rank or self.axis == -rank:
            raise ShapeError(
                f"concatenate has no feature axis {self.axis} in inputs of shape {shapes}",
                f"axes 1 to {rank - 1} are features",
            )
        axis = self.axis % rank
        rests = {(*x.shape[:axis], *x.shape[axis + 1 :]) for x in xs}
        if len(rests) > 1 or any(len(x.shape) != rank for x in xs):
            raise ShapeError(
                f"concatenate along axis {self.axis} needs inputs that agree on every other axis, found {shapes}",
                "reshape or flatten the branches first",
            )
        return builder.apply("concatenate", *xs, axis=axis)

    def problems(self) -> list[Problem]:
        if self.axis:
            return []
        return [Problem("axis", "axis 0 is the batch: examples cannot be joined", "1 is the first axis of features")]
