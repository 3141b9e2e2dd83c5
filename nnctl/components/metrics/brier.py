"""The squared distance of the probabilities from what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnctl.components.builder import Builder
from nnctl.components.metrics.probabilities import OfProbabilities
from nnctl.components.metrics.targets import labelled, rows, values
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics


@register("metric", "brier")
class Brier(OfProbabilities):
    """The Brier score. Of two classes it is the squared error of the second one's probability, from 0 to 1.

    Of more it is the sum over the classes, from 0 to 2, as Brier (1950) has it; of
    independent labels the mean over the units. As `brier_score_loss` of scikit-learn 1.7 and later.
    """

    formula = "Σ_k (a_k − y_k)²; two classes: (a − y)²"
    higher_is_better = False

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        truth = rows(builder, values(builder, output, target))
        several = labelled(output, target) and output.shape[-1] > 2
        return {"outputs": rows(builder, output), "classes" if several else "targets": truth}

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(lambda totals: float(totals["distance"] / totals["count"]), _distances)


def _distances(statistics: Statistics) -> Statistics:
    import numpy as np

    if "classes" in statistics:
        distance = ((statistics["outputs"] - statistics["classes"]) ** 2).sum(axis=1)
    else:
        # Of two classes the mean is the squared error of either.
        distance = ((statistics["outputs"] - statistics["targets"]) ** 2).mean(axis=1)
    return {"distance": distance, "count": np.ones(len(distance))}
