"""Target columns into labels with class names, or into values."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.limits import require_classes
from nnctl.data.source import TargetType
from nnctl.data.words import cut
from nnctl.errors import DataError

_MOST_INFERRED_CLASSES = 100
"""Integers with more distinct values than this may be amounts: the spec must say which they are."""


def encode(values: NDArray[Any], names: tuple[str, ...] | None = None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(labels (n,), class names) of integers, booleans, floats or strings (n,).

    Classes are the distinct values in increasing order, strings that are all numbers
    as numbers; `names`: those of a training set, to encode its test set alike.
    Raises DataError on a value that is not among them, on one that is no finite number,
    and where there are too many.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        index = int(np.flatnonzero(~np.isfinite(values))[0])
        raise DataError(f"label {index} (counted from 0) is {values[index]}\n  remove the example, or fill the gap")
    if values.dtype.kind == "U" and values.size:
        # Python cannot make a text of what is no character, not even to show it.
        native = np.ascontiguousarray(values, values.dtype.newbyteorder("="))
        points = native.view(np.uint32).reshape(len(values), -1)
        if (points > sys.maxunicode).any():
            index = int(np.flatnonzero((points > sys.maxunicode).any(axis=1))[0])
            raise DataError(f"a label is no text: label {index} (counted from 0) holds what is no character")
    try:
        distinct, codes = np.unique(values, return_inverse=True)
        present = [_name(value) for value in distinct.tolist()]
        "".join(present).encode()
    except (ValueError, UnicodeEncodeError) as error:
        raise DataError(f"a label is no text: {error}") from error
    return _numbered(present, codes.reshape(-1), names)


def encode_texts(
    texts: Sequence[str], codes: Sequence[int] | NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """As `encode`, of the texts that occur, each once, and a code for each row (n,)."""
    present = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), dtype=np.int64)
    place[present] = np.arange(len(texts))
    return _numbered([texts[i] for i in present], place[np.asarray(codes, np.int64)], None)


def _numbered(
    present: list[str], codes: NDArray[np.int64], names: tuple[str, ...] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Labels and names, from the distinct names in increasing order and the place in them of each row's."""
    if names is None:
        require_classes(len(present), "labels", "amounts are no labels: target_type: values")
        names = tuple(sorted(present, key=_order(present)))
    position = {name: index for index, name in enumerate(names)}
    unknown = next((name for name in present if name not in position), None)
    if unknown is not None:
        raise DataError(f"class {cut(unknown)!r} of the test set does not occur in the training set")
    lookup = np.array([position[name] for name in present], dtype=np.int64)
    return lookup[codes], names


def decide(values: NDArray[Any], target_type: TargetType | None, what: str) -> TargetType:
    """The type of a target array (n,) or (n, k): the spec's `target_type`, or else by its numbers.

    Text, integers and booleans are labels where there is one an example, other numbers values. Raises DataError
    where it cannot be that type, or where integers have so many values that it might be either.
    """
    column = values.ndim == 1 or values.shape[1:] == (1,)
    kind = values.dtype.kind
    if kind not in "biufU":
        raise DataError(f"{what}: numbers or text are expected, not {values.dtype}")
    if target_type == "values" and kind == "U":
        raise DataError(f"{what}: text cannot be target values; if the texts are classes, say target_type: labels")
    if not column and (target_type == "labels" or kind == "U"):
        raise DataError(f"{what}: labels are one an example, and these have shape {values.shape[1:]}")
    if target_type is not None:
        return target_type
    if kind == "U" or (kind == "b" and column):
        return "labels"
    if not column or not _integral(values):
        return "values"
    distinct = _distinct(values)
    if distinct > _MOST_INFERRED_CLASSES:
        raise DataError(
            f"{what}: {distinct:,} different integers, which may be classes or amounts\n"
            "  say target_type: labels, or target_type: values"
        )
    return "labels"


def _distinct(values: NDArray[Any]) -> int:
    """The number of different values. Counted here: `np.unique` loads masked arrays, a fiftieth of a run's start."""
    ordered = np.sort(values, axis=None)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + min(1, ordered.size)


def _integral(values: NDArray[Any]) -> bool:
    # NaN and infinity are no integers here; they are refused by their own message later.
    return values.dtype.kind != "f" or bool(np.all(np.isfinite(values)) and np.all(values == np.floor(values)))


def _name(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _order(names: list[str]) -> Any:
    try:
        numbers = {name: float(name) for name in names}
    except ValueError:
        return str
    return numbers.__getitem__
