"""Arrays from .npz and .npy files, and examples from such arrays. No pickle is ever read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from nnctl.data.labels import decide, encode
from nnctl.data.source import Description, Examples, TargetType
from nnctl.errors import DataError

_DAMAGE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error)


def read_npz(path: Path, names: Mapping[str, str], outlines: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Arrays of an archive; `names`: role → name in the archive.

    Of the roles in `outlines` only shape and type are read; the array's numbers mean nothing then.
    Raises DataError.
    """
    # Opened here, for numpy leaves its own file open where the archive is damaged.
    with path.open("rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
        except _DAMAGE as error:
            raise DataError(f"{path} is no .npz archive that can be read: {_words(error)}") from error
        if not isinstance(archive, NpzFile):
            raise DataError(f"{path} holds one array and no archive: use type: npy")
        with archive:
            return {role: _member(archive, role, name, path, role in outlines) for role, name in names.items()}


def read_npy(path: Path) -> NDArray[Any]:
    """The array of a .npy file, mapped into memory. Raises DataError."""
    if zipfile.is_zipfile(path):
        raise DataError(f"{path} is an archive of arrays: use type: npz")
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except _DAMAGE as error:
        raise DataError(f"{path} is no .npy file that can be read: {_words(error)}") from error


def _member(archive: NpzFile, role: str, name: str, path: Path, outline: bool) -> NDArray[Any]:
    if name not in archive.files:
        close = get_close_matches(name, archive.files, 1)
        hint = f"did you mean {role}: {close[0]}?" if close else f"say {role}: NAME"
        raise DataError(f"{path} has no array {name!r}; it has {', '.join(archive.files) or 'none'}\n  {hint}")
    try:
        return _outline(path, name) if outline else np.asarray(archive[name])
    except _DAMAGE as error:
        raise DataError(f"{path}, array {name!r}: {_words(error)}") from error


def _outline(path: Path, name: str) -> NDArray[Any]:
    """An array of the member's shape and type that takes no memory."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as member:
        version = np.lib.format.read_magic(member)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"its format version {version} is for arrays of records")
        shape, _, dtype = readers[version](member)
    if dtype.hasobject:
        raise ValueError("pickle")
    return np.broadcast_to(np.zeros((), dtype), shape)


def describe(
    arrays: Mapping[str, NDArray[Any]], *, indices: bool, target_type: TargetType | None, path: str
) -> Description:
    """The description that `assemble` would give, from the shape and type of the inputs alone. Raises DataError."""
    _check_rows(arrays, path)
    targets, names = _targets(arrays["targets"], target_type, f"{path}, targets", None)
    inputs = arrays["inputs"]
    dtype = _input_dtype(inputs, indices, f"{path}, inputs")
    examples = len(inputs) + len(arrays.get("test_inputs", ()))
    return _description(inputs.shape, dtype, targets, names, examples)


def assemble(
    arrays: Mapping[str, NDArray[Any]], *, indices: bool, target_type: TargetType | None, path: str
) -> Examples:
    """Examples from arrays by role (inputs, targets, test_inputs, test_targets). Raises DataError."""
    _check_rows(arrays, path)
    inputs = _inputs(arrays["inputs"], indices, f"{path}, inputs")
    targets, names = _targets(arrays["targets"], target_type, f"{path}, targets", None)
    if "test_inputs" not in arrays:
        return Examples(_description(inputs.shape, inputs.dtype, targets, names, len(inputs)), inputs, targets)
    test_inputs = _inputs(arrays["test_inputs"], indices, f"{path}, test inputs")
    kind: TargetType = "values" if names is None else "labels"
    test_targets, _ = _targets(arrays["test_targets"], kind, f"{path}, test targets", names)
    for what, train, test in (("inputs", inputs, test_inputs), ("targets", targets, test_targets)):
        if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
            raise DataError(
                f"{path}: an example's {what} are {train.dtype} {train.shape[1:]} in the training set "
                f"and {test.dtype} {test.shape[1:]} in the test set"
            )
    description = _description(inputs.shape, inputs.dtype, targets, names, len(inputs) + len(test_inputs))
    return Examples(description, inputs, targets, test_inputs, test_targets)


def _check_rows(arrays: Mapping[str, NDArray[Any]], path: str) -> None:
    for role, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{path}: {role} is a single number, and one row an example is expected")
        if not len(array):
            raise DataError(f"{path}: {role} is empty")


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
        target_shape=() if names is not None else targets.shape[1:],
        examples=examples,
    )


def _input_dtype(array: NDArray[Any], indices: bool, what: str) -> np.dtype[Any]:
    """The stored type of the inputs: int64 for indices, else uint8 or float32."""
    if indices and array.dtype.kind not in "iu":
        raise DataError(f"{what}: indices: true wants integers, not {array.dtype}")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what}: numbers are expected, not {array.dtype}")
    if indices:
        return np.dtype(np.int64)
    return np.dtype(np.uint8 if array.dtype == np.uint8 else np.float32)


def _inputs(array: NDArray[Any], indices: bool, what: str) -> NDArray[Any]:
    dtype = _input_dtype(array, indices, what)
    if array.ndim == 1:
        array = array[:, None]
    if dtype == np.float32:
        return as_float32(array, what)
    if indices and array.min() < 0:
        raise DataError(f"{what}: an index is {array.min()}, and they count from 0")
    return array.astype(dtype, copy=False)


def _targets(
    array: NDArray[Any], target_type: TargetType | None, what: str, names: tuple[str, ...] | None
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    if decide(array, target_type, what) == "labels":
        return encode(np.asarray(array).reshape(len(array)), names)
    return as_float32(array.reshape(len(array), -1) if array.ndim == 1 else array, what), None


def as_float32(array: NDArray[Any], what: str) -> NDArray[np.float32]:
    """The array in single precision. Raises DataError where a finite number does not fit."""
    with np.errstate(over="ignore"):
        single = np.asarray(array, dtype=np.float32)
    overflow = np.isinf(single) & np.isfinite(array)
    if overflow.any():
        raise DataError(f"{what}: {array[overflow].flat[0]:g} is too large for single precision; rescale the data")
    return single


def _words(error: BaseException) -> str:
    text = str(error)
    if "pickle" in text:
        return "it holds Python objects, which are never loaded; save plain arrays of numbers or text"
    return text or type(error).__name__
