"""Weights of examples in the cost: those of a column or an array, and those that balance classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.words import some
from nnctl.errors import DataError


def check_weights(weights: NDArray[Any], examples: int, what: str) -> NDArray[np.float64]:
    """Weights (n,) of so many examples, in float64. Raises DataError naming one that is negative or not finite."""
    if weights.dtype.kind not in "biuf" or weights.shape not in ((examples,), (examples, 1)):
        found = f"found {weights.dtype} of shape {weights.shape}"
        raise DataError(f"{what}: one number for each of {examples:,} examples is expected, {found}", "weights")
    checked = weights.reshape(-1).astype(np.float64)
    wrong = np.flatnonzero(~(np.isfinite(checked) & (checked >= 0.0)))
    if len(wrong):
        raise DataError(
            f"{what}: the weight of example {wrong[0]} (counted from 0) is {checked[wrong[0]]:g}\n"
            "  a weight is finite, and 0 or more",
            "weights",
        )
    return checked


def scaling(weights: NDArray[np.float64], targets: NDArray[Any], ignores: bool) -> float:
    """The factor that brings the mean weight of the training examples, or of their labels that count, to 1.

    weights: (n,), one of an example that counts above 0. targets: (n, …), where labels are left out −1.
    """
    labels = labels_counted(targets, ignores)
    # Apart from its largest, so that no sum overflows.
    largest = float(weights.max())
    return float(labels.sum() / ((weights / largest) @ labels) / largest)


def labels_counted(targets: NDArray[Any], ignores: bool) -> NDArray[np.float64]:
    """The number of labels of each example that count, (n,); 1 where none are left out."""
    if not ignores:
        return np.ones(len(targets))
    return np.asarray((targets >= 0).reshape(len(targets), -1).sum(axis=1, dtype=np.float64))


def require_counting(targets: NDArray[Any], weights: NDArray[Any] | None, ignored: int | None, split: str) -> None:
    """Raise DataError where no example of a split counts: all labels are left out, or all weights are 0."""
    labels = labels_counted(targets, ignored is not None)
    if not labels.any():
        raise DataError(f"all labels of the {split} split are {ignored}, and are left out", "ignore")
    if weights is not None and not weights[labels > 0.0].any():
        raise DataError(f"all weights of the {split} split are 0: nothing counts in its cost", "weights")


def balancing(labels: NDArray[np.int64], classes: tuple[str, ...]) -> NDArray[np.float64]:
    """The weight of each class, n/(K·n_c), over training labels of any shape, of which −1 is left out; (K,).

    Raises DataError for a class without an example.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    if not counts.all():
        absent = [name for name, count in zip(classes, counts, strict=True) if not count]
        raise DataError(
            f"no training label is {some(absent)}, and no weight balances a class without examples\n"
            "  give it examples, hold out fewer, or name the classes to keep with data.classes",
            "weights",
        )
    return np.asarray(counts.sum() / (len(classes) * counts))


def by_class(of_class: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The weight of each label by its class; 0 for one that is left out."""
    return np.where(labels >= 0, of_class[np.maximum(labels, 0)], 0.0).astype(np.float32)
