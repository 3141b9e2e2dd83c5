"""The area under the receiver operating characteristic."""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Any, Literal

from nnctl.components.base import Array
from nnctl.components.builder import Builder
from nnctl.components.metrics.ranking import Ranking
from nnctl.components.metrics.targets import labelled
from nnctl.components.registry import register
from nnctl.errors import ShapeError


@register("metric", "roc_auc")
class RocAuc(Ranking):
    """The chance that an example of the class has a larger output for it than one that is none of it.

    Ties count half: it is the area under the receiver operating characteristic, here by the
    rank sum of Mann and Whitney, in whole numbers. Of several classes each is held against
    all others (`ovr`), or against each other one (`ovo`; Hand and Till 2001). As
    `roc_auc_score` of scikit-learn; not measured where a class does not occur.
    """

    formula = "P(a_k⁺ > a_k⁻) + ½ P(a_k⁺ = a_k⁻)"
    example = "{type: roc_auc, average: macro}"

    multi_class: Annotated[Literal["ovr", "ovo"], "each class against all others, or against each other one"] = "ovr"

    @property
    def column(self) -> str:
        return super().column if self.multi_class == "ovr" else f"{super().column}_ovo"

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        if self.multi_class == "ovo" and (self.class_ is not None or not labelled(output, target)):
            raise ShapeError(
                "roc_auc holds classes against each other, and not one class or labels that may be true together",
                "remove multi_class: ovo",
                path="metrics",
            )
        return super().build(builder, output, target)

    def score(self, scores: Array, truth: Array) -> float:
        import numpy as np

        _, place, equal = np.unique(scores, return_inverse=True, return_counts=True)
        # Twice the mean rank of each group of equal scores is a whole number, and so is all but the quotient.
        twice = 2 * np.cumsum(equal) - equal + 1
        yes = int(truth.sum())
        above = int(twice[place.reshape(-1)][truth].sum()) - yes * (yes + 1)
        return above / (2 * yes * (len(truth) - yes))

    def averaged(self, scores: Array, truth: Array, *, independent: bool) -> float:
        import numpy as np

        if self.multi_class == "ovr" or truth.shape[1] == 2:
            return super().averaged(scores, truth, independent=independent)
        if not truth.any(axis=0).all():
            return float("nan")
        pairs, shares = [], []
        for one, other in combinations(range(truth.shape[1]), 2):
            of_pair = truth[:, one] | truth[:, other]
            both = [self.score(scores[of_pair, k], truth[of_pair, k]) for k in (one, other)]
            pairs.append(sum(both) / 2)
            shares.append(of_pair.mean())
        return float(np.average(pairs, weights=shares if self.average == "weighted" else None))
