"""The division of a source's examples into splits, as its fields and the data say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nnctl.data.source import SPLITS, Source, SplitHints
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

    labels (n,): None where targets are values. What the data assign to validation or the test stays there; of the test
    `test` takes a part. Raises DataError where nothing is left to train on.
    """
    sampler = Sampler(source.split, seed)
    given = np.zeros(n, dtype=np.int8) if hints.assigned is None else hints.assigned
    rest, own_validation, own_test = (np.flatnonzero(given == number) for number in range(len(SPLITS)))
    if source.divides:
        if source.subset is not None:
            rest = rest[subset(_of(labels, rest), len(rest), source.subset, sampler, Purpose.SUBSET)]
        return Division(rest, own_validation, own_test)
    train, validation, test = partition(
        _of(labels, rest),
        len(rest),
        test=None if source.own_test_set or len(own_test) else source.test,
        validation=None if source.fold or len(own_validation) else source.validation,
        sampler=sampler,
    )
    if source.fold is not None:
        train, validation = fold(_of(labels, rest[train]), train, *source.fold, sampler)
    if source.subset is not None:
        train = train[subset(_of(labels, rest[train]), len(train), source.subset, sampler, Purpose.SUBSET)]
    if len(own_test) and source.test is not None:
        drawn = subset(_of(labels, own_test), len(own_test), source.test, sampler, Purpose.TEST_SUBSET)
        own_test = own_test[drawn]
    return Division(
        rest[train],
        own_validation if len(own_validation) else rest[validation],
        own_test if len(own_test) else rest[test],
    )


def _of(labels: NDArray[np.int64] | None, indices: Indices) -> NDArray[np.int64] | None:
    """The labels of some examples, where there are labels."""
    return None if labels is None else labels[indices]
