"""A training set in windows: examples that are changed anew in each epoch, or that lie on disk."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from nnctl.data.augment import Augmenter
from nnctl.data.batches import Order
from nnctl.data.stored.arrays import Rows
from nnctl.late import dataclass

_CHANGED = 1024
"""Examples augmented at a time: enough to be fast, few enough that signals are answered. Part of what
mixup computes, since partners come from one window."""
_READ_BYTES = 1 << 25
"""Bytes of inputs read at a time, 32 MiB."""


@dataclass(frozen=True)
class TrainingWindows:
    """The windows of a training set: inputs, targets and weights (n, …) as stored, in the order of an epoch.

    size: examples in a window, whole batches. augmenter: None where examples stay as they are. What is drawn for an
    example depends on (seed, epoch, position in the epoch) alone.
    """

    inputs: Rows
    targets: NDArray[Any]
    weights: NDArray[Any] | None
    order: Order
    augmenter: Augmenter | None
    size: int

    @classmethod
    def of(
        cls,
        inputs: Rows,
        targets: NDArray[Any],
        weights: NDArray[Any] | None,
        order: Order,
        augmenter: Augmenter | None,
        batch: int,
    ) -> TrainingWindows:
        """Windows of as many batches as are usual, one at least."""
        usual = _READ_BYTES // (math.prod(inputs.shape[1:]) * inputs.dtype.itemsize) if augmenter is None else _CHANGED
        return cls(inputs, targets, weights, order, augmenter, batch * max(1, usual // batch))

    @property
    def examples(self) -> int:
        """The number of examples in an epoch."""
        return len(self.inputs)

    def window(self, epoch: int, first: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """(inputs, targets, weights) of the window that begins at position `first` of the epoch's order."""
        rows = self.order.of(epoch)[first : first + self.size]
        inputs, chosen = self.inputs[rows], rows
        if self.augmenter is not None:
            if self.weights is None:
                return *self.augmenter(inputs, self.targets[rows], epoch, first), None
            # In place of targets their rows: where examples are mixed, the weight comes with the label that is chosen.
            inputs, chosen = self.augmenter(inputs, rows, epoch, first)
        return inputs, self.targets[chosen], None if self.weights is None else self.weights[chosen]
