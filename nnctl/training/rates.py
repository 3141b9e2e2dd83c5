"""The optimizer's scheduled values, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import MonitoredSchedule, Optimizer, Schedule
from nnctl.training.timetable import Timetable


class Rates:
    """Learning rate and momentum, or what has its place, of each step.

    The learning rate is `schedule.rate_at(optimizer's, t, total)`, with t
    the epoch or the step as the schedule's `unit` says. A monitored schedule has a
    memory instead of a time: its factor holds until the next evaluation.
    """

    def __init__(self, schedule: Schedule, optimizer: Optimizer, timetable: Timetable) -> None:
        self.schedule = schedule
        self._bases = optimizer.rates()
        self._inertia = optimizer.inertia
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

    def jump(self, steps: int, step: int) -> str | None:
        """Words on values that go on at `step` on another curve than that of a run of `steps` steps; None for none.

        A schedule that ends with the run is another one once the run has more epochs.
        """
        if not step or steps == self.timetable.steps:
            return None
        before = copy(self)
        before.timetable = replace(self.timetable, epochs=steps // self.timetable.steps_per_epoch)
        old, same, new = before.values(step - 1, 1), self.values(step - 1, 1), self.values(step, 1)
        words = [
            f"the {name.replace('_', ' ')} was {old[name][0]:.4g} in step {step:,} and goes on with {new[name][0]:.4g}"
            for name in self._bases
            if old[name][0] != same[name][0]
        ]
        if not words:
            return None
        return (
            f"{' and '.join(words)}: the schedule {self.schedule.type} ends with the run, "
            f"which had {before.timetable.epochs:,} epochs and now has {self.timetable.epochs:,}"
        )

    def _at(self, name: str, t: int, total: int) -> float:
        base = self._bases[name]
        if name == "learning_rate":
            if self.memory is not None:
                return base * float(self.memory["factor"])
            return self.schedule.rate_at(base, t, total)
        if name == self._inertia and base:
            momentum = self.schedule.momentum_at(t, total)
            return base if momentum is None else momentum
        return base

    def values(self, step: int, count: int) -> dict[str, NDArray[np.float64]]:
        """The scheduled values of `count` steps from `step` on, each of shape (count,)."""
        times: Sequence[int] = range(step, step + count)
        total = self.timetable.steps
        if self.schedule.unit == "epoch":
            first, last = (self.timetable.epoch_of(each) for each in (step, step + count - 1))
            total = self.timetable.epochs
            if first == last:
                return {name: np.full(count, self._at(name, first, total)) for name in self._bases}
            times = [self.timetable.epoch_of(each) for each in times]
        return {name: np.array([self._at(name, t, total) for t in times], dtype=np.float64) for name in self._bases}

    def learning_rate(self, step: int) -> float:
        """The learning rate of one step."""
        if self.schedule.unit == "epoch":
            return float(self._at("learning_rate", self.timetable.epoch_of(step), self.timetable.epochs))
        return float(self._at("learning_rate", step, self.timetable.steps))


def at_step(values: Mapping[str, NDArray[Any]], index: int) -> dict[str, float]:
    """The scheduled values of one step of a chunk, by its index in there."""
    return {name: float(array[index]) for name, array in values.items()}
