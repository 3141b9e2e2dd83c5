"""The splits of a run's data, bound to the engine's feed as training reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.data.augment import Augmenter
from nnctl.data.batches import FixedOrder, Order, SeededOrder, contiguous_order
from nnctl.data.dataset import Dataset, Split
from nnctl.data.stored.arrays import LazyRows
from nnctl.data.streams import Purpose
from nnctl.data.training_windows import TrainingWindows
from nnctl.engine.feed import Feed
from nnctl.process.cores import cores
from nnctl.spec.document import Spec
from nnctl.training.timetable import Timetable

WATCHED = "watched"
"""Name in the feed of the examples that the layers are watched on."""


def bind_training_set(feed: Feed, spec: Spec, data: Dataset, threads: int | None = None) -> None:
    """Bind "train" to the training set, or to windows of it where the spec augments or the examples lie on disk.

    threads: that the process may keep busy, one a core if None. Where there are several, the next
    window is made on one of its own, whatever number the spec's backend has.
    """
    train = data.train
    if not spec.data.augmentations and not isinstance(train.inputs, LazyRows):
        feed.bind("train", train.inputs, train.targets, training_order(spec, len(train)), train.weights)
        return
    epochs = Timetable.of_spec(spec, len(train)).epochs
    feed.bind_windows("train", training_windows(spec, data), epochs=epochs, ahead=(threads or cores()) > 1)


def training_windows(spec: Spec, data: Dataset) -> TrainingWindows:
    """The training set in windows, changed as the spec augments it."""
    train, augment = data.train, spec.data.augmentations
    augmenter = Augmenter(augment, data.unit, spec.seed, Purpose.AUGMENT) if augment else None
    order, batch = training_order(spec, len(train)), Timetable.of_spec(spec, len(train)).batch
    return TrainingWindows.of(train.inputs, train.targets, train.weights, order, augmenter, batch)


def bind_other_splits(feed: Feed, data: Dataset) -> None:
    """Bind the validation and the test split, where there are any."""
    for name, split in data.splits.items():
        if name != "train":
            bind_whole(feed, name, split)


def bind_watched(feed: Feed, spec: Spec, data: Dataset, examples: int) -> None:
    """Bind the training examples, so many at most, that the layers are watched on."""
    rows = drawn(spec, "watch", len(data.train), examples)
    weights = None if data.train.weights is None else data.train.weights[rows]
    feed.bind(WATCHED, data.train.inputs[rows], data.train.targets[rows], weights=weights)


def drawn(spec: Spec, purpose: str, size: int, wanted: int) -> NDArray[np.int64]:
    """Rows of a split of `size`, in order: `wanted` drawn once by the seed, the first of a contiguous text, or all."""
    if wanted >= size or spec.data.contiguous:
        return np.arange(min(wanted, size), dtype=np.int64)
    seeds = np.random.SeedSequence([spec.seed, int.from_bytes(purpose.encode())])
    order = np.random.Generator(np.random.Philox(seeds)).permutation(size)
    return np.sort(order[:wanted]).astype(np.int64)


def bind_whole(feed: Feed, name: str, split: Split) -> None:
    """Bind a split that is measured, where it lies."""
    if isinstance(split.inputs, LazyRows):
        feed.bind_stored(name, split.inputs, split.targets, split.weights)
    else:
        feed.bind(name, split.inputs, split.targets, weights=split.weights)


def training_order(spec: Spec, examples: int) -> Order:
    """The order in which epochs read so many training examples."""
    if spec.data.contiguous:
        timetable = Timetable.of_spec(spec, examples)
        return FixedOrder(contiguous_order(timetable.examples, timetable.batch))
    return SeededOrder(spec.seed, examples, spec.schedule.shuffle)
