"""The classes that splits cover: all of them in training, or a sentence that says which are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.source import Source
from nnctl.data.words import cut, some
from nnctl.errors import DataError


def require_several(labels: NDArray[np.int64], names: Sequence[str], source: Source) -> None:
    """Raise DataError where all training labels are of one class, unless there is but one label: a check of a net."""
    if labels.size == 1 or labels.min() != labels.max():
        return
    hint = "say split: stratified" if source.sampling != "stratified" else "train on more examples"
    raise DataError(
        f"{source.type}: all {labels.size:,} training labels are {names[int(labels.flat[0])]!r}, and there are "
        f"{len(names)} classes: a net would learn to say nothing else\n  {hint}"
    )


def require_every(labels: NDArray[np.int64], names: Sequence[str]) -> None:
    """Raise DataError where files or a column give training no example of a class that another split has."""
    if missing := _missing(labels, names):
        raise DataError(
            f"class {cut(missing[0])!r} has no training example, and examples of it are held out\n"
            "  give training some, or leave those out"
        )


def doubts_about(labels: Mapping[str, NDArray[np.int64]], names: Sequence[str], source: Source) -> tuple[str, ...]:
    """A sentence where training, or a stratified split, has no example of a class. labels: (n,) by split."""
    if source.predicts_next:
        return ()
    if missing := _missing(labels["train"], names):
        which = f"class {missing[0]!r}" if len(missing) == 1 else f"{len(missing):,} classes: {some(missing)}"
        return (f"no training example is of {which}: the net cannot learn what it is never shown",)
    if source.sampling != "stratified" or len(labels) == 1:
        return ()
    counts = sum(np.bincount(part.reshape(-1), minlength=len(names)) for part in labels.values())
    rare = [name for name, count in zip(names, np.asarray(counts).tolist(), strict=True) if count < len(labels)]
    if not rare:
        return ()
    which = f"class {rare[0]!r} has" if len(rare) == 1 else f"{len(rare):,} classes ({some(rare)}) have"
    return (f"{which} fewer examples than there are splits: some split is measured without",)


def _missing(labels: NDArray[Any], names: Sequence[str]) -> list[str]:
    counts = np.bincount(labels.reshape(-1), minlength=len(names))
    return [name for name, count in zip(names, counts.tolist(), strict=True) if not count]
