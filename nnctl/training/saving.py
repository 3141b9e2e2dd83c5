"""Saving: when a run's checkpoints are written, and which steps they hold."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from typing import Any, Protocol

from nnctl.process.together import aside
from nnctl.runs.checkpoints import Checkpoint
from nnctl.training.events import Event, Saved, Saving, computing

SAVE_SECONDS = 0.5
"""At most this much work is lost, unless saving is slow: it may cost a twentieth of the time."""
SAVE_SHARE = 20.0


class Store(Protocol):
    """A place for checkpoints."""

    def save(self, checkpoint: Checkpoint, *names: str) -> None:
        """Keep a checkpoint as `best` and `last`, or as one of these, in this order, replacing the one before."""

    def load(self, name: str) -> Checkpoint:
        """Give back a checkpoint that was saved. Raises RunError."""


class Saver:
    """The checkpoints of a run on their way to a store; without one the best is kept in memory.

    identity: what the checkpoints say of the run besides its state (the resolved spec, the data's fingerprint).
    clock: seconds. step: of the last checkpoint that was saved; None before the first. best: the best weights' that
    the store has not got yet.
    """

    def __init__(
        self,
        store: Store | None = None,
        identity: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.store = store
        self.identity = dict(identity or {})
        self.step: int | None = None
        self.best: Checkpoint | None = None
        self._clock = clock
        self._at = clock()
        self._cost = 0.0

    def begin(self) -> None:
        """Let the time until a checkpoint is due begin now."""
        self._at = self._clock()

    @property
    def due(self) -> bool:
        """True where so much time has gone by since the last checkpoint that the next is due."""
        return self._clock() - self._at >= max(SAVE_SECONDS, SAVE_SHARE * self._cost)

    def save(self, step: int, checkpoint: Callable[[], Checkpoint]) -> Iterator[Event]:
        """Write the best and the last checkpoint, which is that of `step`, unless they are written."""
        if self.store is None or self.step == step:
            return
        yield Saving(step)
        before = self._clock()
        # Best first. Killed between the two, `best` is ahead of `last`; the steps from
        # `last` on are the same again and meet the same best.
        if self.best is not None and self.best.progress["step"] == step:
            yield from self._write(self.best, "best", "last")
            self.best = None
        else:
            if self.best is not None:
                yield from self._write(self.best, "best")
                self.best = None
            yield from self._write(checkpoint(), "last")
        self.step, self._at = step, self._clock()
        self._cost = self._at - before
        yield Saved(step)

    def _write(self, checkpoint: Checkpoint, *names: str) -> Generator[Event, None, None]:
        """Write a checkpoint, which nobody changes, and give way where others may go on meanwhile."""
        assert self.store is not None
        yield from computing(aside(partial(self.store.save, checkpoint, *names)))

    def save_best(self) -> None:
        """Write the best checkpoint, unless it is written."""
        if self.store is not None and self.best is not None:
            self.store.save(self.best, "best")
            self.best = None

    def load_best(self) -> Checkpoint | None:
        """The best checkpoint, from the store where there is one. Raises RunError."""
        return self.best if self.store is None else self.store.load("best")

    def words(self, step: int) -> str:
        """The sentence on what is left of a run that ends after `step` without saving."""
        if self.step is None:
            return f"step {step} was done, and no checkpoint had been saved"
        return f"step {step} was done; the checkpoint of step {self.step} is whole, --resume goes on from it"
