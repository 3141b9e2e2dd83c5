"""The share of the targets' variance that is not left over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnctl.components.metrics.regression import OfNumbers, explained
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics


@register("metric", "r2")
class R2(OfNumbers):
    """The coefficient of determination, the mean over the outputs: 1 is perfect, 0 is answering the mean.

    As `r2_score` of scikit-learn: of a target that does not vary it is 1 where nothing is
    wrong, else 0; one example has none.
    """

    formula = "1 − Σ (y − a)² / Σ (y − ȳ)²"

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Moments

        return Moments(_determination, errors)


def errors(statistics: Statistics) -> Statistics:
    """The targets, and what the outputs miss them by, (n, outputs)."""
    return {"target": statistics["targets"], "error": statistics["targets"] - statistics["outputs"]}


def _determination(n: int, means: Statistics, squares: Statistics) -> float:
    if n < 2:
        return float("nan")
    return explained(squares["error"] + n * means["error"] ** 2, squares["target"])
