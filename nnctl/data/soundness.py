"""The soundness of examples: as many targets as inputs, finite numbers, labels of classes that there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.examples import Examples, UnfittedInputs
from nnctl.data.source import Source
from nnctl.data.stored.arrays import LazyRows, Rows, pieces_of
from nnctl.errors import DataError


def require_sound(source: Source, folder: Path, examples: Examples) -> None:
    """Raise DataError where no net could be trained on the examples of a source. folder: the base of its paths."""
    where = source.where(folder)
    description = examples.description
    parts: list[tuple[str, Rows | UnfittedInputs, NDArray[Any]]] = [("", examples.inputs, examples.targets)]
    if examples.test_inputs is not None and examples.test_targets is not None:
        parts.append(("test ", examples.test_inputs, examples.test_targets))
    for part, inputs, targets in parts:
        if len(inputs) != len(targets):
            raise DataError(f"{where}: {len(inputs):,} {part}inputs, but {len(targets):,} {part}targets")
        if not len(inputs):
            raise DataError(f"{where}: the {part}data holds no examples")
        if isinstance(inputs, np.ndarray | LazyRows):
            _check_finite(where, inputs, f"{part}input")
        if description.classes is None:
            _check_finite(where, targets, f"{part}target")
            continue
        wrong = np.argwhere((targets < 0) | (targets >= len(description.classes)))
        if len(wrong):
            raise DataError(
                f"{where}: {part}example {wrong[0][0]} (counted from 0) has label {targets[tuple(wrong[0])]}, "
                f"and there are {len(description.classes)} classes, numbered from 0"
            )


def _check_finite(where: str, values: Rows, what: str) -> None:
    if values.dtype.kind != "f":
        return
    start = 0
    for piece in pieces_of(values):
        finite = np.isfinite(piece)
        if finite.all():
            start += len(piece)
            continue
        index = np.argwhere(~finite)[0]
        place = f" at position {', '.join(map(str, index[1:]))}" if len(index) > 1 else ""
        value = piece[tuple(index)]
        raise DataError(
            f"{where}: {what} {start + index[0]} (counted from 0) is {value}{place}\n"
            "  remove the example, or fill the gap, before training"
        )
