"""Examples from arrays by role: inputs, targets, weights, and those of a test set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.examples import Description, Examples
from nnctl.data.formats.array_inputs import as_inputs, input_dtype
from nnctl.data.formats.precision import as_float32
from nnctl.data.labels import decide, encode
from nnctl.data.source import TargetType
from nnctl.data.stored.arrays import LazyRows, Rows
from nnctl.errors import DataError


def describe(
    arrays: Mapping[str, NDArray[Any]],
    *,
    indices: bool,
    target_type: TargetType | None,
    path: str,
    ignored: int | None = None,
) -> Description:
    """The description that `assemble` would give, from the shape and type of the inputs alone. Raises DataError."""
    _check_rows(arrays, path)
    inputs = arrays["inputs"]
    stepwise = _stepwise(inputs, arrays["targets"], target_type, ignored)
    targets, names = _targets(arrays["targets"], target_type, f"{path}, targets", None, stepwise, ignored)
    dtype = input_dtype(inputs, indices, f"{path}, inputs")
    examples = len(inputs) + len(arrays.get("test_inputs", ()))
    return _description(inputs.shape, dtype, targets, names, examples)


def assemble(
    arrays: Mapping[str, Rows],
    *,
    indices: bool,
    target_type: TargetType | None,
    path: str,
    ignored: int | None = None,
) -> Examples:
    """Examples from arrays by role: inputs, targets, and where there are some weights, each also with test_ before it.

    Inputs may be stored ones. ignored: a label that need not occur, the last class where it does not. Raises DataError.
    """
    _check_rows(arrays, path)
    inputs = _inputs(arrays["inputs"], indices, f"{path}, inputs")
    stepwise = _stepwise(inputs, arrays["targets"][:], target_type, ignored)
    targets, names = _targets(arrays["targets"][:], target_type, f"{path}, targets", None, stepwise, ignored)
    weights, test_weights = (arrays[role][:] if role in arrays else None for role in ("weights", "test_weights"))
    if "test_inputs" not in arrays:
        description = _description(inputs.shape, inputs.dtype, targets, names, len(inputs))
        return Examples(description, inputs, targets, weights=weights)
    test_inputs = _inputs(arrays["test_inputs"], indices, f"{path}, test inputs")
    kind: TargetType = "values" if names is None else "labels"
    test_targets, _ = _targets(arrays["test_targets"][:], kind, f"{path}, test targets", names, stepwise, ignored)
    for what, train, test in (("inputs", inputs, test_inputs), ("targets", targets, test_targets)):
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise DataError(
                f"{path}: an example's {what} are {train.dtype} {train.shape[1:]} in the training set "
                f"and {test.dtype} {test.shape[1:]} in the test set"
            )
    description = _description(inputs.shape, inputs.dtype, targets, names, len(inputs) + len(test_inputs))
    return Examples(description, inputs, targets, test_inputs, test_targets, weights=weights, test_weights=test_weights)


def _check_rows(arrays: Mapping[str, Rows], path: str) -> None:
    for role, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{path}: {role} is a single number, and one row an example is expected")
        if not len(array):
            raise DataError(f"{path}: {role} is empty")
        if 0 in array.shape:
            raise DataError(f"{path}: {role} has shape {array.shape}: an example holds no number")


def _description(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    targets: NDArray[Any],
    names: tuple[str, ...] | None,
    examples: int,
) -> Description:
    return Description(
        # A vector of numbers is one feature an example.
        input_shape=shape[1:] or (1,),
        input_dtype="index" if dtype == np.int64 else "uint8" if dtype == np.uint8 else "real",
        classes=names,
        target_shape=targets.shape[1:],
        examples=examples,
    )


def _inputs(array: Rows, indices: bool, what: str) -> Rows:
    return array if isinstance(array, LazyRows) else as_inputs(array, indices, what)


def _stepwise(inputs: Rows, targets: NDArray[Any], target_type: TargetType | None, ignored: int | None) -> bool:
    """True of labels (n, time) of inputs (n, time, …), where the spec says that they are labels."""
    said = target_type == "labels" or (ignored is not None and target_type is None)
    steps = targets.ndim == 2 and targets.shape[1] > 1 and targets.shape == inputs.shape[:2]
    return said and steps and targets.dtype.kind in "biuU"


def _targets(
    array: NDArray[Any],
    target_type: TargetType | None,
    what: str,
    names: tuple[str, ...] | None,
    stepwise: bool,
    ignored: int | None,
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    if stepwise or decide(array, target_type, what) == "labels":
        labels, found = encode(np.asarray(array).reshape(-1), names)
        if ignored is not None and str(ignored) not in found:
            # A test set may have it, where the training set has none.
            found = (*found, str(ignored))
        return labels.reshape(array.shape if stepwise else len(array)), found
    return as_float32(array.reshape(len(array), -1) if array.ndim == 1 else array, what), None
