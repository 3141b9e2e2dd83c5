"""The mean over the classes of the share of right answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Self

from nnctl.components.base import Metric, Task
from nnctl.components.builder import Builder
from nnctl.components.metrics.confusion import THRESHOLD_WORDS, Counts, counts
from nnctl.components.metrics.targets import labelled, without_threshold
from nnctl.components.registry import register
from nnctl.errors import ShapeError

if TYPE_CHECKING:
    from nnctl.components.accumulators import Accumulator, Statistics


@register("metric", "balanced_accuracy")
class BalancedAccuracy(Metric):
    """The mean of the recalls of all classes that occur, so that a rare class counts like a frequent one.

    As `balanced_accuracy_score` of scikit-learn.
    """

    formula = "1/K Σ_k hits_k / examples_k"
    of_answers = True
    leaves_out = True

    threshold: Annotated[float | None, THRESHOLD_WORDS] = None

    @property
    def column(self) -> str:
        return self.type if self.threshold is None else f"{self.type}_at_{self.threshold:g}"

    @property
    def yes_above(self) -> float | None:
        return self.threshold

    def fitted(self, task: Task) -> Self:
        if not task.decides:
            raise ShapeError(
                "balanced_accuracy needs targets that are labels, or yes or no; these are numbers",
                "for numbers use mse, mae or r2",
                path="metrics",
            )
        threshold = task.threshold(self.type, self.threshold)
        if not task.chooses:
            return replace(self, threshold=threshold)
        if self.threshold is not None:
            raise without_threshold(self.type, task)
        return self

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        if not labelled(output, target) and output.shape[-1] > 1:
            raise ShapeError(
                "balanced_accuracy is of classes, one for each example, and these labels may be true together",
                "use recall or f1",
                path="metrics",
            )
        return counts(builder, output, target, self.threshold)

    def start(self) -> Accumulator:
        from nnctl.components.accumulators import Totals

        return Totals(_mean_recall)


def _mean_recall(totals: Statistics) -> float:
    found = Counts.of(totals)
    occurs = found.support > 0
    return float((found.hits[occurs] / found.support[occurs]).mean())
