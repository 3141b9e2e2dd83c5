"""Chunks of steps, and what they read: examples on the backend, in the order of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.contract import Placed
from nnctl.data.batches import Order


@dataclass(frozen=True, eq=False)
class PlacedExamples:
    """Arrays of `rows` examples on the backend, by the names that graphs have for them."""

    rows: int
    arrays: Mapping[str, Placed]


NO_EXAMPLES = PlacedExamples(0, {})
"""The examples of a graph that reads none."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Steps that run in one call, each over a batch of examples.

    indices: (steps, batch), rows of `examples`. window: the number of what lies there, where that changes.
    """

    examples: PlacedExamples
    indices: NDArray[np.int64]
    window: int | None = None

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


class ResidentReader:
    """A split that lies on the backend whole."""

    def __init__(self, examples: PlacedExamples, order: Order) -> None:
        self.examples = examples
        self._order = order

    @property
    def count(self) -> int:
        """See `Measured`."""
        return self.examples.rows

    def parts(self, rows: NDArray[np.int64]) -> Iterator[tuple[PlacedExamples, NDArray[np.int64]]]:
        """See `Measured`: one part."""
        yield self.examples, rows

    def within(self, first: int) -> int:
        """See `Reader`: all that are left of the epoch."""
        return self.examples.rows - first

    def advance_to(self, epoch: int, first: int) -> None:
        """See `Reader`: they are there."""

    def chunk(self, epoch: int, first: int, stop: int, steps: int) -> Chunk:
        """See `Reader`."""
        return Chunk(self.examples, self._order.of(epoch)[first:stop].reshape(steps, -1))

    def close(self) -> None:
        """See `Reader`: nothing does."""
