"""Trials that one process trains: of different seeds, rates and first weights, a chunk of each in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backends.spec_steps import Array, SpecSteps
from nnctl.graph import interface

STEPS = 12
"""Of a trial, at the most."""


def given(number: int, spec: SpecSteps, *, diverges: bool) -> tuple[dict[str, Array], dict[str, Array]]:
    """(storage, feeds) of a trial; one that diverges does so in its second step."""
    rng = np.random.default_rng(number)
    storage = {
        key: array + rng.normal(0.0, 0.1, array.shape).astype(np.float32)
        if key in spec.network.structure.parameters
        else array.copy()
        for key, array in spec.storage.items()
    }
    if interface.SEED in storage:
        storage[interface.SEED] += number
    feeds = spec.feeds(STEPS)
    feeds["learning_rate"] = feeds["learning_rate"] * np.float32(1 + number)
    if diverges:
        feeds["learning_rate"][1] = np.nan
    return storage, feeds


class Trial:
    """A trial under way, and what it has given so far. steps: what starts its chunks. chunks: their lengths."""

    def __init__(
        self, steps: Any, storage: Mapping[str, Any], feeds: Mapping[str, Array], chunks: Sequence[int]
    ) -> None:
        self.steps, self.storage, self.feeds = steps, storage, feeds
        self.chunks = list(chunks)
        self.done = 0
        self.found: list[Any] = []

    def start(self) -> Any:
        count = self.chunks.pop(0)
        pending = self.steps.start({k: v[self.done : self.done + count] for k, v in self.feeds.items()}, count)
        self.done += count
        return pending

    def land(self, pending: Any) -> None:
        result = pending.result()
        assert pending.result().completed == result.completed
        assert result.seconds >= 0.0
        self.found.append((result.completed, {name: array.tobytes() for name, array in result.outputs.items()}))
        if sum(completed for completed, _ in self.found) < self.done:
            self.chunks.clear()

    def stored(self) -> Mapping[str, Array]:
        """What its steps have changed, on the host."""
        return self.storage

    def bits(self) -> Any:
        return self.found, {name: array.tobytes() for name, array in self.stored().items()}


def together(trials: Sequence[Trial]) -> list[Any]:
    """The bits of all of them, driven to their ends as a process does: each lands its chunk and begins the next."""
    under_way: dict[int, Any] = {}
    while any(trial.chunks for trial in trials) or under_way:
        for number, trial in enumerate(trials):
            if number in under_way:
                trial.land(under_way.pop(number))
            if trial.chunks:
                under_way[number] = trial.start()
    return [trial.bits() for trial in trials]
