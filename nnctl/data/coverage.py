"""The classes that splits cover: all of them in training, or a sentence that says which are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nnctl.data.examples import SplitHints
from nnctl.data.source import Source
from nnctl.data.words import cut, some
from nnctl.errors import DataError


def covered(
    labels: Mapping[str, NDArray[np.int64]], names: Sequence[str], source: Source, hints: SplitHints
) -> tuple[str, ...]:
    """Sentences on classes that may be one and the same, and on those of which a split has no example.

    labels: (n, …) by split, −1 for one that is left out. Raises DataError where training has one class alone, unless
    there is but one label, a check of a net.
    """
    _require_several(labels["train"], names, source)
    if source.predicts_next:
        return ()
    return (*_spelt_alike(names), *_uncovered(labels, names, source, hints))


def _spelt_alike(names: Sequence[str]) -> tuple[str, ...]:
    """A sentence where classes may be one and the same, written by different hands."""
    written: dict[str, list[str]] = {}
    for name in names:
        written.setdefault(" ".join(name.split()).casefold(), []).append(name)
    # Letters are classes that differ in case.
    alike = next((each for key, each in written.items() if len(each) > 1 and len(key) > 1), None)
    if alike is None:
        return ()
    return (f"classes {cut(alike[0])!r} and {cut(alike[1])!r} are two, and differ in blanks or in case alone",)


def _uncovered(
    labels: Mapping[str, NDArray[np.int64]], names: Sequence[str], source: Source, hints: SplitHints
) -> tuple[str, ...]:
    """A sentence where training, or a split that should have all, has no example of a class."""
    counts = {split: np.bincount(part[part >= 0], minlength=len(names)) for split, part in labels.items()}
    missing = [name for name, count in zip(names, counts["train"].tolist(), strict=True) if not count]
    if missing:
        which = f"class {cut(missing[0])!r}" if len(missing) == 1 else f"{len(missing):,} classes: {some(missing)}"
        return (f"no training example is of {which}: the net cannot learn what it is never shown",)
    drawn = hints.assigned is None or not hints.assigned.any()
    if source.sampling != "stratified" or len(labels) == 1 or not drawn:
        return ()
    total = np.sum(list(counts.values()), axis=0)
    rare = [name for name, count in zip(names, total.tolist(), strict=True) if count < len(labels)]
    if not rare:
        return ()
    which = f"class {cut(rare[0])!r} has" if len(rare) == 1 else f"{len(rare):,} classes ({some(rare)}) have"
    return (f"{which} fewer examples than there are splits: some split is measured without",)


def _require_several(labels: NDArray[np.int64], names: Sequence[str], source: Source) -> None:
    labels = labels[labels >= 0]
    if labels.size <= 1 or labels.min() != labels.max():
        return
    hint = "say split: stratified" if source.sampling != "stratified" else "train on more examples"
    raise DataError(
        f"{source.type}: all {labels.size:,} training labels are {names[int(labels[0])]!r}, and there are "
        f"{len(names)} classes: a net would learn to say nothing else\n  {hint}"
    )
