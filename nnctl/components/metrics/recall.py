"""The share of a class's examples that are answered rightly."""

from __future__ import annotations

from nnctl.components.base import Array
from nnctl.components.metrics.confusion import ClassScore, ratio
from nnctl.components.registry import register


@register("metric", "recall")
class Recall(ClassScore):
    """The share of a class's examples that are answered rightly.

    0 where there is none to count. As `recall_score` of scikit-learn with zero_division=0.
    """

    formula = "hits / examples"
    example = "{type: recall, average: macro}"

    def score(self, hits: Array, answered: Array, support: Array) -> Array:
        return ratio(hits, support)
