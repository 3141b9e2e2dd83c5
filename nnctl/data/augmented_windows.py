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
    """The windows of a training set: inputs, targets and weights (n, …) as stored, in the order of an epoch.

    size: examples in a window, whole batches. What is drawn for an example depends on (seed, epoch,
    position in the epoch) alone.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    weights: NDArray[Any] | None
    order: Order
    augmenter: Augmenter
    size: int

    @classmethod
    def of(
        cls,
        inputs: NDArray[Any],
        targets: NDArray[Any],
        weights: NDArray[Any] | None,
        order: Order,
        augmenter: Augmenter,
        batch: int,
    ) -> AugmentedWindows:
        """Windows of as many batches as are usual, one at least."""
        return cls(inputs, targets, weights, order, augmenter, batch * max(1, _WINDOW // batch))

    @property
    def examples(self) -> int:
        """The number of examples in an epoch."""
        return len(self.inputs)

    def window(self, epoch: int, first: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """(inputs, targets, weights) of the window that begins at position `first` of the epoch's order."""
        rows = self.order.of(epoch)[first : first + self.size]
        if self.weights is None:
            return *self.augmenter(self.inputs[rows], self.targets[rows], epoch, first), None
        # In place of targets their rows: where examples are mixed, the weight comes with the label that is chosen.
        inputs, chosen = self.augmenter(self.inputs[rows], rows, epoch, first)
        return inputs, self.targets[chosen], self.weights[chosen]
