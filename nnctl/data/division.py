"""The division of a source's examples into splits, as its fields and the data say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnctl.data.source import Source, SplitHints
from nnctl.data.splits import Indices, Sampler, fold, partition, subset
from nnctl.data.streams import Purpose


@dataclass(frozen=True)
class Division:
    """Increasing indices of the examples of each split; validation and test may be empty."""

    train: Indices
    validation: Indices
    test: Indices


def divide(source: Source, labels: NDArray[np.int64] | None, hints: SplitHints, n: int, seed: int) -> Division:
    """The division of n examples, those of the source's own test set not counted.

    labels (n,): None where targets are values. Raises DataError where nothing is left to train on.
    """
    sampler = Sampler(source.split, seed)
    train, validation, test = partition(
        labels,
        n,
        test=None if source.own_test_set else source.test,
        validation=None if source.fold else source.validation,
        sampler=sampler,
    )
    if source.fold is not None:
        train, validation = fold(None if labels is None else labels[train], train, *source.fold, sampler)
    if source.subset is not None:
        part = None if labels is None else labels[train]
        train = train[subset(part, len(train), source.subset, sampler, Purpose.SUBSET)]
    return Division(train, validation, test)
