"""The distance between how sure a net is and how often it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from nnctl.components.base import Array, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import PositiveInt
from nnctl.components.metrics.probabilities import OfProbabilities
from nnctl.components.metrics.targets import column, labelled, values
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics


@register("metric", "calibration_error")
class CalibrationError(OfProbabilities):
    """The expected calibration error of the answers (Guo et al. 2017), over bins of equal width.

    How sure an answer is, is its probability: the largest one, or of a single unit and of
    each of several independent ones that of its yes or no. A bin holds its upper edge.
    """

    formula = "Σ_b n_b/n |accuracy_b − confidence_b|"
    example = "{type: calibration_error, bins: 15}"
    higher_is_better = False

    bins: Annotated[PositiveInt, "how many parts 0 to 1 is cut into"] = 15

    @property
    def column(self) -> str:
        return self.type if self.bins == 15 else f"{self.type}_{self.bins}"

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        if labelled(output, target) and output.shape[-1] > 1:
            confidence = builder.apply("max", output, axes=(len(output.shape) - 1,))
            right = builder.apply("same", builder.apply("argmax", output), target)
        else:

            def surer(xp: Namespace, a: Array) -> Array:
                return xp.maximum(a, 1.0 - a)

            def agree(xp: Namespace, a: Array, y: Array) -> Array:
                yes, truth = xp.where(xp.greater(a, 0.5), 1.0, 0.0), xp.where(xp.greater(y, 0.5), 1.0, 0.0)
                return xp.where(xp.equal(yes, truth), 1.0, 0.0)

            confidence = builder.formula("confidence", surer, output)
            right = builder.formula("agreement", agree, output, values(builder, output, target))
        return {"confidence": column(builder, confidence), "right": column(builder, right)}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(_expected, self._binned)

    def _binned(self, statistics: Statistics) -> Statistics:
        """Each answer's numbers in the column of its bin, (n, bins)."""
        import numpy as np

        edges = np.arange(1, self.bins) / self.bins
        inside = np.searchsorted(edges, statistics["confidence"])[:, None] == np.arange(self.bins)
        return {
            "count": inside.astype(np.float64),
            "confidence": inside * statistics["confidence"][:, None],
            "right": inside * statistics["right"][:, None],
        }


def _expected(totals: Statistics) -> float:
    return float(abs(totals["right"] - totals["confidence"]).sum() / totals["count"].sum())
