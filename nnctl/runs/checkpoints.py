"""Checkpoints: one safetensors file each, with everything else as sealed JSON in its header.

A file is self-contained, so that one rename publishes it whole, and each bit of it is
under a checksum: the arrays' stands in the header, and the header's beside it. Next to
`last.safetensors` lies `last.json`, the same JSON for people and `jq`; its `sha256` says
which file it describes. It is written after, and training reads nothing from it; lists of runs have the spec
from it, where a finished run knows its digest.

The bytes are a function of the state of training alone: no clock, no machine,
no path. A run that was killed and resumed therefore ends with the files of one
that never stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from nnctl.errors import RunError
from nnctl.late import dataclass
from nnctl.runs.durable import read_file, write_durably
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import Record, TrainingHeader
from nnctl.runs.sealed import FORMAT, damaged, opened, sealed, sha256

_KEY = "nnctl"
_MEASURED = "metrics/"
"""Prefix of the names of measured arrays: no layer's name has a slash."""
_TENSORS = "tensors_sha256"


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run between two steps.

    progress: JSON-able; the fields of `TrainingHeader` (see `loop.Loop.checkpoint`), or of another record.
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
    header = sealed({**checkpoint.progress, _TENSORS: _digest(checkpoint.arrays())})
    text = json.dumps(header, sort_keys=True, allow_nan=False, separators=(",", ":"))
    tensors = {name: np.array(array, order="C") for name, array in checkpoint.arrays().items()}
    return safetensors.numpy.save(tensors, metadata={_KEY: text})


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Write `path` and its JSON copy, each atomically, the file that counts first. Raises RunError."""
    _write(checkpoint, path)


def _write(checkpoint: Checkpoint, *paths: Path) -> None:
    """Write a checkpoint as files of one folder, each before its copy, in this order."""
    content = encode(checkpoint)
    copy = _copy(checkpoint, content)
    (first, its), *others = [
        (file, each) for path in paths for file, each in ((path, content), (path.with_suffix(".json"), copy))
    ]
    write_durably(first, its, *others)


def renew_copy(path: Path, checkpoint: Checkpoint) -> None:
    """Write the JSON copy of a checkpoint that was loaded from `path`, unless it is there as it should be.

    A process killed between the two has left the copy of the checkpoint before. Raises RunError.
    """
    copy, wanted = path.with_suffix(".json"), _copy(checkpoint, read_file(path))
    if not os.path.lexists(copy) or read_file(copy) != wanted:
        write_durably(copy, wanted)


def _copy(checkpoint: Checkpoint, content: bytes) -> bytes:
    described = {"format": FORMAT, **checkpoint.progress, "sha256": sha256(content)}
    return (json.dumps(described, indent=2, sort_keys=True) + "\n").encode()


def load(path: Path, header: type[Record] = TrainingHeader, known: str | None = None) -> Checkpoint:
    """Read a checkpoint back. Raises RunError where the file is missing, damaged, another or of another format.

    header: the record that its header is. known: the digest of the file, where something knows it.
    """
    if not os.path.lexists(path):
        raise RunError(f"{path}: there is no such checkpoint")
    content = read_file(path)
    try:
        tensors = dict(sorted(safetensors.numpy.load(content).items()))
        text = _metadata(content).get(_KEY)
    except (safetensors.SafetensorError, ValueError, KeyError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if text is None:
        raise RunError(f"{path}: not a checkpoint of nnctl: a safetensors file without our header")
    progress = opened(text, path, header, remedy=_remedy(path))
    if progress.pop(_TENSORS) != _digest(tensors):
        raise _damaged(path, "its tensors do not have the checksum that its header gives")
    if known is not None and known != sha256(content):
        raise RunError(
            f"{path}: is not the file that the run ended with: summary.json has another checksum of it\n"
            f"  put its own back from a copy"
        )
    measured = {n.removeprefix(_MEASURED): tensors.pop(n) for n in sorted(tensors) if n.startswith(_MEASURED)}
    return Checkpoint(progress, tensors, measured)


def _metadata(content: bytes) -> dict[str, str]:
    """The metadata of a safetensors file that the library has found to be one: its length, its header, its arrays."""
    length = int.from_bytes(content[:8], "little")
    found = json.loads(content[8 : 8 + length]).get("__metadata__", {})
    return dict(found)


def _damaged(path: Path, why: str) -> RunError:
    return damaged(path, why, _remedy(path))


def _remedy(path: Path) -> str:
    other = path.with_name("best.safetensors" if path.stem == "last" else "last.safetensors")
    remedy = "delete it: a run without last.safetensors resumes from its first step"
    if other.exists():
        remedy += f"; {other.name} may still be whole (evaluate and predict: --checkpoint {other.stem})"
    return remedy


@dataclass(frozen=True)
class FolderStore:
    """Checkpoints in a run folder. before: called before each save, to raise RunError where the folder is gone."""

    folder: RunFolder
    before: Callable[[], None] = lambda: None

    def save(self, checkpoint: Checkpoint, *names: str) -> None:
        """Keep a checkpoint under each name in turn, replacing the one before. Raises RunError."""
        self.before()
        _write(checkpoint, *map(self.folder.checkpoint, names))

    def load(self, name: str, header: type[Record] = TrainingHeader) -> Checkpoint:
        """Give it back. Raises RunError where it is not whole, or of another run."""
        path, summary = self.folder.checkpoint(name), self.folder.finished()
        known = summary["files"].get(self.folder.name_of(path)) if summary is not None else None
        checkpoint = load(path, header, known)
        progress, origin = checkpoint.progress, self.folder.read_origin()
        theirs = [what for what in ("data", "backend") if what in progress and progress[what] != origin[what]]
        if progress["spec_sha256"] not in origin["specs"]:
            theirs.insert(0, "spec")
        if theirs:
            raise RunError(
                f"{path}: is of another run, whose {theirs[0]} is not that of {self.folder.path}\n"
                f"  {self.folder.remedy}"
            )
        return checkpoint
