"""Splits that keep groups of examples together, and splits in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnctl.data.splits import Sampler, apportion
from nnctl.data.streams import Purpose, permutation
from nnctl.errors import DataError
from nnctl.late import dataclass


@dataclass(frozen=True)
class Groups:
    """Groups of n examples that lie on one side each.

    of: the group of each example, 0…m−1, (n,). sizes: examples of each, (m,). kinds: of each the class of most of its
    examples, the first of equals, (m,); 0 where groups are drawn whatever their classes.
    """

    of: NDArray[np.int64]
    sizes: NDArray[np.int64]
    kinds: NDArray[np.int64]

    @classmethod
    def among(cls, groups: NDArray[np.int64], labels: NDArray[np.int64] | None, sampler: Sampler) -> Groups:
        """The groups of examples. groups (n,): equal for those of one; labels (n,), None where targets are values."""
        of = np.unique(groups, return_inverse=True)[1].reshape(-1)
        sizes = np.bincount(of)
        kinds = np.zeros(len(sizes), dtype=np.int64)
        if sampler.rule == "stratified" and labels is not None:
            # By group, then by class: of each run of equals its length.
            pairs, counts = np.unique(of * (labels.max() + 1) + labels, return_counts=True)
            order = np.lexsort((-counts, pairs // (labels.max() + 1)))
            first = np.unique(pairs[order] // (labels.max() + 1), return_index=True)[1]
            kinds = pairs[order][first] % (labels.max() + 1)
        return cls(of, sizes, kinds)

    def draw(self, k: int, seed: int, purpose: Purpose) -> NDArray[np.bool_]:
        """A mask (n,) of whole groups with nearly k examples, of each kind in proportion, and never all groups.

        Groups come in a random order, and each is taken that still fits; one more where that is nearer to k.
        """
        order = permutation(len(self.sizes), seed, purpose)
        chosen = np.zeros(len(self.sizes), dtype=np.bool_)
        quotas = apportion(np.bincount(self.kinds, self.sizes).astype(np.int64), k)
        for kind, quota in enumerate(quotas.tolist()):
            self._fill(chosen, order[self.kinds[order] == kind], quota)
        self._fill(chosen, order[~chosen[order]], k - int(self.sizes[chosen].sum()))
        left = k - int(self.sizes[chosen].sum())
        rest = np.flatnonzero(~chosen)
        if left > 0 and len(rest) > 1:
            smallest = rest[np.argmin(self.sizes[rest])]
            chosen[smallest] = self.sizes[smallest] < 2 * left or not chosen.any()
        if chosen.all():
            chosen[np.argmax(self.sizes)] = False
        return chosen[self.of]

    def deal(self, folds: int, seed: int) -> NDArray[np.int64]:
        """The fold of each example, (n,): large groups first, each to the fold with the fewest examples of its kind.

        Raises DataError where there are fewer groups than folds.
        """
        if len(self.sizes) < folds:
            raise DataError(f"{folds} parts are asked for of {len(self.sizes)} groups", "fold")
        order = permutation(len(self.sizes), seed, Purpose.FOLDS)
        order = order[np.argsort(-self.sizes[order], kind="stable")]
        of_kind = [[0] * folds for _ in range(int(self.kinds.max()) + 1)]
        totals = [0] * folds
        dealt = np.zeros(len(self.sizes), dtype=np.int64)
        rows = zip(order.tolist(), self.sizes[order].tolist(), self.kinds[order].tolist(), strict=True)
        for place, (group, size, kind) in enumerate(rows):
            filled = of_kind[kind]
            # The first go to one fold each, so that none stays empty.
            fold = place if place < folds else min(range(folds), key=lambda f: (filled[f], totals[f]))
            dealt[group] = fold
            filled[fold] += size
            totals[fold] += size
        return dealt[self.of]

    def _fill(self, chosen: NDArray[np.bool_], order: NDArray[np.int64], quota: int) -> None:
        for group in order.tolist():
            if self.sizes[group] <= quota:
                chosen[group] = True
                quota -= int(self.sizes[group])


def latest(times: NDArray[np.float64], k: int) -> NDArray[np.bool_]:
    """A mask (n,) of the latest examples, as near to k as equal times on one side allow, but not all.

    Raises DataError where all times are equal.
    """
    ordered = np.sort(times)
    # Positions where a time ends and the next begins.
    cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    if not len(cuts):
        raise DataError("all examples are of one time, and none is later than the others", "split")
    cut = cuts[np.argmin(np.abs(cuts - (len(times) - k)))]
    return np.asarray(times >= ordered[cut])
