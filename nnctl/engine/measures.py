"""Measures: the numbers of a row, gathered from the steps of training or from the batches of a split."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.accumulators import Accumulator, running_sum
from nnctl.components.base import Metric
from nnctl.graph import interface

Array = NDArray[Any]


class Gathered:
    """The accumulators of metrics, given what a graph says of its batches.

    metrics: by column, as the graph was built with. per_example: names of the outputs that
    have rows for each example.
    """

    def __init__(self, metrics: Mapping[str, Metric], per_example: Collection[str]) -> None:
        self.accumulators: dict[str, Accumulator] = {column: metric.start() for column, metric in metrics.items()}
        self.counted = 0
        """Number of examples that the metrics are of, or, where labels are left out, of labels that count."""
        self._per_example = per_example

    def add(self, outputs: Mapping[str, Array], examples: int) -> None:
        """Take in steps, of so many examples together. outputs: by name, (steps, …)."""
        counted, flat = self._without_left_out(self._flat(outputs), examples)
        for column, statistics in self._statistics(flat).items():
            self.accumulators[column].add(statistics, counted)

    def add_split(self, parts: Sequence[Mapping[str, Array]], examples: int) -> None:
        """Take in all batches of a split, as outputs of runs of equal batches."""
        flat = [self._flat(part) for part in parts]
        joined = {name: np.concatenate([part[name] for part in flat]) for name in flat[0]}
        counted, kept = self._without_left_out(joined, examples)
        for column, statistics in self._statistics(kept).items():
            self.accumulators[column].add_split(statistics, counted)

    def _flat(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        """Each (steps, …), or of what has rows for each example (steps · rows, …)."""
        return {
            name: array.reshape(-1, *array.shape[2:]) if name in self._per_example else array
            for name, array in outputs.items()
        }

    def _without_left_out(self, outputs: Mapping[str, Array], examples: int) -> tuple[int, Mapping[str, Array]]:
        """(number, outputs) of what the metrics are of: without the rows of labels that are left out."""
        if interface.LABELS_COUNTED in outputs:
            # Whole numbers, each exact in float32 below 2²⁴.
            examples = int(outputs[interface.LABELS_COUNTED].sum(dtype=np.float64))
        self.counted += examples
        each = outputs.get(interface.EACH_COUNTED)
        if each is None:
            return examples, outputs
        kept = each > 0.0
        return examples, {n: a[kept] if n in self._per_example else a for n, a in outputs.items()}

    def _statistics(self, outputs: Mapping[str, Array]) -> dict[str, dict[str, Array]]:
        """Each metric's statistics by their names."""
        found: dict[str, dict[str, Array]] = {column: {} for column in self.accumulators}
        for output, array in outputs.items():
            column, name = (output, "") if output in found else interface.statistic_of(output)
            if column in found:
                found[column][name] = array
        return found

    def values(self) -> dict[str, float]:
        """The metrics by column; NaN where one is not defined for these examples."""
        return {column: accumulator.value() for column, accumulator in self.accumulators.items()}


class Measures:
    """The cost, the metrics and the step metrics of all examples that were added.

    The cost is a mean by the examples' weights, a step metric one by their number; of a
    metric its accumulator knows. Arguments: see `Gathered`; step_metrics: columns; ignores: whether
    labels are left out.
    """

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        step_metrics: Sequence[str] = (),
        per_example: Collection[str] = (),
        *,
        ignores: bool = False,
    ) -> None:
        self._ignores = ignores
        self._gathered = Gathered(metrics, per_example)
        self._step_sums = dict.fromkeys(step_metrics, 0.0)
        self._weight = self._cost = 0.0
        self._examples = 0

    def add(self, outputs: Mapping[str, Array], batch: int) -> None:
        """Take in steps of training. outputs: by name, (steps, …), each of a batch of so many examples."""
        weights = outputs[interface.WEIGHT].astype(np.float64)
        count = batch * len(weights)
        self._weight = running_sum(self._weight, weights)
        self._cost = running_sum(self._cost, weights * outputs[interface.COST])
        self._examples += count
        self._gathered.add(outputs, count)
        for column, before in self._step_sums.items():
            self._step_sums[column] = running_sum(before, batch * outputs[column].astype(np.float64))

    def add_split(self, parts: Sequence[Mapping[str, Array]], examples: int) -> None:
        """Take in all batches of a split, as outputs by name of runs of equal batches."""
        costs, weights = (
            np.concatenate([part[name] for part in parts], dtype=np.float64)
            for name in (interface.COST, interface.WEIGHT)
        )
        # All batches are there: in pairs, sums round less than one term after the other.
        self._weight += float(np.sum(weights))
        self._cost += float(np.sum(costs * weights))
        self._examples += examples
        self._gathered.add_split(parts, examples)

    @property
    def cost(self) -> float:
        """The mean cost; NaN before the first example."""
        return self._cost / self._weight if self._weight else math.nan

    def metrics(self) -> dict[str, float]:
        """The cost, then the metrics by column; NaN where one is not defined for these examples."""
        return {interface.COST: self.cost, **self._gathered.values()}

    def step_metrics(self) -> dict[str, float]:
        """The step metrics by column."""
        return {name: total / self._examples if self._examples else math.nan for name, total in self._step_sums.items()}

    # -- checkpoints -----------------------------------------------------------

    def sums(self) -> dict[str, float | None]:
        """The numbers that `restore` needs, JSON-able: one that is not finite is None."""
        numbers: dict[str, float] = {
            "weight": self._weight,
            "examples": float(self._examples),
            interface.COST: self._cost,
            **self._step_sums,
        }
        if self._ignores:
            numbers[interface.LABELS_COUNTED] = float(self._gathered.counted)
        for column, accumulator in self._gathered.accumulators.items():
            memory = accumulator.memory()
            if not isinstance(memory, Mapping):
                numbers[column] = memory
        return {name: number if math.isfinite(number) else None for name, number in numbers.items()}

    def arrays(self) -> dict[str, Array]:
        """The arrays that `restore` needs, by "<column>/<name>"."""
        memories = {column: accumulator.memory() for column, accumulator in self._gathered.accumulators.items()}
        return {
            interface.statistic(column, name): array
            for column, memory in memories.items()
            if isinstance(memory, Mapping)
            for name, array in memory.items()
        }

    def restore(self, sums: Mapping[str, float | None], arrays: Mapping[str, Array]) -> None:
        """Continue from the `sums` and `arrays` of measures of the same net."""
        numbers = {name: math.nan if number is None else number for name, number in sums.items()}
        self._weight, self._cost = numbers["weight"], numbers[interface.COST]
        self._examples = int(numbers["examples"])
        self._gathered.counted = int(numbers[interface.LABELS_COUNTED]) if self._ignores else self._examples
        self._step_sums = {name: numbers[name] for name in self._step_sums}
        memories: dict[str, dict[str, Array]] = {column: {} for column in self._gathered.accumulators}
        for key, array in arrays.items():
            column, name = interface.statistic_of(key)
            memories[column][name] = array
        for column, accumulator in self._gathered.accumulators.items():
            accumulator.restore(numbers.get(column, memories[column]), self._gathered.counted)
