"""The area under the curve of precision over recall."""

from __future__ import annotations

from nnctl.components.base import Array
from nnctl.components.metrics.ranking import Ranking
from nnctl.components.registry import register


@register("metric", "average_precision")
class AveragePrecision(Ranking):
    """The mean precision at the thresholds that let one more example of the class in, without interpolation.

    Examples of equal output enter together. As `average_precision_score` of scikit-learn,
    but not measured where a class does not occur, or nothing else does.
    """

    formula = "Σ_n (R_n − R_{n−1}) P_n"
    example = "{type: average_precision, average: macro}"

    def score(self, scores: Array, truth: Array) -> float:
        import numpy as np

        _, place = np.unique(-scores, return_inverse=True)
        hits = np.bincount(place.reshape(-1), weights=truth)
        answered = np.cumsum(np.bincount(place.reshape(-1)))
        return float(np.sum(hits * np.cumsum(hits) / answered) / truth.sum())
