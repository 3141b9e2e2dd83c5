"""Examples that are far from all others, where a net overflows on them: which one, and its place in the data."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset
from nnctl.data.source import Source
from nnctl.data.stored.arrays import Rows, pieces_of
from nnctl.data.tables.fitted import FittedColumns
from nnctl.engine.engine import Engine
from nnctl.errors import DataError

_FAR = 1e4
"""A number this many times the largest of training is no accident of training."""


def far_example(engine: Engine, data: Dataset, split: str, source: Source, folder: Path, seed: int) -> DataError | None:
    """The error for the example of a split that is far from all of training, where the cost overflows on it.

    It is the one with the input, or the value among targets, that is the most times the largest of training, in
    magnitude as the net computes; of the training split, of its other examples. None where none is far.
    """
    part, signature = data.splits[split], data.signature
    columns = FittedColumns.of(data.fitted)
    found: list[tuple[float, int, str, str]] = []
    if signature.input_dtype == "real":
        ratio, row, feature = _farthest(data.train.inputs, part.inputs, data.shift, data.scale)
        output = engine.outputs(part.inputs[row : row + 1])
        if not np.all(np.abs(output) < math.sqrt(np.finfo(np.float32).max)):
            number = np.ravel(part.inputs[row : row + 1])[feature]
            column = "" if columns is None else columns.features[feature]
            found.append((ratio, row, column, f"the input {number:g} is"))
    if signature.classes is None and not signature.reconstructs:
        ratio, row, unit = _farthest(data.train.targets, part.targets, data.target_shift, data.target_scale)
        number = np.ravel(part.targets[row])[unit]
        found.append((ratio, row, "" if columns is None else columns.targets[unit], f"the target {number:g} is"))
    far = [each for each in found if each[0] >= _FAR]
    if not far:
        return None
    ratio, row, column, what = max(far)
    than = "the largest of the others" if split == "train" else "the largest of training"
    message = f"{what} {ratio:.0e} times {than}, and the cost on the {split} split is not finite"
    if split not in data.places:
        return DataError(f"{source.where(folder)}: {split} example {row} (counted from 0): {message}")
    return source.example_error(folder, seed, int(data.places[split][row]), column, message)


def _farthest(train: Rows, rows: Rows, shift: Any, scale: Any) -> tuple[float, int, int]:
    """(how many times the largest magnitude of training, the row, the number in it) of the row that is farthest.

    train, rows: the same for the largest of the other rows.
    """
    measure = _largest(train, shift, scale)[0 if rows is not train else 1]
    # A number that is 0 throughout is measured by the others.
    measure[measure == 0.0] = measure.max() or 1.0
    best, first = (-1.0, 0, 0), 0
    for piece in pieces_of(rows):
        ratios = _magnitudes(piece, shift, scale) / measure
        row, place = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
        best = max(best, (float(ratios[row, place]), first + int(row), int(place)))
        first += len(piece)
    return best


def _largest(rows: Rows, shift: Any, scale: Any) -> NDArray[np.float64]:
    """The largest magnitude of each number of a row, and the largest but one, (2, numbers)."""
    two = np.zeros((2, math.prod(rows.shape[1:])))
    for piece in pieces_of(rows):
        two = np.partition(np.concatenate([two, _magnitudes(piece, shift, scale)]), -2, axis=0)[:-3:-1]
    return two


def _magnitudes(rows: NDArray[Any], shift: Any, scale: Any) -> NDArray[np.float64]:
    """Magnitudes of rows (n, …) as the net computes with them, (n, numbers)."""
    values = rows.astype(np.float64)
    if shift is not None:
        values = (values - shift) * scale
    return np.abs(values.reshape(len(rows), -1))
