"""Labelled examples that a run has not seen, from a file or folder like the one that it was trained on."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Split
from nnctl.data.formats.precision import as_float32
from nnctl.data.source import Examples, Source
from nnctl.data.stored.arrays import Rows, StoredArray
from nnctl.data.words import cut, some
from nnctl.errors import DataError, UsageError
from nnctl.inference.inputs import ErrorOf, error_of
from nnctl.inference.opened import TrainedRun

log = logging.getLogger("nnctl.data")


@dataclass(frozen=True)
class Labelled:
    """Labelled examples. unit: see `Dataset.unit`. error: see `Part.error`."""

    split: Split
    unit: float
    error: ErrorOf


def labelled(run: TrainedRun, path: Path) -> Labelled:
    """The examples at a path, labels by the names of the run's classes. Raises DataError, UsageError."""
    source = run.loaded.spec.data
    if "kinds" in run.fitted:
        return _of_table(run, path)
    other = source.elsewhere(path, run.signature) if isinstance(source, Source) else None
    if other is None:
        raise UsageError(
            f"--data {path}: {run.folder.path} was trained on data of type {source.type}, which is not read from one "
            "file or folder\n  runs on tables, npz archives and folders of images are measured on others"
        )
    examples = other.read(Path(), run.loaded.spec.seed)
    for sentence in examples.advice:
        log.warning("%s", sentence)
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray | StoredArray):
        raise TypeError(f"{source.type}: inputs that have to be fitted are tables'")
    description, signature = examples.description, run.signature
    if (description.input_shape, description.input_dtype) != (signature.input_shape, signature.input_dtype):
        raise DataError(
            f"{path}: an example is {description.input_dtype} of shape {description.input_shape}, "
            f"and the net reads {signature.input_dtype} of shape {signature.input_shape}"
        )
    targets = _rescaled(run, inputs) if signature.reconstructs else _targets(run, examples, path)
    error = error_of(inputs, [str(path)] * len(inputs), range(len(inputs)))
    return Labelled(Split(inputs, targets), description.unit, error)


def _of_table(run: TrainedRun, path: Path) -> Labelled:
    from nnctl.data.tables.targets import labels_among, values_of
    from nnctl.inference.tables import table_reader

    reader = table_reader(run.loaded.spec.data, run.fitted)
    if reader is None:
        raise TypeError(f"{run.loaded.spec.data.type} keeps columns, and no reader knows them")
    inputs, table, error = reader.labelled(path, targets=not run.signature.reconstructs)
    cells = [table.cells(name) for name in reader.columns.targets if name in table.columns]
    targets: NDArray[Any]
    if run.signature.reconstructs:
        targets = _rescaled(run, inputs)
    elif run.classes is not None:
        targets = labels_among(cells[0], run.classes)
    else:
        targets = as_float32(values_of(cells), f"{path}, column {some(list(reader.columns.targets))}")
        _require_shape(run, targets, path)
    return Labelled(Split(inputs, targets), 1.0, error)


def _targets(run: TrainedRun, examples: Examples, path: Path) -> NDArray[Any]:
    """Labels by the run's classes, or values."""
    names, targets = examples.description.classes, examples.targets
    if run.classes is None:
        if names is not None:
            raise DataError(f"{path}: the targets are classes, {some(names)}, and the net answers by values")
        _require_shape(run, targets, path)
        return targets
    if names is None:
        raise DataError(f"{path}: the targets are values, and the net answers by classes: {some(run.classes)}")
    _require_shape(run, targets, path)
    places = {name: label for label, name in enumerate(run.classes)}
    # The last is at −1, a label that is left out.
    labels: NDArray[np.int64] = np.array([*(places.get(name, -2) for name in names), -1], dtype=np.int64)[targets]
    if (labels < -1).any():
        index = tuple(np.argwhere(labels < -1)[0])
        name = names[targets[index]]
        raise DataError(
            f"{path}: example {index[0]} (counted from 0) is of {cut(name)!r}, which is no class of the net\n"
            f"  expected one of {some(run.classes)}"
        )
    return labels


def _require_shape(run: TrainedRun, targets: NDArray[Any], path: Path) -> None:
    if targets.shape[1:] != run.signature.target_shape:
        raise DataError(
            f"{path}: an example's targets have shape {targets.shape[1:]}, the net's {run.signature.target_shape}"
        )


def _rescaled(run: TrainedRun, inputs: Rows) -> NDArray[np.float32]:
    """The inputs as they enter the net: what an autoencoder answers."""
    return np.asarray(run.rescaled(inputs[:]), dtype=np.float32)
