"""The largest error anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnctl.components.base import Array, Metric, Namespace
from nnctl.components.builder import Builder, among_counted
from nnctl.components.metrics.targets import values
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator


@register("metric", "max_error")
class MaximalError(Metric):
    """The largest absolute error, of all output units and all examples: how far the net ever is from its target.

    What the universality theorem bounds, the uniform distance of two functions, on the
    examples that are measured.
    """

    formula = "max |y_j − a_j|"
    higher_is_better = False
    leaves_out = True

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        def error(xp: Namespace, a: Array, y: Array) -> Array:
            return xp.abs(a - y)

        # An error is at least 0: one of 0 more changes no maximum.
        errors = builder.formula("absolute_error", error, output, values(builder, output, target))
        errors = among_counted(builder, errors)
        axes = tuple(range(1, len(errors.shape)))
        of_each = builder.apply("max", errors, axes=axes) if axes else errors
        return {"": builder.apply("max", of_each, axes=(0,))}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Maximum

        return Maximum()
