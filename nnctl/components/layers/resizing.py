"""Feature maps resized by any factor."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

from nnctl.components.base import Layer
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveFloat
from nnctl.components.layers.shapes import numbers, show
from nnctl.components.layers.spatial import PerAnyAxis, per_axis, spatial
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError

_LONGEST = 1 << 16
"""Numbers along an axis that is made: each has weights of its own, which are computed with the plan."""
_Factors = PositiveFloat | Annotated[tuple[PositiveFloat, ...], MinLen(2), MaxLen(3)]


@register("layer", "resize")
class Resize(Layer):
    """Each spatial axis made longer or shorter, to a size or by a factor, by the rules of ONNX's Resize.

    `coordinates` say where a new number lies among the old: half_pixel as PyTorch and Keras have it, align_corners with
    the outermost on one another, asymmetric with the first on the first; half_pixel_symmetric keeps the centre where a
    factor's length is rounded, pytorch_half_pixel takes the first where one number is left. `upsample` is for whole
    factors.
    """

    formula = "a[q, c] = Σ_p w(q, p)·x[p, c]"
    example = "{type: resize, factor: 0.5, interpolation: linear, antialias: true}"

    factor: Annotated[_Factors | None, "how many times as long, rounded down; one number or one for each axis"] = None
    size: Annotated[PerAnyAxis | None, "of the result, instead of a factor; one number or one for each axis"] = None
    interpolation: Annotated[Literal["nearest", "linear", "cubic"], "between the old numbers"] = "nearest"
    coordinates: Annotated[
        Literal["half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric", "pytorch_half_pixel"],
        "where the new numbers lie among the old",
    ] = "half_pixel"
    rounding: Annotated[
        Literal["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"], "which of two is the nearest"
    ] = "round_prefer_floor"
    coefficient: Annotated[
        Annotated[float, Ge(-1), Le(0)], "a of the cubic; −0.75 in PyTorch, −0.5 in Keras and Pillow"
    ] = -0.75
    exclude_outside: Annotated[bool, "whether what lies outside counts nothing, not as the outermost does"] = False
    antialias: Annotated[bool, "whether shrinking takes all the numbers between, by a wider linear or cubic"] = False

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        lengths = spatial(self.type, x)
        for axis, (before, after, scale) in enumerate(self._lengths(lengths, x), start=1):
            if after == before and scale == 1.0:
                continue
            x = builder.apply(
                "resize", x, axis=axis, lengths=(before, after), scale=scale, interpolation=self.interpolation,
                coordinates=self.coordinates, rounding=self.rounding, coefficient=self.coefficient,
                exclude_outside=self.exclude_outside, antialias=self.antialias,
            )  # fmt: skip
        return x

    def _lengths(self, lengths: tuple[int, ...], x: Any) -> list[tuple[int, int, float]]:
        """(before, after, factor) of each axis."""
        if self.size is not None:
            sizes = per_axis(self.type, "size", self.size, len(lengths))
            self._check(max(sizes), x)
            return [(n, size, size / n) for n, size in zip(lengths, sizes)]
        if isinstance(self.factor, tuple) and len(self.factor) != len(lengths):
            raise ShapeError(
                f"{self.type} has factor {list(self.factor)}, but its input {show(x.shape)} has {len(lengths)} spatial "
                f"{'axis' if len(lengths) == 1 else 'axes'}",
                "give factor as one number or as one for each axis",
            )
        factors = self.factor if isinstance(self.factor, tuple) else (self.factor or 1.0,) * len(lengths)
        self._check(max(n * factor for n, factor in zip(lengths, factors)), x)
        made = [(n, math.floor(n * factor), factor) for n, factor in zip(lengths, factors)]
        if any(after < 1 for _, after, _ in made):
            raise ShapeError(
                f"{self.type} by {show(factors)} leaves nothing of its input {show(x.shape)}", "use a larger factor"
            )
        return made

    def _check(self, longest: float, x: Any) -> None:
        if not longest <= _LONGEST:
            raise ShapeError(
                f"{self.type} would make of its input {show(x.shape)} an axis of more than {_LONGEST:,} numbers",
                "use a smaller factor or size",
            )

    def problems(self) -> list[Problem]:
        problems = []
        if (self.factor is None) == (self.size is None):
            message = "resize needs a factor or a size, and not both"
            problems.append(Problem("factor", message, "factor: 0.5, or size: [14, 14]"))
        if self.interpolation == "nearest" and (self.antialias or self.exclude_outside):
            field = "antialias" if self.antialias else "exclude_outside"
            message = f"{field} has nothing to do with interpolation 'nearest', which takes one number"
            problems.append(Problem(field, message, "interpolation: linear or cubic"))
        return problems
