"""A training set in windows of examples that are changed anew in each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from nnctl.data.augment import Augmenter
from nnctl.data.batches import Order

_WINDOW = 1024
"""Examples augmented at a time: enough to be fast, few enough that signals are answered. Part of what
mixup computes, since partners come from one window."""


@dataclass(frozen=True)
class AugmentedWindows:
    """The windows of a training set: inputs and targets (n, …) as stored, in the order of an epoch.

    size: examples in a window, whole batches. What is drawn for an example depends on (seed, epoch,
    position in the epoch) alone.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    order: Order
    augmenter: Augmenter
    size: int

    @classmethod
    def of(
        cls, inputs: NDArray[Any], targets: NDArray[Any], order: Order, augmenter: Augmenter, batch: int
    ) -> AugmentedWindows:
        """Windows of as many batches as are usual, one at least."""
        return cls(inputs, targets, order, augmenter, batch * max(1, _WINDOW // batch))

    @property
    def examples(self) -> int:
        """The number of examples in an epoch."""
        return len(self.inputs)

    def window(self, epoch: int, first: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """(inputs, targets) of the window that begins at position `first` of the epoch's order."""
        rows = self.order.of(epoch)[first : first + self.size]
        return self.augmenter(self.inputs[rows], self.targets[rows], epoch, first)
