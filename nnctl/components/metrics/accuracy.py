"""The share of right answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Self

from nnctl.components.base import Array, Cost, MeanMetric, Namespace, Task
from nnctl.components.builder import Builder
from nnctl.components.metrics.targets import labelled, mean_of_units, without_threshold
from nnctl.components.registry import register


@register("metric", "accuracy")
class Accuracy(MeanMetric):
    """The share of right answers.

    Labels: the unit with the largest output is the answer. A single unit, or
    several with values for targets, answers yes above `threshold`; the
    accuracy of an example is then the share of its units that are right.
    """

    formula = "1 if argmax_j a_j = y else 0; units: the mean of [a_j > ½] = [y_j > ½]"
    example = "{type: accuracy, threshold: 0.5}"
    of_answers = True

    threshold: Annotated[float | None, "above it a unit says yes; the cost's if absent, 0 for hinge, else ½"] = None

    @property
    def yes_above(self) -> float | None:
        return self.threshold

    def fitted(self, task: Task) -> Self:
        threshold = task.threshold(self.type, self.threshold)
        if not task.chooses:
            return replace(self, threshold=threshold)
        if self.threshold is not None:
            raise without_threshold(self.type, task)
        return self

    def of_each(self, builder: Builder, output: Any, target: Any) -> Any:
        if not labelled(output, target):
            return mean_of_units(builder, self._agreement(builder, output, target, self._threshold))
        if output.shape[-1] != 1:
            return builder.apply("same", builder.apply("argmax", output), target)
        column = builder.apply("reshape", builder.apply("cast", target), shape=output.shape)
        threshold = self._threshold
        # A label is 0 or 1, wherever the outputs' threshold is.
        between = threshold if 0.0 <= threshold < 1.0 else 0.5
        return mean_of_units(builder, self._agreement(builder, output, column, between))

    @property
    def _threshold(self) -> float:
        return Cost.threshold if self.threshold is None else self.threshold

    def _agreement(self, builder: Builder, output: Any, target: Any, between: float) -> Any:
        """1 where output and target are on the same side, the output of the threshold, the target of `between`."""
        threshold = self._threshold

        def agree(xp: Namespace, a: Array, y: Array) -> Array:
            yes = xp.where(xp.greater(a, threshold), 1.0, 0.0)
            truth = xp.where(xp.greater(y, between), 1.0, 0.0)
            return xp.where(xp.equal(yes, truth), 1.0, 0.0)

        return builder.formula("agreement", agree, output, target)
