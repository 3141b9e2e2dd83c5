"""The division of a source's examples into splits, as its fields and the data say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.data.examples import SplitHints
from nnctl.data.grouping import Groups, latest
from nnctl.data.source import SPLITS, Portion, Source
from nnctl.data.splits import Indices, Sampler, fold, partition, require_fold, require_rest, size_of, subset
from nnctl.data.streams import Purpose
from nnctl.errors import DataError
from nnctl.late import dataclass


@dataclass(frozen=True)
class Division:
    """Increasing indices of the examples of each split; validation and test may be empty."""

    train: Indices
    validation: Indices
    test: Indices

    @property
    def used(self) -> Indices:
        """The indices of all splits together, increasing."""
        return np.sort(np.concatenate([self.train, self.validation, self.test]))

    def among(self, used: Indices) -> Division:
        """The same, counted among the examples `used`."""
        return Division(*(np.searchsorted(used, part) for part in (self.train, self.validation, self.test)))


def divide(source: Source, labels: NDArray[np.int64] | None, hints: SplitHints, n: int, seed: int) -> Division:
    """The division of n examples, those of the source's own test set not counted.

    labels (n,): None where targets are values. What the data assign to validation or the test stays there, but folds
    are of all that is not for the test, and `test` takes a part of what is. Raises DataError where nothing is left to
    train on.
    """
    sampler = Sampler(source.sampling, seed)
    given = np.zeros(n, dtype=np.int8) if hints.assigned is None else hints.assigned
    train, own_validation, own_test = (np.flatnonzero(given == number) for number in range(len(SPLITS)))
    if source.fold is not None and len(own_validation):
        train, own_validation = np.flatnonzero(given < 2), own_validation[:0]
    asked = source.portion("validation")
    if asked and len(own_validation):
        raise DataError("the data says which examples are for validation: remove validation, or that", "validation")
    if not len(train):
        raise DataError("the data assigns no example to training", "split")
    draw = _Draw(source, sampler, _of(labels, train), hints.of_rows(train), len(train))
    left, drawn, held = draw.partition(
        test=None if source.own_test_set or len(own_test) else source.portion("test"),
        validation=None if source.fold else asked,
    )
    if source.fold is not None:
        left, drawn = draw.fold(left, *source.fold)
    if (portion := source.portion("test")) is not None and len(own_test):
        part = subset(_of(labels, own_test), len(own_test), portion, sampler, Purpose.TEST_SUBSET)
        own_test = own_test[part]
    validation = own_validation if len(own_validation) else train[drawn]
    test = own_test if len(own_test) else train[held]
    train = train[left]
    if source.subset is not None:
        train = train[subset(_of(labels, train), len(train), source.subset, sampler, Purpose.SUBSET)]
    return Division(train, validation, test)


@dataclass(frozen=True)
class _Draw:
    """A draw of splits among n examples: by class or by chance, by groups, or in time. Indices are among these."""

    source: Source
    sampler: Sampler
    labels: NDArray[np.int64] | None
    hints: SplitHints
    n: int

    def partition(self, test: Portion | None, validation: Portion | None) -> tuple[Indices, Indices, Indices]:
        """(train, validation, test)."""
        if self.hints.groups is None and self.hints.times is None:
            return partition(self.labels, self.n, test=test, validation=validation, sampler=self.sampler)
        require_rest(self.n, test=test, validation=validation)
        rest = np.arange(self.n, dtype=np.int64)
        held_out: list[Indices] = []
        for name, portion, purpose in (
            ("test", test, Purpose.TEST_SPLIT),
            ("validation", validation, Purpose.VALIDATION_SPLIT),
        ):
            k = size_of(portion, self.n)
            mask = self._mask(name, rest, k, purpose) if k else np.zeros(len(rest), dtype=np.bool_)
            held_out.append(rest[mask])
            rest = rest[~mask]
        return rest, held_out[1], held_out[0]

    def fold(self, rest: Indices, which: int, folds: int) -> tuple[Indices, Indices]:
        """(train, validation) of `rest`."""
        labels = _of(self.labels, rest)
        if self.hints.folds is not None:
            return _own_fold(self.hints.folds[rest], rest, which, folds)
        if self.hints.times is not None:
            raise DataError(
                "folds would train on later examples than they validate on, and the split is in time", "fold"
            )
        if self.hints.groups is None:
            return fold(labels, rest, which, folds, self.sampler)
        require_fold(which, folds)
        dealt = Groups.among(self.hints.groups[rest], labels, self.sampler).deal(folds, self.sampler.seed)
        return rest[dealt != which], rest[dealt == which]

    def _mask(self, name: str, rest: Indices, k: int, purpose: Purpose) -> NDArray[np.bool_]:
        """The examples of `rest` to hold out, nearly k. Raises DataError where there are no more than k left."""
        if k >= len(rest):
            raise DataError(
                f"what is held out for the test leaves {len(rest):,} examples, and {k:,} are asked for {name}: "
                "groups and equal times are not divided\n  ask for fewer",
                name,
            )
        if self.hints.times is not None:
            return latest(self.hints.times[rest], k)
        if self.hints.groups is None:
            raise TypeError("examples without groups are drawn one by one")
        labels = _of(self.labels, rest)
        groups = Groups.among(self.hints.groups[rest], labels, self.sampler)
        if len(groups.sizes) < 2:
            raise DataError(f"all examples left are of one group: none can be held out for {name}", name)
        return groups.draw(k, self.sampler.seed, purpose)


def _own_fold(folds: NDArray[np.int64], rest: Indices, which: int, count: int) -> tuple[Indices, Indices]:
    """(train, validation): validation are the examples whose own fold it is."""
    require_fold(which, count)
    if count != folds.max() + 1:
        raise DataError(f"the data has the folds 0 to {folds.max()}: [{which}, {folds.max() + 1}] would be one", "fold")
    if not (folds == which).any():
        raise DataError(f"no example is of fold {which}", "fold")
    return rest[folds != which], rest[folds == which]


def _of(labels: NDArray[np.int64] | None, indices: Indices) -> NDArray[np.int64] | None:
    """The labels of some examples, where there are labels."""
    return None if labels is None else labels[indices]
