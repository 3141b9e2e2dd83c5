"""Labelled examples that a run has not seen, from a file or folder like the one that it was trained on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Split
from nnctl.data.examples import Examples
from nnctl.data.formats.precision import as_float32
from nnctl.data.source import Source
from nnctl.data.sources.table import TableSource
from nnctl.data.stored.arrays import LazyRows, Rows
from nnctl.data.weights import by_class, check_weights
from nnctl.data.words import cut, some
from nnctl.errors import DataError, UsageError
from nnctl.inference.inputs import ErrorOf, error_of
from nnctl.inference.opened import TrainedRun
from nnctl.late import dataclass

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
    other = source.elsewhere(path, run.signature, run.fitted) if isinstance(source, Source) else None
    if other is None:
        raise UsageError(
            f"--data {path}: {run.folder.path} was trained on data of type {source.type}, which is not read from one "
            "file or folder\n  runs on tables, series, npz archives and folders of images are measured on others"
        )
    examples = other.read(Path(), run.loaded.spec.seed)
    for sentence in examples.advice:
        log.warning("%s", sentence)
    inputs = examples.inputs
    if not isinstance(inputs, np.ndarray | LazyRows):
        from nnctl.data.series.inputs import WindowInputs
        from nnctl.data.series.sequences import SequenceInputs

        if not isinstance(inputs, WindowInputs | SequenceInputs):
            raise TypeError(f"{source.type}: inputs that have to be fitted are tables'")
        inputs = inputs.made_by(run.fitted)
    description, signature = examples.description, run.signature
    if (description.input_shape, description.input_dtype) != (signature.input_shape, signature.input_dtype):
        raise DataError(
            f"{path}: an example is {description.input_dtype} of shape {description.input_shape}, "
            f"and the net reads {signature.input_dtype} of shape {signature.input_shape}"
        )
    targets = _rescaled(run, inputs) if signature.reconstructs else _targets(run, examples, path)
    said = None if examples.weights is None else check_weights(examples.weights, len(targets), f"{path}, weights")
    error = error_of(inputs, [str(path)] * len(inputs), range(len(inputs)))
    return Labelled(Split(inputs, targets, _weights(run, targets, said)), description.unit, error)


def _of_table(run: TrainedRun, path: Path) -> Labelled:
    import pyarrow as pa

    from nnctl.data.tables.targets import labels_among, values_of, weights_of
    from nnctl.inference.tables import table_reader

    source, signature = run.loaded.spec.data, run.signature
    reader = table_reader(source, run.fitted)
    if reader is None or not isinstance(source, Source):
        raise TypeError(f"{source.type} keeps columns, and no reader knows them")
    names = () if signature.reconstructs else reader.columns.targets
    more = {} if run.classes is None else dict.fromkeys(names, pa.string())
    if "factor" in run.fitted:
        more[str(source.weights)] = pa.float64()
    inputs, table, error = reader.labelled(path, names, more)
    targets: NDArray[Any]
    if signature.reconstructs:
        targets = _rescaled(run, inputs)
    elif run.classes is not None:
        targets = labels_among(table.cells(names[0]), run.classes, source.ignored)
    else:
        said = source.said if isinstance(source, TableSource) else {}
        targets = as_float32(
            values_of([table.cells(name) for name in names], said), f"{path}, column {some(list(names))}"
        )
        _require_shape(run, targets, path)
    weights = weights_of(table, str(source.weights)) if "factor" in run.fitted else None
    return Labelled(Split(inputs, targets, _weights(run, targets, weights)), 1.0, error)


def _weights(run: TrainedRun, targets: NDArray[Any], said: NDArray[np.float64] | None) -> NDArray[np.float32] | None:
    """The weights of examples, by what balanced the classes of training, or scaled the weights that the data says."""
    if "of_class" in run.fitted:
        return by_class(np.array(run.fitted["of_class"]), targets)
    return None if said is None else (said * run.fitted["factor"]).astype(np.float32)


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
    source = run.loaded.spec.data
    if isinstance(source, Source) and source.ignored is not None:
        places[str(source.ignored)] = -1
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
