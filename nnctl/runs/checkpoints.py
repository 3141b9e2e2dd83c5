"""Checkpoints: one safetensors file each, with everything else as JSON in its header.

A file is self-contained, so that one rename publishes it whole. Beside
`last.safetensors` lies `last.json`, the same JSON for people and `jq`; it is
written after and never read back. Its `sha256` says which file it describes.

The bytes are a function of the state of training alone: no clock, no machine,
no path. A run that was killed and resumed therefore ends with the files of one
that never stopped.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nnctl.errors import RunError
from nnctl.runs.durable import write_durably
from nnctl.runs.folder import RunFolder

FORMAT = 1
_KEY = "nnctl"
_MEASURED = "metrics/"
"""Prefix of the names of measured arrays: no layer's name has a slash."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    progress: JSON-able; step, sums, schedule, monitor, spec (see `loop.Loop.checkpoint`).
    tensors: parameters and optimizer state by name, as `Engine.state()` gives them.
    measured: what metrics hold of the examples since the last row, where that is arrays, by "<column>/<name>".
    """

    progress: Mapping[str, Any]
    tensors: Mapping[str, NDArray[Any]]
    measured: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Tensors and measured arrays by the names that they have in the file."""
        return {**self.tensors, **{f"{_MEASURED}{name}": array for name, array in self.measured.items()}}


def _digest(tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def encode(checkpoint: Checkpoint) -> bytes:
    """The bytes of the checkpoint's file; equal states give equal bytes."""
    # One key only: safetensors keeps its metadata in a hash map without a fixed order.
    header = {"format": FORMAT, **checkpoint.progress, "tensors_sha256": _digest(checkpoint.arrays())}
    text = json.dumps(header, sort_keys=True, allow_nan=False, separators=(",", ":"))
    tensors = {name: np.array(array, order="C") for name, array in checkpoint.arrays().items()}
    return safetensors.numpy.save(tensors, metadata={_KEY: text})


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write `path` and its JSON copy, each atomically, the file that counts first."""
    content = encode(checkpoint)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, content)
    described = {"format": FORMAT, **checkpoint.progress, "sha256": hashlib.sha256(content).hexdigest()}
    write_durably(path.with_suffix(".json"), (json.dumps(described, indent=2, sort_keys=True) + "\n").encode())


def load(path: Path) -> Checkpoint:
    """Read a checkpoint back. Raises RunError where the file is missing, damaged or of another format."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            tensors = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise RunError(f"{path}: there is no such checkpoint") from None
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(path, str(error)) from error
    if text is None:
        raise RunError(f"{path}: not a checkpoint of nnctl: a safetensors file without our header")
    try:
        progress = json.loads(text)
    except json.JSONDecodeError as error:
        raise _damaged(path, f"its header is not JSON: {error}") from error
    if progress.pop("format", None) != FORMAT:
        raise RunError(f"{path}: its format is not {FORMAT}, the one that this version of nnctl reads")
    if progress.pop("tensors_sha256", None) != _digest(tensors):
        raise _damaged(path, "its tensors do not have the checksum that its header gives")
    measured = {n.removeprefix(_MEASURED): tensors.pop(n) for n in sorted(tensors) if n.startswith(_MEASURED)}
    return Checkpoint(progress, tensors, measured)


def _damaged(path: Path, why: str) -> RunError:
    other = path.with_name("best.safetensors" if path.stem == "last" else "last.safetensors")
    fix = f"restore {path.name} from a copy, or delete it: a run without last.safetensors resumes from its first step"
    if other.exists():
        fix += f"; {other.name} may still be whole (evaluate and predict: --checkpoint {other.stem})"
    return RunError(f"{path}: the checkpoint is damaged: {why}\n  {fix}")


@dataclass(frozen=True)
class FolderStore:
    """Checkpoints in a run folder."""

    folder: RunFolder

    def save(self, name: str, checkpoint: Checkpoint) -> None:
        """Keep a checkpoint, replacing the one before."""
        save(self.folder.checkpoint(name), checkpoint)

    def load(self, name: str) -> Checkpoint:
        """Give it back. Raises RunError."""
        return load(self.folder.checkpoint(name))
