"""Chunks of steps, and what they read: examples on the backend, in the order of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Backend, Placed
from nnctl.data.batches import Order
from nnctl.late import dataclass


@dataclass(frozen=True, eq=False)
class PlacedExamples:
    """Arrays of `rows` examples on the backend, by the names that graphs have for them."""

    rows: int
    arrays: Mapping[str, Placed]


NO_EXAMPLES = PlacedExamples(0, {})
"""The examples of a graph that reads none."""

Write = Callable[[NDArray[Any], NDArray[Any], NDArray[Any] | None, int], None]
"""(inputs, targets, weights, first): let the rows from `first` on be these examples."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Steps that run in one call, each over a batch of examples.

    indices: (steps, batch), rows of `examples`. window: the number of what lies there, where that changes. entries:
    the indices as `Backend.entries` gives them, where the backend has them already.
    """

    examples: PlacedExamples
    indices: NDArray[np.int64]
    window: int | None = None
    entries: Any = None

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.indices)

    @property
    def batch(self) -> int:
        """The number of examples in a step."""
        return int(self.indices.shape[1])


class Reader(Protocol):
    """A split as it is read. Positions count from 0 in the order of an epoch.

    `advance_to` alone changes anything, and is called while no chunk runs; the rest are questions.
    """

    @property
    def examples(self) -> PlacedExamples:
        """The buffers on the backend."""

    def within(self, first: int) -> int:
        """The number of examples, from position `first` on, that one chunk may read."""

    def advance_to(self, epoch: int, first: int) -> None:
        """See to it that the examples from this position on are made, and begin with those that follow."""

    def chunk(self, epoch: int, first: int, stop: int, steps: int) -> Chunk:
        """The steps over the examples at positions first…stop−1, where `advance_to` has been."""

    def close(self) -> None:
        """End what works ahead."""


class Measured(Protocol):
    """A split as it is read once, in order, without training."""

    @property
    def count(self) -> int:
        """The number of its examples."""

    def parts(self, rows: NDArray[np.int64]) -> Iterator[tuple[PlacedExamples, NDArray[np.int64]]]:
        """Some rows of the split, in order: examples on the backend, and the rows' places among these.

        A part lasts until the next is asked for.
        """


class PlacedOrder:
    """The order of an epoch on the backend, put there once an epoch: chunks read parts of it."""

    def __init__(self, backend: Backend, order: Order) -> None:
        self._backend, self._order = backend, order
        self._epoch: int | None = None
        self._indices: NDArray[np.int64] | None = None
        self._placed: Placed | None = None

    def advance_to(self, epoch: int) -> None:
        """Put the order of this epoch there, unless it is. No chunk runs meanwhile."""
        indices = self._order.of(epoch)
        if self._placed is None:
            self._placed = self._backend.to_device(indices)
        elif indices is not self._indices:
            self._backend.copy_into(self._placed, indices)
        self._epoch, self._indices = epoch, indices

    def within(self, first: int) -> int:
        """The number of entries, from position `first` of an epoch on, that `part` can give."""
        return self._order.count * (1 if first else self._order.epochs_at_once) - first

    def part(self, epoch: int, first: int, stop: int, steps: int) -> tuple[NDArray[np.int64], Any]:
        """Entries first…stop−1 as (steps, batch): on the host, and where they lie. Beyond an epoch the next follows.

        Raises ValueError for another epoch than the one that is there.
        """
        if self._indices is None or epoch != self._epoch:
            raise ValueError(f"the order of epoch {epoch} is asked for, and that of {self._epoch} is there")
        if stop > len(self._indices):
            orders = [self._order.of(each) for each in range(epoch, epoch - -stop // len(self._indices))]
            several = np.concatenate(orders)
            indices = several.reshape(steps, -1)
            return indices, self._backend.entries(self._backend.to_device(several), 0, indices.shape)
        indices = self._indices[first:stop].reshape(steps, -1)
        return indices, self._backend.entries(self._placed, first, (steps, indices.shape[1]))
