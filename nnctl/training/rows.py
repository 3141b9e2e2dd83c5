"""Which rows of the engine's split "train" a stretch of steps reads.

Without augmentation the training set lies there whole, and an epoch is an order of
its rows. With it, the split holds a window: the examples of the next steps in the
epoch's order, changed, and written anew when the window is used up. Windows begin at
the same steps however the run is cut, and what is drawn for an example depends on
(seed, epoch, position in the epoch) alone: a run resumed within a window makes it again.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nnctl.data.augmentations.apply import Augmenter
from nnctl.data.batches import contiguous_order, epoch_order
from nnctl.data.dataset import Dataset, Split
from nnctl.data.streams import Purpose
from nnctl.engine.engine import Engine
from nnctl.spec.document import Spec
from nnctl.training.timetable import Timetable

_WINDOW = 1024
"""Examples augmented at a time: enough to be fast, few enough that signals are answered. Part of what
mixup computes, since partners come from one window."""

Indices = NDArray[np.int64]


class TrainingRows(Protocol):
    """The training set as the loop sees it."""

    def within(self, first: int, most: int) -> int:
        """At most how many of `most` steps, the first at position `first` of an epoch, run in one go."""

    def take(self, epoch: int, first: int, behind: int) -> Indices:
        """Rows of the split "train" with the examples at positions first…behind−1 of the epoch, (behind − first,)."""


class ResidentRows:
    """The training set, whole."""

    def __init__(self, spec: Spec, examples: int) -> None:
        self._seed, self._shuffle = spec.seed, spec.schedule.shuffle
        self._examples = examples
        # The order of a contiguous source is the same in each epoch.
        self._fixed = contiguous_order(*_whole(spec, examples)) if spec.data.contiguous else None
        self._order: tuple[int, Indices] | None = None

    def within(self, first: int, most: int) -> int:
        """See `TrainingRows`."""
        return most

    def take(self, epoch: int, first: int, behind: int) -> Indices:
        """See `TrainingRows`."""
        if self._fixed is not None:
            return self._fixed[first:behind]
        if self._order is None or self._order[0] != epoch:
            self._order = (epoch, epoch_order(self._seed, epoch, self._examples, self._shuffle))
        return self._order[1][first:behind]


def _whole(spec: Spec, examples: int) -> tuple[int, int]:
    """(examples that fill whole batches, batch)."""
    timetable = Timetable.of_spec(spec, examples)
    return timetable.examples, timetable.batch


class AugmentedRows:
    """A window of changed examples. batch: examples a step. Binds the engine's split "train"."""

    def __init__(self, engine: Engine, spec: Spec, train: Split, augmenter: Augmenter, batch: int) -> None:
        self._engine, self._train, self._augmenter = engine, train, augmenter
        self._resident = ResidentRows(spec, len(train))
        self._batch = batch
        self._size = batch * max(1, _WINDOW // batch)
        self._window: tuple[int, int] | None = None
        held = min(self._size, len(train))
        engine.bind("train", train.inputs[:held], train.targets[:held])

    def within(self, first: int, most: int) -> int:
        """See `TrainingRows`."""
        return min(most, (self._size - first % self._size) // self._batch)

    def take(self, epoch: int, first: int, behind: int) -> Indices:
        """See `TrainingRows`."""
        start = first // self._size * self._size
        if self._window != (epoch, start):
            rows = self._resident.take(epoch, start, start + self._size)
            changed = self._augmenter(self._train.inputs[rows], self._train.targets[rows], epoch, start)
            self._engine.refill("train", *changed)
            self._window = (epoch, start)
        return np.arange(first - start, behind - start, dtype=np.int64)


def bind_training_set(engine: Engine, spec: Spec, data: Dataset) -> TrainingRows:
    """Bind the engine's split "train" to the training set, or to windows of it where the spec augments."""
    augment = spec.data.augmentations
    if not augment:
        engine.bind("train", data.train.inputs, data.train.targets)
        return ResidentRows(spec, len(data.train))
    batch = Timetable.of_spec(spec, len(data.train)).batch
    return AugmentedRows(engine, spec, data.train, Augmenter(augment, data.unit, spec.seed, Purpose.AUGMENT), batch)
