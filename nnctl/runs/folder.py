"""The run folder: what lies where, which folder a run gets, and who may write to it.

runs/<name>/<id>/          001, 002, …; `--out DIR` is exactly DIR
    spec.yaml              the resolved spec: where it is, a run has begun
    origin.json            where the spec came from, its checksum and that of the data, versions, when it began
    metrics.jsonl          one row an evaluation
    layers.jsonl           one row a layer and evaluation, where the spec watches them
    checkpoints/           last.safetensors, best.safetensors, each with a .json copy of its header;
                           pretraining.safetensors where layers were pretrained
    pretraining.jsonl      one row an epoch of a pretrained layer
    progress.json          seconds spent so far, as long as the run is not finished
    summary.json           there when the run is finished, with its seconds and the checksums of all other files
    events.out.tfevents.nnctl   the rows for TensorBoard, where that was asked for
runs/<name>/latest         a link to the newest (a file with its id where links cannot be made)
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nnctl.errors import RunError, RunInUse, RunThere
from nnctl.late import dataclass
from nnctl.runs import durable
from nnctl.runs.addresses import refuse_address
from nnctl.runs.durable import make_folder, read_file
from nnctl.runs.lock import Lock
from nnctl.runs.records import Origin, Summary
from nnctl.runs.sealed import encoded, read_record, sha256, write_record

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
    def layers(self) -> Path:
        """The rows on the layers, as JSON Lines: see `nnctl.engine.layer_rows`."""
        return self.path / "layers.jsonl"

    @property
    def pretraining(self) -> Path:
        """The rows of pretraining, as JSON Lines."""
        return self.path / "pretraining.jsonl"

    @property
    def progress(self) -> Path:
        """The clock of a run that is not finished; apart from the checkpoints, whose bytes must not depend on it."""
        return self.path / "progress.json"

    @property
    def summary(self) -> Path:
        """The result of a finished run."""
        return self.path / "summary.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints. Raises RunError where it leads elsewhere."""
        path = self.path / "checkpoints"
        if path.is_symlink():
            raise RunError(
                f"{path}: is a link, and a run's files lie in its folder\n  put the folder itself in its place"
            )
        return path

    def checkpoint(self, name: str) -> Path:
        """The file of the checkpoint `last` or `best`. Raises RunError where it would lie elsewhere."""
        return self.checkpoints / f"{name}.safetensors"

    def name_of(self, path: Path) -> str:
        """The name that `summary.json` has for one of the run's files."""
        return path.relative_to(self.path).as_posix()

    def choose_checkpoint(self, name: str | None) -> str:
        """The name of a checkpoint that is there: `name`, or if None the one whose weights the run ended with.

        "last" where it has not ended. Raises RunError where there is no such checkpoint.
        """
        summary = self.finished()
        chosen = name or (str(summary["weights"]) if summary is not None else "last")
        if self.checkpoint(chosen).exists():
            return chosen
        others = [other for other in CHECKPOINTS if self.checkpoint(other).exists()]
        train = f"train it first: nnctl train {self.spec} --resume --out {self.path}"
        # A finished run is not gone on with, and its weights are lost.
        hint = f"it has {others[0]}" if others else train if summary is None else self.remedy
        raise RunError(f"{self.path}: the run has no checkpoint '{chosen}'\n  {hint}")

    def exists(self) -> bool:
        """True where a run has begun here: a stranger's spec.yaml alone is none, what is left of a damaged one is."""
        # In the order in which a run is begun.
        others = (self.origin, self.summary, self.metrics, self.progress)
        return self.spec.is_file() and any(map(os.path.lexists, others))

    @property
    def remedy(self) -> str:
        """The way out where a file of the run is not the one that it was trained with."""
        return f"put the file back as it was; to train anew: nnctl train {self.spec}"

    def read_origin(self) -> dict[str, Any]:
        """The fields of `Origin`. Raises RunError where it is damaged."""
        return read_record(self.origin, Origin)

    def finished(self) -> dict[str, Any] | None:
        """The summary of a finished run, the fields of `Summary`; else None.

        Raises RunError where it is damaged, or the spec is not the one that it is the result of.
        """
        if not os.path.lexists(self.summary):
            return None
        summary = read_record(self.summary, Summary)
        self.require_unchanged(self.spec, read_file(self.spec), summary)
        return summary

    def require_unchanged(self, path: Path, content: bytes, summary: Mapping[str, Any]) -> None:
        """Raise RunError where a file's content is not the one that the finished run knows."""
        if summary["files"].get(self.name_of(path)) != sha256(content):
            raise RunError(
                f"{path}: is not the file that {self.summary} knows: edited, damaged or swapped\n  {self.remedy}"
            )

    def require_whole(self, summary: Mapping[str, Any]) -> None:
        """Raise RunError where a file of a finished run is not the one that it ended with; some may be gone."""
        for path in self.files():
            if os.path.lexists(path):
                self.require_unchanged(path, read_file(path), summary)

    def digests(self) -> dict[str, str]:
        """Digests of all files of the run but the summary, by their names."""
        return {self.name_of(path): sha256(read_file(path)) for path in self.files() if os.path.lexists(path)}

    def files(self) -> list[Path]:
        """All files that a finished run may have but its summary."""
        saved = [self.checkpoint(name) for name in ("best", "last", "pretraining")]
        copies = [path.with_suffix(".json") for path in saved]
        rows = [self.metrics, self.layers, self.pretraining]
        return [self.spec, self.origin, *rows, *saved, *copies]

    def read_spec(self) -> str:
        """The text of the run's spec. Raises RunError where it is not one that the run was trained with."""
        content = read_file(self.spec)
        if sha256(content) not in self.read_origin()["specs"]:
            raise RunError(f"{self.spec}: is not the spec that this run was trained with\n  {self.remedy}")
        return content.decode()

    def begin(self, text: str, origin: Mapping[str, Any]) -> None:
        """Write what makes the folder a run: its origin, the fields of `Origin` but for `specs`, then its spec.

        The names of what was made in it before are on the disk with theirs.
        """
        content = text.encode()
        durable.write_durably(self.origin, encoded({**origin, "specs": [sha256(content)]}), (self.spec, content))

    def change_spec(self, text: str) -> None:
        """Replace the spec. Killed at any moment, the one before or this one is known to the origin."""
        origin, digest = self.read_origin(), sha256(text.encode())
        if read_file(self.spec) == text.encode():
            return
        write_record(self.origin, {**origin, "specs": [*(d for d in origin["specs"] if d != digest), digest]})
        durable.write_durably(self.spec, text.encode())

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the summary, the fields of `Summary` but for `files`, and let the clock go. Raises RunError."""
        durable.remove(self.progress)
        write_record(self.summary, {**summary, "files": self.digests()})

    def tidy(self, *, begun: bool) -> None:
        """Make the folder of checkpoints, and remove what dead processes have left half-written.

        begun: else `begin` follows.
        """
        make_folder(self.checkpoints, flushed=begun)
        for folder in (self.path, self.checkpoints):
            durable.remove_leftovers(folder)

    @contextmanager
    def lock(self, *, begun: bool = True) -> Iterator[Lock]:
        """Keep other processes from training into this folder. begun: else `begin` follows.

        Raises RunError where one does.
        """
        lock = Lock.attempt(self.metrics, named=begun)
        if lock is None:
            raise RunInUse(f"{self.path}: another process is training into this folder; wait for it, or end it")
        try:
            yield lock
        finally:
            lock.release()


def is_sweep(path: Path) -> bool:
    """True where a sweep has begun at `path`."""
    return (path / STUDY).is_file()


def require_free(path: Path) -> None:
    """Raise RunError where `path` cannot become the folder of a new run, RunThere where one has begun."""
    # In this order: what makes a folder a run comes before what makes it not free, and another process may write both
    # between two looks.
    refuse_address(path)
    if _is_free(path):
        return
    run = RunFolder(path)
    if run.exists():
        state = "a finished run" if run.summary.is_file() else "an unfinished run"
        raise RunThere(
            f"{path}: holds {state} already; nothing is overwritten\n"
            f"  go on with it by --resume, or choose another folder with --out"
        )
    if is_sweep(path):
        raise RunError(
            f"{path}: is a sweep's folder; nothing is written between its trials\n"
            f"  nnctl sweep … --out {path} goes on with it; for a run choose another folder with --out"
        )
    what = "not empty and not a run" if path.is_dir() else "a file"
    raise RunError(f"{path}: is in the way: it is {what}\n  choose another folder with --out")


def _is_free(path: Path) -> bool:
    """True where nothing is at `path`, or a folder with what a process killed in its first moments leaves."""
    if not os.path.lexists(path):
        return True
    return path.is_dir() and not (RunFolder(path).exists() or any(not _is_leftover(entry) for entry in path.iterdir()))


def _is_leftover(entry: Path) -> bool:
    if entry.name == "checkpoints":
        return entry.is_dir() and not any(entry.iterdir())
    if entry.name == "metrics.jsonl":
        return entry.is_file() and entry.stat().st_size == 0
    return entry.name == "origin.json" or durable.is_leftover(entry.name)


@contextmanager
def claim(path: Path) -> Iterator[tuple[RunFolder, Lock]]:
    """Make `path` the folder of a new run, and lock it. Raises RunError where something is there already."""
    require_free(path)
    make_folder(path)
    run = RunFolder(path)
    with run.lock(begun=False) as lock:
        require_free(path)  # of a process that was faster
        yield run, lock


@contextmanager
def claim_next(name: str) -> Iterator[tuple[RunFolder, Lock]]:
    """Lock the next numbered folder of `name`: a new one, or one where a process died before its run began."""
    family = RUNS / file_name(name)
    make_folder(family)
    newest = latest(name)
    number = int(newest.path.name) if newest is not None else 0
    while True:
        number += 1
        path = family / f"{number:03d}"
        if not _is_free(path):
            continue
        make_folder(path)
        run = RunFolder(path)
        lock = Lock.attempt(run.metrics, named=False)
        if lock is None:
            continue  # another process took the number
        try:
            if _is_free(path):
                yield run, lock
                return
        finally:
            lock.release()


def latest(name: str, runs: Path = RUNS) -> RunFolder | None:
    """The newest run of `name`, None where there is none."""
    family = runs / file_name(name)
    if not family.is_dir():
        return None
    ids = sorted((entry.name for entry in family.iterdir() if re.fullmatch("[0-9]+", entry.name)), key=int)
    begun = [RunFolder(family / each) for each in ids if RunFolder(family / each).exists()]
    return begun[-1] if begun else None


def file_name(name: str) -> str:
    """`name` without what a file system gives a meaning to."""
    return re.sub(r'[/\\:*?"<>|\x00-\x1f]', "-", name).strip(". ") or "run"


def point_latest(run: RunFolder) -> None:
    """Make `latest` lead to a numbered run. Raises RunError."""
    link = run.path.parent / "latest"
    durable.remove_leftovers(link.parent)
    if not os.path.lexists(link) or pointed_at(link) != run.path:
        durable.link_durably(link, run.path.name)


def pointed_at(link: Path) -> Path:
    """The run that `latest` leads to, by a link or as a file with its number; `link` itself where it is neither.

    Raises RunError where it leads out of its folder.
    """
    if link.is_symlink():
        target = os.readlink(link)
    elif link.is_file():
        target = read_file(link).decode(errors="replace").strip()
    else:
        return link
    if not re.fullmatch("[0-9]+", target):
        raise RunError(f"{link}: leads to {target!r}, not to a run beside it\n  remove it, and name the run itself")
    return link.parent / target
