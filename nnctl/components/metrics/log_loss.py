"""The mean negative logarithm of the probability of what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnctl.components.base import Array, Namespace
from nnctl.components.builder import Builder
from nnctl.components.metrics.probabilities import OfProbabilities
from nnctl.components.metrics.targets import column, labelled, rows, values
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics

EPSILON = 2.0**-23
"""The distance that probabilities keep from 0 and 1: float32's, as in scikit-learn."""


@register("metric", "log_loss")
class LogLoss(OfProbabilities):
    """The negative log-likelihood of an example, without label smoothing and class weights, whatever the cost.

    Of independent labels the mean over the units. As `log_loss` of scikit-learn on float32
    probabilities: they are cut off 2⁻²³ before 0 and 1.
    """

    formula = "−ln a_y; units: −1/K Σ [y ln a + (1−y) ln(1−a)]"
    higher_is_better = False

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        truth = values(builder, output, target)
        if not labelled(output, target) or output.shape[-1] == 1:
            return {"outputs": rows(builder, output), "targets": rows(builder, truth)}

        def product(xp: Namespace, a: Array, y: Array) -> Array:
            return a * y

        right = builder.formula("right", product, output, truth)
        # All terms but one are 0, so that nothing is rounded.
        likelihood = builder.apply("sum", right, axes=(len(output.shape) - 1,))
        return {"likelihood": column(builder, likelihood)}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(lambda totals: float(totals["loss"] / totals["count"]), _losses)


def _losses(statistics: Statistics) -> Statistics:
    import numpy as np

    if "likelihood" in statistics:
        loss = -np.log(np.clip(statistics["likelihood"], EPSILON, 1.0 - EPSILON))
    else:
        a, y = np.clip(statistics["outputs"], EPSILON, 1.0 - EPSILON), statistics["targets"]
        loss = -(y * np.log(a) + (1.0 - y) * np.log1p(-a)).mean(axis=1)
    return {"loss": loss, "count": np.ones(len(loss))}
