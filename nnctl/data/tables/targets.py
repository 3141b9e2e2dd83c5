"""The target columns of a table: labels with class names, or values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.formats.precision import as_float32
from nnctl.data.labels import decide, encode, encode_texts
from nnctl.data.source import TargetType
from nnctl.data.tables.cells import Table
from nnctl.data.tables.kinds import require_column
from nnctl.data.words import some


def targets_of(
    table: Table, names: Sequence[str], target_type: TargetType | None
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    """(labels int64 (n,), their classes), or (values float32 (n, k), None). Raises DataError."""
    for name in names:
        require_column(table, name)
    cells = [table.cells(name) for name in names]
    if len(cells) == 1 and (cells[0].is_text or target_type == "labels"):
        codes, texts = cells[0].codes()
        if (codes < 0).any():
            raise cells[0].error(int(np.argmax(codes < 0)), "the target is missing", "", "remove the row")
        return encode_texts(texts, codes)
    values = np.stack([column.numbers() for column in cells], axis=1)
    for column, numbers in zip(cells, values.T, strict=True):
        if not np.isfinite(numbers).all():
            index = int(np.argmax(~np.isfinite(numbers)))
            raise column.error(index, "the target is missing, or not finite", "a number", "remove the row")
    what = f"{table.place.name}, column {some(list(names))}"
    if decide(values, target_type, what) == "labels":
        return encode(values[:, 0])
    return as_float32(values, what), None


def weights_of(table: Table, name: str) -> NDArray[np.float64]:
    """A column of weights, (n,). Raises DataError, at the line, for one that is missing, negative or not finite."""
    require_column(table, name)
    cells = table.cells(name)
    weights = cells.numbers()
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0)))
    if len(wrong):
        raise cells.error(int(wrong[0]), "this is no weight", "a finite number, 0 or more")
    return weights
