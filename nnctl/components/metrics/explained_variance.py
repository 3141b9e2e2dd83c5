"""The share of the targets' variance that the outputs explain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nnctl.components.metrics.r2 import errors
from nnctl.components.metrics.regression import OfNumbers, explained
from nnctl.components.registry import register

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator


@register("metric", "explained_variance")
class ExplainedVariance(OfNumbers):
    """The part of the targets' variance that is not in the errors, the mean over the outputs.

    As r2, but outputs that are all wrong by the same number explain everything. As
    `explained_variance_score` of scikit-learn.
    """

    formula = "1 − Var(y − a) / Var(y)"

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Moments

        return Moments(lambda n, means, squares: explained(squares["error"], squares["target"]), errors)
