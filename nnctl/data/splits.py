"""Splits of the examples: counts, proportions, seeded draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.data.source import Portion, SplitRule
from nnctl.data.streams import Purpose, permutation
from nnctl.errors import DataError
from nnctl.late import dataclass

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Sampler:
    """A sampler of k of n examples by a rule, from the stream of (seed, purpose).

    The numbers of a draw do not depend on other draws, so a changed validation
    size leaves the test split as it was.
    """

    rule: SplitRule
    seed: int

    def draw(self, labels: NDArray[np.int64] | None, n: int, k: int, purpose: Purpose) -> NDArray[np.bool_]:
        """A mask (n,) with k True. labels (n,), or None where there are no classes.

        Ordered: the last k, but for a subset or a share of a test set the first k.
        """
        chosen = np.zeros(n, dtype=np.bool_)
        if self.rule == "ordered":
            held_out = purpose in (Purpose.TEST_SPLIT, Purpose.VALIDATION_SPLIT)
            chosen[n - k if held_out else 0 : n if held_out else k] = True
            return chosen
        order = permutation(n, self.seed, purpose)
        if self.rule == "random" or labels is None:
            chosen[order[:k]] = True
            return chosen
        sizes = np.bincount(labels)
        by_class = order[np.argsort(labels[order], kind="stable")]
        place_in_class = np.arange(n) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        chosen[by_class[place_in_class < np.repeat(apportion(sizes, k), sizes)]] = True
        return chosen


def apportion(sizes: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """k shared among groups in proportion to `sizes`, each within 1 of its exact quota.

    Largest remainders (Hamilton's method); among equal ones the earlier group. Integer arithmetic.
    """
    total = int(sizes.sum())
    quotas = sizes.astype(np.int64) * k
    shares = quotas // total
    remainders = quotas % total
    order = np.argsort(-remainders, kind="stable")
    shares[order[: k - int(shares.sum())]] += 1
    return shares


def size_of(portion: Portion | None, n: int) -> int:
    """The number of examples, of n, that a portion asks for; a share rounds to the nearest, but not to 0."""
    if portion is None:
        return 0
    if isinstance(portion, int):
        return portion
    return max(1, int(portion * n + 0.5))


def partition(
    labels: NDArray[np.int64] | None, n: int, *, test: Portion | None, validation: Portion | None, sampler: Sampler
) -> tuple[Indices, Indices, Indices]:
    """(train, validation, test): disjoint increasing indices that together are 0…n−1.

    Shares are of all n. Raises DataError where nothing is left to train on.
    """
    sizes = require_rest(n, test=test, validation=validation)
    rest = np.arange(n, dtype=np.int64)
    held_out: list[Indices] = []
    for name, purpose in (("test", Purpose.TEST_SPLIT), ("validation", Purpose.VALIDATION_SPLIT)):
        mask = sampler.draw(None if labels is None else labels[rest], len(rest), sizes[name], purpose)
        held_out.append(rest[mask])
        rest = rest[~mask]
    return rest, held_out[1], held_out[0]


def require_rest(n: int, *, test: Portion | None, validation: Portion | None) -> dict[str, int]:
    """The sizes of the splits to hold out of n examples. Raises DataError where nothing is left to train on."""
    sizes = {"test": size_of(test, n), "validation": size_of(validation, n)}
    if sum(sizes.values()) >= n:
        sizes_in_words = " and ".join(f"{size:,} for {name}" for name, size in sizes.items() if size)
        raise DataError(
            f"{sizes_in_words} leave nothing to train on: the data holds {n:,} example{'s' * (n != 1)} in all\n"
            "  ask for fewer with data.validation and data.test",
            "validation" if validation is not None else "test",
        )
    return sizes


def fold(
    labels: NDArray[np.int64] | None, rest: Indices, which: int, folds: int, sampler: Sampler
) -> tuple[Indices, Indices]:
    """(train, validation) of `rest` (n,): validation is part `which`, from 0, of `folds` disjoint ones.

    Their sizes differ by at most one, and stratified so do their examples of each class (labels (n,)).
    Ordered, they are runs of neighbours. Raises DataError where there are fewer examples than folds.
    """
    n = len(rest)
    require_fold(which, folds)
    if n < folds:
        raise DataError(f"{folds} parts are asked for of {n} example{'s' * (n != 1)}", "fold")
    if sampler.rule == "ordered":
        dealt = np.arange(n) * folds // n
    else:
        order = permutation(n, sampler.seed, Purpose.FOLDS)
        if sampler.rule == "stratified" and labels is not None:
            order = order[np.argsort(labels[order], kind="stable")]
        dealt = np.empty(n, dtype=np.int64)
        # Class after class, as cards are dealt: every part gets its share of each.
        dealt[order] = np.arange(n) % folds
    return rest[dealt != which], rest[dealt == which]


def require_fold(which: int, folds: int) -> None:
    """Raise DataError where (k, K) is no fold."""
    if not 0 <= which < folds or folds < 2:
        raise DataError(f"[{which}, {folds}] is no [k, K] with K at least 2 and k from 0 to K − 1", "fold")


def subset(labels: NDArray[np.int64] | None, n: int, portion: Portion, sampler: Sampler, purpose: Purpose) -> Indices:
    """Increasing indices of a portion of n examples, in the classes' proportions.

    Raises DataError where the portion is more than there are, or nothing.
    """
    k = size_of(portion, n)
    field = "test" if purpose is Purpose.TEST_SUBSET else "subset"
    if k == 0:
        raise DataError("0 examples are asked for: at least one is needed", field)
    if k > n:
        raise DataError(f"{k:,} examples are asked for, and there are {n:,}", field)
    return np.flatnonzero(sampler.draw(labels, n, k, purpose)).astype(np.int64, copy=False)
