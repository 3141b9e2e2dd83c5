"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

from annotated_types import MinLen

from nnctl.components.base import Layer
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveInt
from nnctl.components.layers.shapes import check_numbers, numbers, one, show
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError


def _chain(builder: Builder, layers: Sequence[Layer], x: Any) -> Any:
    for layer in layers:
        x = builder.build(layer, x)
    return x


@register("layer", "repeat")
class Repeat(Layer):
    """The same layers again and again, each time with parameters of their own."""

    formula = "a = F_times(… F_2(F_1(x)))"
    example = "{type: repeat, times: 4, layers: [{type: dense, units: 30, activation: relu}]}"

    times: Annotated[PositiveInt, "how often"]
    layers: Annotated[Annotated[tuple[Layer, ...], MinLen(1)], "what is repeated, from input to output"]

    @property
    def children(self) -> Mapping[str, tuple[Layer, ...]]:
        return {"layers": self.layers}

    @property
    def copies(self) -> int:
        return self.times

    def shallower(self, copies: int) -> Self:
        return self if self.times <= copies else replace(self, times=copies)

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = one(self.type, inputs)
        for _ in range(self.times):
            x = _chain(builder, self.layers, x)
        return x

    def problems(self) -> list[Problem]:
        # Parameters are known by the names of their layers: equal names would be shared weights.
        return [
            Problem(f"layers.{i}.name", "a repeated layer cannot have a name", "remove it, or name the repeat itself")
            for i, layer in enumerate(self.layers)
            if layer.name is not None and self.times > 1
        ]


@register("layer", "residual")
class Residual(Layer):
    """Its input plus what its layers make of it (He et al. 2016), so that gradients pass unhindered."""

    formula = "a = x + F(x)"
    example = "{type: residual, layers: [{type: dense, units: 30, activation: relu}]}"

    layers: Annotated[Annotated[tuple[Layer, ...], MinLen(1)], "F, from input to output"]

    @property
    def children(self) -> Mapping[str, tuple[Layer, ...]]:
        return {"layers": self.layers}

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        change = _chain(builder, self.layers, x)
        check_numbers(self.type, change)
        if change.shape != x.shape:
            wanted = x.shape[1:]
            raise ShapeError(
                f"residual adds its input {show(x.shape)} to what its layers give, {show(change.shape)}: "
                "the shapes must be equal",
                f"end its layers with {wanted[0]} units"
                if len(wanted) == 1
                else f"end its layers with shape {show(wanted)} for each example",
            )
        return x + change
