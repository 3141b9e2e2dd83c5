"""The order of the examples in an epoch, and its division into batches."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nnctl.data.streams import Purpose, permutation


def epoch_order(seed: int, epoch: int, n: int, shuffle: bool) -> NDArray[np.int64]:
    """Indices of the n training examples in the order of this epoch, (n,).

    A pure function of (seed, epoch, n): a resumed run needs no memory of it.
    epoch: from 0. Without `shuffle` it is 0…n−1.
    """
    if not shuffle:
        return np.arange(n, dtype=np.int64)
    return permutation(n, seed, Purpose.SHUFFLE, epoch)


def contiguous_order(n: int, batch_size: int) -> NDArray[np.int64]:
    """Indices of n pieces of a long text, so that each row of the batches reads one segment of it, (n,).

    n is a multiple of batch_size. Of 6 pieces in batches of 2: 0, 3; 1, 4; 2, 5.
    """
    return np.arange(n, dtype=np.int64).reshape(batch_size, -1).T.reshape(-1)


class Order(Protocol):
    """The order in which epochs read a training set: a function of the epoch alone."""

    count: int
    """The number of indices, n."""
    epochs_at_once: int
    """Epochs that one chunk of steps may read where each is one batch."""

    def of(self, epoch: int) -> NDArray[np.int64]:
        """Indices of the examples, (n,)."""


class FixedOrder:
    """The same indices (n,) in every epoch; one at a time, as a text begins anew with each."""

    epochs_at_once = 1

    def __init__(self, indices: NDArray[np.int64]) -> None:
        self._indices = indices
        self.count = len(indices)

    def of(self, epoch: int) -> NDArray[np.int64]:
        """See `Order`."""
        return self._indices


_INDICES = 1 << 16
"""Of a chunk over several epochs at most."""


class _KeptOrders:
    """Shuffled orders that were made: runs of one seed read the same, as trials of a sweep do.

    most: indices that are kept at most, together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._orders: dict[tuple[int, int, int], NDArray[np.int64]] = {}
        self._indices = 0

    def of(self, seed: int, epoch: int, n: int) -> NDArray[np.int64]:
        """See `epoch_order`. Nobody may change it."""
        key = (seed, epoch, n)
        order = self._orders.get(key)
        if order is None:
            order = epoch_order(seed, epoch, n, True)
            order.flags.writeable = False
            self._keep(key, order)
        return order

    def _keep(self, key: tuple[int, int, int], order: NDArray[np.int64]) -> None:
        size = len(order) + _ENTRY
        if size > self._most // 8:
            return
        if self._indices + size > self._most:
            self._orders.clear()
            self._indices = 0
        self._orders[key] = order
        self._indices += size


_ENTRY = 32
"""Indices that take as much memory as the key and the array's own fields."""
_kept = _KeptOrders(1 << 19)


class SeededOrder:
    """See `epoch_order`."""

    def __init__(self, seed: int, n: int, shuffle: bool) -> None:
        self._seed, self.count, self._shuffle = seed, n, shuffle
        self.epochs_at_once = max(1, _INDICES // max(1, n))
        self._last: tuple[int, NDArray[np.int64]] | None = None

    def of(self, epoch: int) -> NDArray[np.int64]:
        """See `Order`. The last epoch asked about is remembered."""
        last = self._last
        if last is None or last[0] != epoch:
            order = _kept.of(self._seed, epoch, self.count) if self._shuffle else np.arange(self.count, dtype=np.int64)
            last = self._last = (epoch, order)
        return last[1]


_READING_ROWS = 16
"""Rows that read a text side by side in evaluation: enough that products are large, few enough that hardly
any piece is read without what came before."""
_ROW_PIECES = 16
"""The least number of pieces that a row reads while there is another row."""


def reading_batches(n: int) -> list[NDArray[np.int64]]:
    """Indices of n pieces of a text as evaluation reads them: (steps, rows), then what is left over, (1, left).

    Row b of each batch continues row b of the batch before. There are 16 rows, or
    fewer, so that each has 16 pieces: their number follows from n alone. The first `left` rows
    are one piece longer. Of 35 pieces: 0, 18; 1, 19; … 16, 34; 17.
    """
    rows = max(1, min(_READING_ROWS, n // _ROW_PIECES))
    steps, left = divmod(n, rows)
    row = np.arange(rows, dtype=np.int64)
    starts = row * steps + np.minimum(row, left)
    parts = [starts + np.arange(steps, dtype=np.int64)[:, None], starts[None, :left] + steps]
    return [part for part in parts if part.size]


def batches(order: NDArray[np.int64], batch_size: int) -> list[NDArray[np.int64]]:
    """Batches of `order`, views of `batch_size` indices; the last is smaller where they do not divide."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, not {batch_size}")
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
