"""Bounds on the gradients, applied before the update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from nnctl.components.base import Array, Clipping, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveFloat
from nnctl.components.norms import LARGEST, SMALLEST, norm
from nnctl.components.registry import register


@register("clipping", "value")
class ClipByValue(Clipping):
    """Every component of every gradient within ±limit."""

    formula = "g ← min(max(g, −c), c)"
    example = "{type: value, limit: 0.5}"

    limit: Annotated[PositiveFloat, "c, the largest size of a component"]

    def build(self, builder: Builder, gradients: Sequence[Any]) -> list[Any]:
        def clip(xp: Namespace, g: Array) -> Array:
            return xp.minimum(xp.maximum(g, -self.limit), self.limit)

        return [builder.formula("clip_value", clip, g) for g in gradients]


@register("clipping", "norm")
class ClipByNorm(Clipping):
    """The gradient of each parameter scaled down to norm `limit` where it is longer."""

    formula = "g ← g·min(1, c/(‖g‖ + 1e-6)), each parameter by itself"
    example = "{type: norm, limit: 1.0}"

    limit: Annotated[PositiveFloat, "c, the largest norm of one parameter's gradient"]

    def build(self, builder: Builder, gradients: Sequence[Any]) -> list[Any]:
        return [g * _scale(builder, norm(builder, g, _sum_of_squares(builder, g)), self.limit) for g in gradients]


@register("clipping", "global_norm")
class ClipByGlobalNorm(Clipping):
    """All gradients scaled down together, so that their direction stays (Pascanu, Mikolov & Bengio 2013)."""

    formula = "g ← g·min(1, c/(‖g‖ + 1e-6)), ‖g‖ over all parameters"
    example = "{type: global_norm, limit: 1.0}"

    limit: Annotated[PositiveFloat, "c, the largest norm of all gradients together"]

    def build(self, builder: Builder, gradients: Sequence[Any]) -> list[Any]:
        if not gradients:
            return []
        squares = [_sum_of_squares(builder, g) for g in gradients]
        norms = [norm(builder, g, square) for g, square in zip(gradients, squares, strict=True)]
        total = squares[0]
        for square in squares[1:]:
            total = total + square
        scale = _scale(builder, builder.formula("global_norm", _joined, total, *norms), self.limit)
        return [g * scale for g in gradients]


def _joined(xp: Namespace, total: Array, *norms: Array) -> Array:
    """The norm of all gradients, from the sum of their squares; from their norms where that is out of range."""
    largest = norms[0]
    for one in norms[1:]:
        largest = xp.maximum(largest, one)
    unit = xp.where(xp.greater(largest, 0.0), largest, 1.0)
    squares = xp.square(norms[0] / unit)
    for one in norms[1:]:
        squares = squares + xp.square(one / unit)
    scaled = xp.sqrt(squares) * largest
    return xp.where(xp.less(total, SMALLEST), scaled, xp.where(xp.greater(total, LARGEST), scaled, xp.sqrt(total)))


def _sum_of_squares(builder: Builder, g: Any) -> Any:
    return builder.apply("sum", g * g, axes=tuple(range(len(g.shape))), keepdims=False)


def _scale(builder: Builder, size: Any, limit: float) -> Any:
    def scale(xp: Namespace, size: Array) -> Array:
        # The 1e-6 is torch.nn.utils.clip_grad_norm_'s; it keeps a gradient of 0 from dividing by 0.
        bounded = xp.minimum(limit / (size + 1e-6), 1.0)
        # Scaled by limit/∞ nothing would move, and nobody would see it; ∞ − ∞ ends the run as diverged.
        return xp.where(xp.greater(size, LARGEST), size - size, bounded)

    return builder.formula("clip_scale", scale, size)
