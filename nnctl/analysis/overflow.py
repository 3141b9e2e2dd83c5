"""Examples to which a net has no finite answer: which one, in what words, and where it lies in the data."""

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


def not_finite(outputs: NDArray[Any]) -> int | None:
    """The first row of outputs (n, …) with a number that is not finite; None where there is none."""
    finite = np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)
    return None if finite.all() else int(np.argmin(finite))


def words_on(output: NDArray[Any]) -> str:
    """A sentence on an output that is not finite."""
    numbers = np.ravel(output)
    return f"the net's answer is {numbers[~np.isfinite(numbers)][0]}, no finite number"


def far_example(engine: Engine, data: Dataset, split: str, source: Source, folder: Path, seed: int) -> DataError | None:
    """The error for the example of a split that is far from all of training, where a net overflows on it.

    It is the one with the input, or the value among targets, that is the most times the largest of training, in
    magnitude as the net computes. None where none is far, or its own answer and target are moderate.
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
    message = (
        f"{what} {ratio:.0e} times the largest of training, and the cost on the {split} split is not finite for it"
    )
    if split not in data.places:
        return DataError(f"{source.where(folder)}: {split} example {row} (counted from 0): {message}")
    return source.example_error(folder, seed, int(data.places[split][row]), column, message)


def _farthest(train: Rows, rows: Rows, shift: Any, scale: Any) -> tuple[float, int, int]:
    """(how many times the largest magnitude of training, the row, the number in it) of the row that is farthest."""
    largest = np.zeros(math.prod(train.shape[1:]))
    for piece in pieces_of(train):
        np.maximum(largest, _magnitudes(piece, shift, scale).max(axis=0), out=largest)
    # A number that is 0 throughout is measured by the others.
    largest[largest == 0.0] = largest.max() or 1.0
    best, first = (-1.0, 0, 0), 0
    for piece in pieces_of(rows):
        ratios = _magnitudes(piece, shift, scale) / largest
        row, place = np.unravel_index(int(np.argmax(ratios)), ratios.shape)
        best = max(best, (float(ratios[row, place]), first + int(row), int(place)))
        first += len(piece)
    return best


def _magnitudes(rows: NDArray[Any], shift: Any, scale: Any) -> NDArray[np.float64]:
    """Magnitudes of rows (n, …) as the net computes with them, (n, numbers)."""
    values = rows.astype(np.float64)
    if shift is not None:
        values = (values - shift) * scale
    return np.abs(values.reshape(len(rows), -1))
