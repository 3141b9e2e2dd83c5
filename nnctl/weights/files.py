"""Files of weights: safetensors, and Keras's in HDF5."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nnctl.errors import UsageError
from nnctl.late import dataclass

_PICKLED = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle")
_HDF5 = (".h5", ".hdf5", ".keras")
_CELLS = re.compile(r"(?:lstm|gru|simple_rnn)_cell(?:_\d+)?")
_DIRECTIONS = re.compile(r"(forward|backward)_\w+")


@dataclass(frozen=True)
class WeightsFile:
    """The arrays of a file by their names, parts joined by dots; what it says of itself.

    numbered: whether the last part is the number of an array in its layer, as in Keras's files.
    """

    path: Path
    arrays: Mapping[str, NDArray[Any]]
    metadata: Mapping[str, str] = field(default_factory=dict)
    numbered: bool = False


def read_weights(path: Path) -> WeightsFile:
    """The arrays in a file. Raises UsageError where it is not there, is of another kind or damaged."""
    suffix = path.suffix.lower()
    if suffix in _PICKLED:
        raise UsageError(
            f"{path}: is a pickle, which runs code of its own as it is read, and is not read here\n"
            "  where you trust it, PyTorch makes a file without code of it: "
            f"safetensors.torch.save_file(torch.load({path.name!r}, weights_only=True), 'weights.safetensors')"
        )
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, and a file is expected\n  for a run's weights say run: {path}")
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    if suffix in _HDF5:
        return _hdf5(path)
    if suffix != ".safetensors":
        raise UsageError(
            f"{path}: is of no kind that can be read\n  expected .safetensors, or Keras's .weights.h5 or .keras"
        )
    content = path.read_bytes()
    try:
        arrays = safetensors.numpy.load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = dict(json.loads(content[8 : 8 + length])).get("__metadata__", {})
    except KeyError as error:
        raise UsageError(f"{path}: has numbers of type {error}\n  convert it to float32 first") from error
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is no safetensors file, or damaged: {error}") from error
    return WeightsFile(path, {_keras_path(name): array for name, array in arrays.items()}, metadata)


def _keras_path(name: str) -> str:
    """A name with dots, from one that a variable of Keras has as its path."""
    if "/" not in name:
        return name
    return ".".join(_parts(name.removesuffix(":0").split("/")))


def _parts(parts: list[str]) -> Iterator[str]:
    """Parts of a path of Keras: cells have their layer's name, and directions their words here."""
    for part in parts:
        if direction := _DIRECTIONS.fullmatch(part):
            yield direction[1]
        elif not _CELLS.fullmatch(part):
            yield part


def _hdf5(path: Path) -> WeightsFile:
    try:
        import h5py
    except ImportError as error:
        raise UsageError(
            f"{path}: files of Keras in HDF5 need the extra `keras`: pip install 'nnctl[keras]'\n"
            "  or convert it where Keras is: safetensors.numpy.save_file("
            "{w.path: numpy.asarray(w) for w in model.weights}, 'weights.safetensors')"
        ) from error
    try:
        content = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = archive.read("model.weights.h5")
        with h5py.File(io.BytesIO(content), "r") as file:
            if "model_weights" in file:
                return WeightsFile(path, dict(_whole_model(file["model_weights"])))
            return WeightsFile(path, dict(_layers(file, ())), numbered=True)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise UsageError(f"{path}: holds no weights of Keras, or is damaged: {error}") from error


def _whole_model(group: Any) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays of a whole model of the older format: <layer>/<path of the variable>."""
    for layer, inside in group.items():
        names: list[str] = []
        inside.visititems(lambda name, item, names=names: names.append(name) if hasattr(item, "dtype") else None)
        for name in names:
            *_, last = parts = list(_parts(name.removesuffix(":0").split("/")))
            direction = [part for part in parts if part in ("forward", "backward")]
            yield ".".join([layer, *direction, last]), np.asarray(inside[name])


def _layers(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, NDArray[Any]]]:
    """Arrays of the newer format: layers/<kind>/vars/<number>, whose groups of variables have the layers' names."""
    for key, inside in group.items():
        if key == "vars":
            for number, array in inside.items():
                yield ".".join([*path, number]), np.asarray(array)
        elif key == "layers":
            for layer in inside.values():
                name = layer["vars"].attrs.get("name", layer.name.rpartition("/")[2]) if "vars" in layer else layer.name
                yield from _layers(layer, (*path, str(name)))
        elif key != "optimizer" and hasattr(inside, "items"):
            yield from _layers(inside, path if key == "cell" else (*path, *_parts([key])))
