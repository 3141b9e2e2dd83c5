"""Readers of splits: one that lies on the backend whole, and one on disk that is measured part after part."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.engine.chunks import Chunk, PlacedExamples, PlacedOrder, Write

Read = Callable[[NDArray[np.int64]], tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]]
"""(rows) → their inputs, targets and weights."""


class ResidentReader:
    """A split that lies on the backend whole."""

    def __init__(self, examples: PlacedExamples, order: PlacedOrder) -> None:
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
        """See `Reader`: all that are left of the epoch, or of several."""
        return self._order.within(first)

    def advance_to(self, epoch: int, first: int) -> None:
        """See `Reader`: they are there, and their order is put there."""
        self._order.advance_to(epoch)

    def chunk(self, epoch: int, first: int, stop: int, steps: int) -> Chunk:
        """See `Reader`."""
        indices, entries = self._order.part(epoch, first, stop, steps)
        return Chunk(self.examples, indices, entries=entries)

    def close(self) -> None:
        """See `Reader`: nothing does."""


class StoredReader:
    """See `nnctl.engine.chunks.Measured`: a split on disk, of which one part after the other lies on the backend.

    examples: buffers for a part, whole batches of a pass. read: gives (inputs, targets, weights) of some rows.
    """

    def __init__(self, count: int, examples: PlacedExamples, read: Read, write: Write) -> None:
        self.count = count
        self._examples, self._read, self._write = examples, read, write

    def parts(self, rows: NDArray[np.int64]) -> Iterator[tuple[PlacedExamples, NDArray[np.int64]]]:
        """See `Measured`."""
        for first in range(0, len(rows), self._examples.rows):
            part = rows[first : first + self._examples.rows]
            self._write(*self._read(part), 0)
            yield self._examples, np.arange(len(part), dtype=np.int64)
