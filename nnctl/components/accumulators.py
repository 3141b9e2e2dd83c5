"""Accumulators: statistics of batches joined to one number of all of their examples, in float64.

A metric's graph gives them for each batch, and they arrive here by name. A statistic of a batch, such as
a count, has shape (steps, …); one of its examples has shape (examples, …), in the order in which
they were read. Sums are taken one term after the other, so that no number depends on how steps
were cut into chunks; and of statistics of examples none depends on the batch either.

Metrics import this module when they start: it needs NumPy, which a command that names
components does without.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Statistics: TypeAlias = Mapping[str, NDArray[Any]]
"""Arrays by the names that a metric's `build` gives them."""
Memory: TypeAlias = float | Statistics
"""The content of an accumulator as checkpoints keep it: a number in their JSON, or arrays beside the weights."""

_BLOCK = 1024
"""Examples whose moments are taken at once, whatever the batch: their sum in float64 hardly rounds."""


class Accumulator:
    """One metric's way from batches to its value. A new one has seen nothing, and its value is NaN."""

    def add(self, statistics: Statistics, examples: int) -> None:
        """Take in the statistics of more steps, of so many examples together: of labels, where some are left out."""
        raise NotImplementedError

    def add_split(self, statistics: Statistics, examples: int) -> None:
        """Take in all batches of a split at once."""
        self.add(statistics, examples)

    def value(self) -> float:
        """The metric of all examples so far; NaN where it is not defined for them."""
        raise NotImplementedError

    def memory(self) -> Memory:
        """All that `restore` needs, without loss."""
        raise NotImplementedError

    def restore(self, memory: Memory, examples: int) -> None:
        """Continue from a memory. examples: how many it has seen."""
        raise NotImplementedError


def running_sum(before: float, terms: NDArray[Any]) -> float:
    """`before` and the terms (n,), added one after the other: `np.sum` adds in pairs, and depends on their number."""
    sums = np.empty(len(terms) + 1)
    sums[0], sums[1:] = before, terms
    return float(np.add.accumulate(sums, out=sums)[-1])


class Mean(Accumulator):
    """Of one statistic without a name, each batch's sum over its examples: the mean over all examples."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._examples = 0

    def add(self, statistics: Statistics, examples: int) -> None:
        self._sum = running_sum(self._sum, statistics[""])
        self._examples += examples

    def add_split(self, statistics: Statistics, examples: int) -> None:
        # A split has no chunks to be independent of, and sums in pairs round less.
        self._sum += float(np.sum(statistics[""], dtype=np.float64))
        self._examples += examples

    def value(self) -> float:
        return self._sum / self._examples if self._examples else math.nan

    def memory(self) -> float:
        return self._sum

    def restore(self, memory: Memory, examples: int) -> None:
        self._sum, self._examples = _number(memory), examples


class Maximum(Accumulator):
    """Of one statistic without a name, the largest of each batch: the largest of all."""

    def __init__(self) -> None:
        self._largest: float | None = None

    def add(self, statistics: Statistics, examples: int) -> None:
        seen = statistics[""] if self._largest is None else np.append(statistics[""], self._largest)
        if examples and len(seen):
            self._largest = float(np.max(seen))

    def value(self) -> float:
        return math.nan if self._largest is None else self._largest

    def memory(self) -> float:
        return 0.0 if self._largest is None else self._largest

    def restore(self, memory: Memory, examples: int) -> None:
        self._largest = _number(memory) if examples else None


class _Arrays(Accumulator):
    """An accumulator whose content is arrays."""

    def __init__(self) -> None:
        self._content: dict[str, NDArray[Any]] = {}

    def memory(self) -> Statistics:
        return dict(self._content)

    def restore(self, memory: Memory, examples: int) -> None:
        if not isinstance(memory, Mapping):
            raise TypeError(f"arrays are restored from arrays, not from {memory!r}")
        self._content = dict(memory)


class Totals(_Arrays):
    """Sums of statistics over steps or examples, and what follows from the sums.

    finish: from the sums, float64 by name, each of its statistic's shape without the first axis.
    terms: what is summed instead of the statistics themselves, from them, each (n, …).
    """

    def __init__(
        self, finish: Callable[[Statistics], float], terms: Callable[[Statistics], Statistics] | None = None
    ) -> None:
        super().__init__()
        self._finish, self._terms = finish, terms

    def add(self, statistics: Statistics, examples: int) -> None:
        full = {name: array.astype(np.float64) for name, array in statistics.items()}
        for name, terms in (full if self._terms is None else self._terms(full)).items():
            before = self._content.get(name, np.zeros(terms.shape[1:]))
            self._content[name] = np.add.accumulate(np.concatenate((before[None], terms)))[-1]

    def value(self) -> float:
        return float(self._finish(self._content)) if self._content else math.nan


class EveryExample(_Arrays):
    """Statistics of examples, all of them kept in their order, for what no sum can tell.

    finish: from the arrays (examples, …) by name, as the backend gave them.
    """

    def __init__(self, finish: Callable[[Statistics], float]) -> None:
        super().__init__()
        self._finish = finish
        self._parts: list[Statistics] = []

    def add(self, statistics: Statistics, examples: int) -> None:
        if examples:
            self._parts.append(statistics)

    def value(self) -> float:
        kept = self.memory()
        return float(self._finish(kept)) if kept else math.nan

    def memory(self) -> Statistics:
        # Joined only now: joining at each step would copy all that came before it.
        parts = [*([self._content] if self._content else []), *self._parts]
        if self._parts:
            self._content = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            self._parts = []
        return dict(self._content)

    def restore(self, memory: Memory, examples: int) -> None:
        super().restore(memory, examples)
        self._parts = []


class Moments(_Arrays):
    """Means of arrays (examples, k) and the sums of squared distances from them, without cancellation.

    Blocks of equally many examples are joined by the rule of Chan, Golub and LeVeque (1979).
    finish: from (n, mean (k,) by name, sum of squared distances (k,) by name).
    terms: the arrays, from the statistics in float64.
    """

    def __init__(
        self,
        finish: Callable[[int, Statistics, Statistics], float],
        terms: Callable[[Statistics], Statistics],
    ) -> None:
        super().__init__()
        self._finish, self._terms = finish, terms

    def add(self, statistics: Statistics, examples: int) -> None:
        terms = self._terms({name: array.astype(np.float64) for name, array in statistics.items()})
        for name, new in terms.items():
            waiting = self._content.get(f"{name}.waiting")
            rows = new if waiting is None else np.concatenate((waiting, new))
            whole = len(rows) - len(rows) % _BLOCK
            for first in range(0, whole, _BLOCK):
                self._content |= self._joined(name, rows[first : first + _BLOCK])
            self._content[f"{name}.waiting"] = rows[whole:].copy()

    def _joined(self, name: str, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The moments of what is known of an array and of more rows of it."""
        mean = rows.mean(axis=0)
        squares = np.sum((rows - mean) ** 2, axis=0)
        before = self._content.get(f"{name}.count")
        if before is None:
            return {f"{name}.count": np.array(float(len(rows))), f"{name}.mean": mean, f"{name}.squares": squares}
        count = before + len(rows)
        apart = mean - self._content[f"{name}.mean"]
        return {
            f"{name}.count": count,
            f"{name}.mean": self._content[f"{name}.mean"] + apart * (len(rows) / count),
            f"{name}.squares": self._content[f"{name}.squares"] + squares + apart**2 * (before * len(rows) / count),
        }

    def value(self) -> float:
        names = [name.removesuffix(".waiting") for name in self._content if name.endswith(".waiting")]
        found = dict(self._content)
        for name in names:
            if len(waiting := self._content[f"{name}.waiting"]):
                found |= self._joined(name, waiting)
        if not names or f"{names[0]}.count" not in found:
            return math.nan
        means = {name: found[f"{name}.mean"] for name in names}
        squares = {name: found[f"{name}.squares"] for name in names}
        return float(self._finish(int(found[f"{names[0]}.count"]), means, squares))


def _number(memory: Memory) -> float:
    if isinstance(memory, Mapping):
        raise TypeError("a number is restored from a number, not from arrays")
    return float(memory)
