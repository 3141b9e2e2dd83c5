"""The run folder: what lies where, which folder a run gets, and who may write to it.

runs/<name>/<id>/          001, 002, …; `--out DIR` is exactly DIR
    spec.yaml              the resolved spec
    origin.json            where the spec came from, versions, when it began
    metrics.jsonl          one row an evaluation
    checkpoints/           last.safetensors, best.safetensors, each with a .json copy of its header;
                           pretraining.safetensors where layers were pretrained
    pretraining.jsonl      one row an epoch of a pretrained layer
    progress.json          seconds spent so far
    summary.json           there when the run is finished
runs/<name>/latest         a link to the newest (a file with its id where links cannot be made)
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nnctl.errors import RunError
from nnctl.runs.durable import write_durably

RUNS = Path("runs")
CHECKPOINTS = ("best", "last")
STUDY = "sweep.json"
"""The file of the search and its spec, which makes a folder that of a sweep."""


@dataclass(frozen=True)
class RunFolder:
    """One run's folder, which need not exist yet."""

    path: Path

    @property
    def spec(self) -> Path:
        """The resolved spec."""
        return self.path / "spec.yaml"

    @property
    def origin(self) -> Path:
        """The file on the origin of the run: the spec's place, versions, the time it began."""
        return self.path / "origin.json"

    @property
    def metrics(self) -> Path:
        """The rows, as JSON Lines."""
        return self.path / "metrics.jsonl"

    @property
    def pretraining(self) -> Path:
        """The rows of pretraining, as JSON Lines."""
        return self.path / "pretraining.jsonl"

    @property
    def progress(self) -> Path:
        """The clock; apart from the checkpoints, whose bytes must not depend on it."""
        return self.path / "progress.json"

    @property
    def summary(self) -> Path:
        """The result of a finished run."""
        return self.path / "summary.json"

    def checkpoint(self, name: str) -> Path:
        """The file of the checkpoint `last` or `best`."""
        return self.path / "checkpoints" / f"{name}.safetensors"

    def choose_checkpoint(self, name: str | None) -> str:
        """The name of a checkpoint that is there: `name`, or if None the one whose weights the run ended with.

        "last" where it has not ended. Raises RunError where there is no such checkpoint.
        """
        summary = self.finished()
        chosen = name or (str(summary["weights"]) if summary is not None else "last")
        if self.checkpoint(chosen).exists():
            return chosen
        others = [other for other in CHECKPOINTS if self.checkpoint(other).exists()]
        hint = f"it has {others[0]}" if others else "train it first: nnctl train … --resume"
        raise RunError(f"{self.path}: the run has no checkpoint '{chosen}'\n  {hint}")

    def exists(self) -> bool:
        """True where a run has begun here."""
        return self.spec.is_file()

    def write_json(self, path: Path, content: Mapping[str, Any]) -> None:
        """Replace one of the folder's JSON files."""
        write_durably(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())

    def read_json(self, path: Path) -> dict[str, Any]:
        """Read one of the folder's JSON files. Raises RunError where it is damaged."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{path}: cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise RunError(f"{path}: expected a JSON object")
        return content

    def finished(self) -> dict[str, Any] | None:
        """The summary of a finished run, else None."""
        return self.read_json(self.summary) if self.summary.is_file() else None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from training into this folder. Raises RunError where one does.

        The lock is the system's, on the metrics file: it ends with the process, however that ends.
        """
        if sys.platform == "win32":
            import msvcrt

            # One byte far past the end: Windows' locks forbid reading what they cover.
            with self.metrics.open("ab") as file:
                os.lseek(file.fileno(), 2**40, os.SEEK_SET)
                try:
                    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
                except OSError as error:
                    raise self._in_use() from error
                yield
        else:
            import fcntl

            with self.metrics.open("ab") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise self._in_use() from error
                yield

    def _in_use(self) -> RunError:
        return RunError(f"{self.path}: another process is training into this folder; wait for it, or end it")


def is_sweep(path: Path) -> bool:
    """True where a sweep has begun at `path`."""
    return (path / STUDY).is_file()


def require_free(path: Path) -> None:
    """Raise RunError where `path` cannot become the folder of a new run."""
    run = RunFolder(path)
    if run.exists():
        state = "a finished run" if run.summary.is_file() else "an unfinished run"
        raise RunError(
            f"{path}: holds {state} already; nothing is overwritten\n"
            f"  go on with it by --resume, or choose another folder with --out"
        )
    if is_sweep(path):
        raise RunError(
            f"{path}: is a sweep's folder; nothing is written between its trials\n"
            f"  nnctl sweep … --out {path} goes on with it; for a run choose another folder with --out"
        )
    # A process killed in its first moments leaves these, before the spec that makes it a run.
    if path.exists() and (not path.is_dir() or any(not _is_leftover(entry) for entry in path.iterdir())):
        what = "not empty and not a run" if path.is_dir() else "a file"
        raise RunError(f"{path}: is in the way: it is {what}\n  choose another folder with --out")


def claim(path: Path) -> RunFolder:
    """Make `path` the folder of a new run. Raises RunError where something is there already."""
    require_free(path)
    make_folder(path)
    return RunFolder(path)


def claim_next(name: str, runs: Path = RUNS) -> RunFolder:
    """Make the next numbered folder of `name` and point `latest` at it."""
    family = runs / file_name(name)
    make_folder(family)
    number = max((int(entry.name) for entry in family.iterdir() if entry.name.isdigit()), default=0) + 1
    while True:
        path = family / f"{number:03d}"
        try:
            path.mkdir()
        except FileExistsError:  # another process took the number
            number += 1
            continue
        _point_latest(family, path.name)
        return RunFolder(path)


def latest(name: str, runs: Path = RUNS) -> RunFolder | None:
    """The newest run of `name`, None where there is none."""
    family = runs / file_name(name)
    if not family.is_dir():
        return None
    ids = sorted((entry.name for entry in family.iterdir() if entry.name.isdigit()), key=int)
    begun = [RunFolder(family / each) for each in ids if RunFolder(family / each).exists()]
    return begun[-1] if begun else None


def _is_leftover(entry: Path) -> bool:
    return entry.name == "origin.json" or (entry.name.startswith(".") and entry.suffix == ".tmp")


def make_folder(path: Path) -> None:
    """Make `path` and what is above it, unless they are there. Raises RunError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot make this folder: {error.strerror}") from error


def file_name(name: str) -> str:
    """`name` without what a file system gives a meaning to."""
    return re.sub(r'[/\\:*?"<>|\x00-\x1f]', "-", name).strip(". ") or "run"


def _point_latest(family: Path, target: str) -> None:
    link = family / "latest"
    beside = family / f".latest.{os.getpid()}"
    try:
        beside.symlink_to(target, target_is_directory=True)
    except (OSError, NotImplementedError):  # Windows without the privilege; FAT
        write_durably(link, f"{target}\n".encode())
        return
    beside.replace(link)
