"""The share of a class's answers that are right."""

from __future__ import annotations

from nnctl.components.base import Array
from nnctl.components.metrics.confusion import ClassScore, ratio
from nnctl.components.registry import register


@register("metric", "precision")
class Precision(ClassScore):
    """The share of a class's answers that are right.

    0 where there is none to count. As `precision_score` of scikit-learn with zero_division=0.
    """

    formula = "hits / answers"
    example = "{type: precision, average: macro}"

    def score(self, hits: Array, answered: Array, support: Array) -> Array:
        return ratio(hits, answered)
