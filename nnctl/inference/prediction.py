"""Inputs from files as a trained net reads them, and its answers."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.signature import DataSignature
from nnctl.data.formats.images import SUFFIXES, read_image
from nnctl.data.formats.numpy_files import as_float32, read_npy, read_npz
from nnctl.errors import DataError, UsageError
from nnctl.inference.opened import TrainedRun


def read_inputs(path: Path, signature: DataSignature) -> NDArray[Any]:
    """Examples (n, *input_shape) from a .npy, .npz (array `inputs`, or its only one), .csv, .tsv or image file.

    "-" is a table on stdin. A table holds the inputs' columns alone, as numbers, with or
    without a header. An image is resized to the net's. One example without its batch axis,
    and rows that are flat, are taken as well. Raises DataError.
    """
    suffix = path.suffix.lower()
    if str(path) == "-":
        return _shaped(_table(sys.stdin, "<stdin>", ","), signature, "<stdin>")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file")
    if suffix in SUFFIXES:
        return _image(path, signature)
    if suffix == ".npy":
        return _shaped(np.asarray(read_npy(path)), signature, str(path))
    if suffix == ".npz":
        return _shaped(read_npz(path, {"inputs": _array_name(path)})["inputs"], signature, str(path))
    if suffix in (".csv", ".tsv", ".txt"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _shaped(_table(file, str(path), "\t" if suffix == ".tsv" else ","), signature, str(path))
    raise DataError(f"{path}: is of no kind that can be read\n  expected .csv, .tsv, .npy, .npz or an image")


def _array_name(path: Path) -> str:
    try:
        with np.load(path, allow_pickle=False) as archive:
            names: list[str] = list(archive.files)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} is no .npz archive that can be read: {error}") from error
    return names[0] if len(names) == 1 else "inputs"


def _image(path: Path, signature: DataSignature) -> NDArray[Any]:
    shape = signature.input_shape
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise DataError(f"{path}: is an image, and the net reads examples of shape {shape}")
    return _shaped(read_image(path, (shape[0], shape[1]), grayscale=shape[2] == 1)[None], signature, str(path))


def _table(file: IO[str], name: str, delimiter: str) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    try:
        for cells in (reader := csv.reader(file, delimiter=delimiter, strict=True)):
            if not any(cell.strip() for cell in cells):
                continue
            numbers = [_number(cell) for cell in cells]
            if None in numbers:
                if not rows and all(number is None for number in numbers):
                    continue  # the header
                column = numbers.index(None)
                raise DataError(f"{name}:{reader.line_num}: column {column + 1}: {cells[column]!r} is not a number")
            if rows and len(numbers) != len(rows[0]):
                raise DataError(
                    f"{name}:{reader.line_num}: {len(numbers)} columns, the rows before have {len(rows[0])}"
                )
            rows.append([number for number in numbers if number is not None])
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{name}: cannot be read as a table: {error}") from error
    if not rows:
        raise DataError(f"{name}: has no row of numbers")
    return np.array(rows, dtype=np.float64)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _shaped(array: NDArray[Any], signature: DataSignature, name: str) -> NDArray[Any]:
    shape = signature.input_shape
    size = int(np.prod(shape, dtype=np.int64))
    if array.shape == shape:
        array = array[None]
    elif array.shape[1:] != shape:
        if array.ndim != 2 or array.shape[1] != size:
            raise DataError(f"{name}: an example has shape {array.shape[1:]}, and the net reads {shape}")
        array = array.reshape(-1, *shape)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: numbers are expected, not {array.dtype}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{name}: a value is not finite")
    if signature.input_dtype == "real":
        return as_float32(array, name)
    whole = array.astype(np.int64)
    most = 255 if signature.input_dtype == "uint8" else None
    if not np.array_equal(whole, array) or whole.min(initial=0) < 0 or (most and whole.max(initial=0) > most):
        expected = "whole numbers from 0 to 255" if most else "indices, whole numbers from 0"
        raise DataError(f"{name}: the net reads {expected}, and this holds others")
    return whole.astype(np.uint8) if most else whole


def predict(run: TrainedRun, paths: Sequence[Path], *, top_k: int | None = None) -> Iterator[dict[str, Any]]:
    """One mapping an example: its file and index, then the answer; with a label a step, one mapping a step.

    With labels: prediction, probability (the net's output for it), probabilities by class,
    or of the top_k classes only; else values. Where layers keep recurrent state, a file's examples
    are read on as `Engine.outputs` says, each file from its beginning. Raises DataError, UsageError.
    """
    if top_k is not None and (run.classes is None or not 1 <= top_k <= len(run.classes)):
        there = "the net predicts values" if run.classes is None else f"there are {len(run.classes)} classes"
        raise UsageError(f"--top-k {top_k}: {there}")
    if run.signature.vocabulary is not None and (texts := [p for p in paths if p.suffix.lower() == ".txt"]):
        raise UsageError(
            f"{texts[0]}: this net reads text by the numbers of its tokens\n"
            "  it writes on with --generate N --prompt TEXT, and nnctl evaluate measures it"
        )
    steps = math.prod(run.signature.target_shape) if run.classes is not None else 1
    for path in paths:
        inputs = read_inputs(path, run.signature)
        try:
            scores = run.scores(inputs)
        except DataError as error:
            raise DataError(f"{path}: {error.message}") from error
        for index, row in enumerate(scores):
            place: dict[str, Any] = {"input": str(path), "index": index // steps}
            if run.signature.target_shape and run.classes is not None:
                place["step"] = index % steps
            if run.classes is None:
                yield {**place, "values": row.tolist()}
                continue
            # Stable, so that of equal outputs the first class leads, as in argmax.
            order = np.argsort(-row, kind="stable")
            shown = order[:top_k] if top_k is not None else range(len(row))
            yield {
                **place,
                "prediction": run.classes[order[0]],
                "probability": float(row[order[0]]),
                "probabilities": {run.classes[c]: float(row[c]) for c in shown},
            }
