"""The harmonic mean of precision and recall."""

from __future__ import annotations

from nnctl.components.base import Array
from nnctl.components.metrics.confusion import ClassScore, ratio
from nnctl.components.registry import register


@register("metric", "f1")
class F1(ClassScore):
    """The harmonic mean of precision and recall.

    0 where there is none to count. As `f1_score` of scikit-learn with zero_division=0.
    """

    formula = "2·hits / (answers + examples)"
    example = "{type: f1, average: macro}"

    def score(self, hits: Array, answered: Array, support: Array) -> Array:
        return ratio(2.0 * hits, answered + support)
