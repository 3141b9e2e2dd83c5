"""The optimizer's scheduled values, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import MonitoredSchedule, Optimizer, Schedule
from nnctl.training.timetable import Timetable


class Rates:
    """Learning rate and momentum of each step.

    The learning rate is the optimizer's times `schedule.factor_at(t, total)`, with t
    the epoch or the step as the schedule's `unit` says. A monitored schedule has a
    memory instead of a time: its factor holds until the next evaluation.
    """

    def __init__(self, schedule: Schedule, optimizer: Optimizer, timetable: Timetable) -> None:
        self.schedule = schedule
        self._bases = optimizer.rates()
        self.timetable = timetable
        self.memory: dict[str, Any] | None = None
        if isinstance(schedule, MonitoredSchedule):
            self.memory = schedule.initial()

    def observe(self, value: float, higher_is_better: bool) -> None:
        """Give a monitored schedule the number that an evaluation measured."""
        if isinstance(self.schedule, MonitoredSchedule) and self.memory is not None:
            self.memory = self.schedule.observe(self.memory, value, higher_is_better)

    @property
    def exhausted(self) -> bool:
        """True where a monitored schedule asks training to end: its rate is at the floor."""
        return self.memory is not None and bool(self.memory.get("stop"))

    @property
    def advice(self) -> tuple[str, ...]:
        """A sentence for each doubt about the schedule over a run of this length."""
        total = self.timetable.epochs if self.schedule.unit == "epoch" else self.timetable.steps
        return self.schedule.advice(total)

    def _at(self, name: str, t: int, total: int) -> float:
        base = self._bases[name]
        if name == "learning_rate":
            factor = self.memory["factor"] if self.memory is not None else self.schedule.factor_at(t, total)
            return base * float(factor)
        if name == "momentum":
            momentum = self.schedule.momentum_at(t, total)
            return base if momentum is None else momentum
        return base

    def values(self, step: int, count: int) -> dict[str, NDArray[np.float64]]:
        """The scheduled values of `count` steps of one epoch from `step` on, each of shape (count,)."""
        if self.schedule.unit == "epoch":
            t, total = self.timetable.epoch_of(step), self.timetable.epochs
            return {name: np.full(count, self._at(name, t, total)) for name in self._bases}
        total = self.timetable.steps
        return {
            name: np.array([self._at(name, t, total) for t in range(step, step + count)], dtype=np.float64)
            for name in self._bases
        }

    def learning_rate(self, step: int) -> float:
        """The learning rate of one step."""
        return float(self.values(step, 1)["learning_rate"][0])


def at_step(values: Mapping[str, NDArray[Any]], index: int) -> dict[str, float]:
    """The scheduled values of one step of a chunk, by its index in there."""
    return {name: float(array[index]) for name, array in values.items()}
