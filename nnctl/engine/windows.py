"""A split that is made window by window, the next one while the present one is read.

Buffers for two windows lie on the backend, one for those of even number and one for the odd: what a
running chunk reads is never written over. Windows begin at the same positions however training is
cut into chunks, and the contents of one depend on the epoch and its position alone: a run that is
resumed within a window makes it again.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from numpy.typing import NDArray

from nnctl.engine.chunks import Chunk, PlacedExamples, PlacedOrder, Write


class WindowSource(Protocol):
    """Examples that are made, read or received in windows."""

    @property
    def examples(self) -> int:
        """The number of examples in an epoch."""

    @property
    def size(self) -> int:
        """The number of examples in a window, whole batches; the last of an epoch may have fewer."""

    def window(self, epoch: int, first: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
        """(inputs, targets, weights) of the window that begins at position `first`. Called on another thread."""


class WindowReader:
    """See `nnctl.engine.chunks.Reader`.

    examples: twice as many rows as a window has. rows: their numbers, in order. epochs: read at most.
    ahead: make windows on a thread of their own, which lives from the first `advance_to` to `close`.
    """

    def __init__(
        self,
        examples: PlacedExamples,
        source: WindowSource,
        write: Write,
        rows: PlacedOrder,
        *,
        epochs: int,
        ahead: bool,
    ) -> None:
        self.examples = examples
        self._rows = rows
        self._source, self._write, self._ahead = source, write, ahead
        self._of_an_epoch = -(-source.examples // source.size)
        self._windows = epochs * self._of_an_epoch
        self._thread: ThreadPoolExecutor | None = None
        self._made: dict[int, Future[None]] = {}

    def within(self, first: int) -> int:
        """See `Reader`: what is left of the window, and of the epoch, which may end before it."""
        return min(self._source.size - first % self._source.size, self._source.examples - first)

    def advance_to(self, epoch: int, first: int) -> None:
        """See `Reader`. The windows before this position's are given up."""
        self._rows.advance_to(0)
        number = self._number(epoch, first)
        wanted = [n for n in (number, number + 1) if n == number or (self._ahead and n < self._windows)]
        self._made = {n: made for n, made in self._made.items() if n in wanted}
        for each in wanted:
            if each not in self._made:
                self._made[each] = self._begin(each)

    def chunk(self, epoch: int, first: int, stop: int, steps: int) -> Chunk:
        """See `Reader`. Waits until the window is made; raises what its making raised."""
        number = self._number(epoch, first)
        self._made[number].result()
        shift = self._row(number) - first // self._source.size * self._source.size
        indices, entries = self._rows.part(0, first + shift, stop + shift, steps)
        return Chunk(self.examples, indices, number, entries)

    def close(self) -> None:
        """See `Reader`. Waits for the window that is being made, and forgets those that are made."""
        self._made = {}
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._thread = None

    def _begin(self, number: int) -> Future[None]:
        if self._ahead:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, "nnctl-windows")
            return self._thread.submit(self._make, number)
        self._make(number)
        made: Future[None] = Future()
        made.set_result(None)
        return made

    def _make(self, number: int) -> None:
        epoch, place = divmod(number, self._of_an_epoch)
        inputs, targets, weights = self._source.window(epoch, place * self._source.size)
        self._write(inputs, targets, weights, self._row(number))

    def _number(self, epoch: int, first: int) -> int:
        """The window of a position, counted from the first epoch's first."""
        return epoch * self._of_an_epoch + first // self._source.size

    def _row(self, number: int) -> int:
        """The first row of a window."""
        return number % 2 * (self.examples.rows // 2)
