"""The target columns of a table: labels with class names, or values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.formats.precision import as_float32
from nnctl.data.labels import decide, encode, encode_texts
from nnctl.data.source import TargetType
from nnctl.data.tables.cells import Cells, Table
from nnctl.data.words import cut, some


def targets_of(
    table: Table, names: Sequence[str], target_type: TargetType | None
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """(labels int64 (n,), their classes), or (values float32 (n, k), None). Raises DataError."""
    for name in names:
        table.require(name)
    cells = [table.cells(name) for name in names]
    if len(cells) == 1 and (cells[0].is_text or target_type == "labels"):
        codes, texts = cells[0].codes()
        if (codes < 0).any():
            raise cells[0].error(int(np.argmax(codes < 0)), "the target is missing", "", "remove the row")
        return encode_texts(texts, codes)
    values = values_of(cells)
    what = f"{table.place.name}, column {some(list(names))}"
    if decide(values, target_type, what) == "labels":
        return encode(values[:, 0])
    return as_float32(values, what), None


def values_of(cells: Sequence[Cells]) -> NDArray[np.float64]:
    """The numbers of target columns, (n, columns), all finite. Raises DataError."""
    values = np.stack([column.numbers() for column in cells], axis=1)
    for column, numbers in zip(cells, values.T, strict=True):
        if not np.isfinite(numbers).all():
            index = int(np.argmax(~np.isfinite(numbers)))
            raise column.error(index, "the target is missing, or not finite", "a number", "remove the row")
    return values


def labels_among(cells: Cells, classes: Sequence[str], ignored: int | None) -> NDArray[np.int64]:
    """Labels (n,) of a target column of texts by the names of known classes; −1 for the label `ignored`.

    Raises DataError at one that is none of them.
    """
    codes, texts = cells.codes()
    places = {name: label for label, name in enumerate(classes)} | ({} if ignored is None else {str(ignored): -1})
    found = [places.get(text, places.get(_as_number(text), -2)) for text in texts]
    labels = np.array([*found, -2], dtype=np.int64)[codes]
    if (labels < -1).any():
        index = int(np.argmax(labels < -1))
        if codes[index] < 0:
            raise cells.error(index, "the target is missing", "", "remove the row")
        message = f"{cut(texts[codes[index]])!r} is no class of the net"
        raise cells.error(index, message, f"one of {some(list(classes))}")
    return labels


def _as_number(text: str) -> str:
    """The name of a class that is written as a number: 1 for 1.0, and for true."""
    if text in ("true", "false"):
        return str(int(text == "true"))
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() else str(number)


def weights_of(table: Table, name: str) -> NDArray[np.float64]:
    """A column of weights, (n,). Raises DataError, at the line, for one that is missing, negative or not finite."""
    table.require(name)
    cells = table.cells(name)
    weights = cells.numbers()
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if len(wrong):
        raise cells.error(int(wrong[0]), "this is no weight", "a finite number, 0 or more")
    return weights
