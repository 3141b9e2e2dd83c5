"""The base of metrics that compare numbers with numbers."""

from __future__ import annotations

from typing import Any, Self

from nnctl.components.base import Array, Metric, Task
from nnctl.components.builder import Builder
from nnctl.components.metrics.targets import rows
from nnctl.errors import ShapeError


class OfNumbers(Metric):
    """A metric of numbers, one for each output, the last axis; their mean is what is reported.

    Of sequences each step counts as an example.
    """

    def fitted(self, task: Task) -> Self:
        if task.classes is not None:
            raise ShapeError(
                f"{self.type} compares numbers, and these targets are labels",
                "for labels use accuracy, f1, log_loss or brier",
                path="metrics",
            )
        return self

    def build(self, builder: Builder, output: Any, target: Any) -> dict[str, Any]:
        return {"outputs": rows(builder, output), "targets": rows(builder, target)}


def explained(left: Array, spread: Array) -> float:
    """The mean over outputs of 1 − left/spread: 1 where there is neither, 0 where only the spread is 0."""
    import numpy as np

    constant = spread == 0.0
    share = 1.0 - left / np.where(constant, 1.0, spread)
    return float(np.where(constant, np.where(left == 0.0, 1.0, 0.0), share).mean())
