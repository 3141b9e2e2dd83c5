"""The base of metrics of outputs that are probabilities."""

from __future__ import annotations

from typing import Self

from nnctl.components.base import Metric, Task
from nnctl.errors import ShapeError


class OfProbabilities(Metric):
    """A metric that makes sense only of probabilities."""

    def fitted(self, task: Task) -> Self:
        if task.activation is not None and not task.activation.probabilities:
            raise ShapeError(
                f"{self.type} needs outputs that are probabilities, and those of {task.activation.type} are not",
                "end with softmax or sigmoid, or remove the metric",
                path="metrics",
            )
        return self
