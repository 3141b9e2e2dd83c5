"""Penalties on weights and constraints on them. Strengths are the λ of λ/n: n is the number of training examples."""

from __future__ import annotations

from typing import Annotated, Any

from nnctl.components.base import Array, Namespace, Regularizer
from nnctl.components.builder import Builder
from nnctl.components.fields import NonNegativeFloat, PositiveFloat
from nnctl.components.norms import LARGEST, SMALLEST, norm
from nnctl.components.registry import register


@register("regularizer", "l2")
class L2(Regularizer):
    """Weight decay: large weights cost the square of their size."""

    formula = "C = C₀ + λ/2n Σ w²"
    example = "{type: l2, strength: 5.0}"

    strength: Annotated[NonNegativeFloat, "λ"]

    def body(self, xp: Namespace, w: Array) -> Array:
        return (0.5 * self.strength) * xp.square(w)

    def derivative(self, xp: Namespace, w: Array) -> Array:
        return self.strength * w


@register("regularizer", "l1")
class L1(Regularizer):
    """Weights cost their size, which drives the unneeded ones to 0; derivative 0 at 0."""

    formula = "C = C₀ + λ/n Σ |w|"
    example = "{type: l1, strength: 0.1}"

    strength: Annotated[NonNegativeFloat, "λ"]

    def body(self, xp: Namespace, w: Array) -> Array:
        return self.strength * xp.abs(w)

    def derivative(self, xp: Namespace, w: Array) -> Array:
        return self.strength * xp.sign(w)


@register("regularizer", "elastic")
class Elastic(Regularizer):
    """L1 and L2 together (Zou & Hastie 2005)."""

    formula = "C = C₀ + λ₁/n Σ |w| + λ₂/2n Σ w²"
    example = "{type: elastic, l1: 0.01, l2: 0.1}"

    l1: Annotated[NonNegativeFloat, "λ₁, of the absolute values"]
    l2: Annotated[NonNegativeFloat, "λ₂, of the squares"]

    def body(self, xp: Namespace, w: Array) -> Array:
        return self.l1 * xp.abs(w) + (0.5 * self.l2) * xp.square(w)

    def derivative(self, xp: Namespace, w: Array) -> Array:
        return self.l1 * xp.sign(w) + self.l2 * w


@register("regularizer", "max_norm")
class MaxNorm(Regularizer):
    """After each step, the incoming weights of a unit are scaled back to norm `limit` where they are longer."""

    formula = "w_j ← w_j·min(1, c/‖w_j‖), w_j the weights into unit j"
    example = "{type: max_norm, limit: 3.0}"
    penalizes = False
    projects = True

    limit: Annotated[PositiveFloat, "c, the largest norm of a unit's incoming weights"] = 3.0

    def body(self, xp: Namespace, w: Array) -> Array:
        return 0.0 * w

    def derivative(self, xp: Namespace, w: Array) -> Array:
        return 0.0 * w

    def project(self, builder: Builder, w: Any, incoming: tuple[int, ...]) -> Any:
        square_limit = self.limit * self.limit
        by_squares = SMALLEST <= square_limit <= LARGEST

        def shrink(xp: Namespace, w: Array, square: Array, size: Array) -> Array:
            longer = xp.greater(square, square_limit) if by_squares else xp.greater(size, self.limit)
            # Weights within bounds must not move, not even by rounding; the inner choice spares them 1/0.
            return w * xp.where(longer, self.limit / xp.where(longer, size, self.limit), 1.0)

        square = builder.apply("sum", w * w, axes=incoming, keepdims=True)
        return builder.formula("max_norm", shrink, w, square, norm(builder, w, square, incoming, keepdims=True))
