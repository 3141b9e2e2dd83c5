"""Resuming: the state that a run folder is in, and what a spec may change of its run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnctl.backends.registry import why_not
from nnctl.data.dataset import Dataset
from nnctl.engine.engine import Engine
from nnctl.errors import RunError
from nnctl.runs.checkpoints import Checkpoint, FolderStore
from nnctl.runs.durable import GrowingFile, read_file
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import Clock
from nnctl.runs.rows import parse_row
from nnctl.runs.sealed import read_record
from nnctl.spec.load import Loaded, load_text
from nnctl.training.events import NO_ROWS, Record, rows_digest
from nnctl.training.loop import Loop

IGNORED_CHANGES = ("name", "description", "sweep", "backend")
"""Keys that may differ between a run and the spec that resumes it: they change no number.
Of the backend it is what it resolves to that may not change, and that the checkpoint knows."""


def keep_rows(path: Path, count: int, expected: str) -> list[Record]:
    """Cut a file of rows to those that the last checkpoint counts, and return them. expected: their digest.

    What follows them was written after it, and will be written again. Raises RunError
    where there are fewer, or others.
    """
    content = read_file(path)
    kept = [line for line in content.splitlines(keepends=True)[:count] if line.endswith(b"\n")]
    if len(kept) < count:
        raise RunError(
            f"{path}: has {len(kept)} whole rows, the last checkpoint counts {count}: it was cut or replaced\n"
            f"  restore it from a copy, or train a new run"
        )
    found = NO_ROWS
    rows: list[Record] = []
    for line in kept:
        row = parse_row(path, line)
        found = rows_digest(found, row)
        rows.append(row)
    if found != expected:
        raise RunError(
            f"{path}: its rows are not those that the last checkpoint counts: edited, damaged or swapped\n"
            f"  restore it from a copy, or train a new run"
        )
    length = sum(map(len, kept))
    if length < len(content):
        file = GrowingFile(path)
        try:
            file.truncate(length)
        finally:
            file.close()
    return rows


def keep_layer_rows(folder: RunFolder, last: Checkpoint | None) -> None:
    """Cut the rows on the layers to those that the last checkpoint counts, where there are any. Raises RunError."""
    count, expected = 0, NO_ROWS
    if last is not None:
        count, expected = last.progress.get("layer_rows", 0), last.progress.get("layer_rows_sha256", NO_ROWS)
    if count or os.path.lexists(folder.layers):
        keep_rows(folder.layers, count, expected)


def last_checkpoint(store: FolderStore) -> Checkpoint | None:
    """The checkpoint to resume from; None where the run was stopped before its first. Raises RunError."""
    return store.load("last") if os.path.lexists(store.folder.checkpoint("last")) else None


def require_checkpoints(folder: RunFolder, summary: Mapping[str, Any], loaded: Loaded) -> None:
    """Raise RunError where the spec asks a finished run that has lost its last checkpoint to go on."""
    epochs = loaded.spec.schedule.epochs
    if summary["stopped"] is None and epochs > summary["epochs"]:
        raise RunError(
            f"{folder.checkpoint('last')}: there is no such checkpoint, and without it the run, which has done "
            f"{summary['epochs']:g} epochs, cannot go on to {epochs}\n"
            f"  put it back from a copy, or leave --resume away: a new run starts"
        )


def is_complete(loaded: Loaded, last: Checkpoint) -> bool:
    """True where no step of the spec's epochs is left, or training stopped by itself."""
    epochs = loaded.spec.schedule.epochs
    return last.progress["stopped"] is not None or bool(last.progress["epoch"] >= epochs)


def require_best(store: FolderStore, last: Checkpoint, loop: Loop) -> None:
    """Raise RunError where the best checkpoint is not one that resuming will stand by.

    A process killed between writing the two leaves a best ahead of `last`, and the
    same steps reach it again: unless the number of epochs, which some schedules look at, changed.
    """
    if loop.monitor is None or last.progress["monitor"]["best_step"] is None:
        return
    best = store.load("best").progress
    expected = last.progress["monitor"]["best_step"]
    ahead = best["step"] > last.progress["step"] and best["steps"] == loop.timetable.steps
    if best["step"] != expected and not ahead:
        raise RunError(
            f"{store.folder.checkpoint('best')}: is of step {best['step']}, the last checkpoint names step {expected}\n"
            f"  resume once with the epochs that the run had, then raise them"
        )


def require_fitting(store: FolderStore, last: Checkpoint, loop: Loop) -> None:
    """Raise RunError where the last checkpoint does not hold what this loop has to remember."""
    own = loop.checkpoint().progress
    for key in ("sums", "schedule", "monitor"):
        saved, wanted = last.progress[key], own[key]
        if (saved is None) != (wanted is None) or sorted(saved or ()) != sorted(wanted or ()):
            raise RunError(f"{store.folder.checkpoint('last')}: its '{key}' is of another net\n  {store.folder.remedy}")


def require_same(folder: RunFolder, loaded: Loaded, data: Dataset, engine: Engine) -> None:
    """Raise RunError where data or backend are not those that the run began with."""
    origin = folder.read_origin()
    if origin["data"] != data.fingerprint:
        raise RunError(
            f"{folder.path}: the data is not what this run began with\n"
            f"  put the data back as it was, or train a new run"
        )
    begun = origin["backend"]
    if begun != engine.backend_name:
        reason = why_not(loaded.spec.backend, begun)
        hint = (
            f"--set backend={begun} goes on exactly; only a new run can change the backend"
            if reason is None
            else f"{begun} cannot run here: {reason}\n"
            f"  resume it where it can; nnctl evaluate {folder.path} --backend auto judges it here"
        )
        raise RunError(
            f"{folder.path}: this run was trained by the backend {begun}, "
            f"and here it would go on with {engine.backend_name}\n  {hint}"
        )


def seconds_spent(folder: RunFolder, summary: Mapping[str, Any] | None, rows: Sequence[Record]) -> float:
    """Seconds of training before: a finished run's, else as last noted, or those of a later row. Raises RunError.

    summary: of the run, where it was finished.
    """
    if summary is not None:
        return float(summary["seconds"])
    noted = read_record(folder.progress, Clock)["seconds"] if os.path.lexists(folder.progress) else 0.0
    seconds = rows[-1].get("seconds") if rows else 0.0
    return max(noted, seconds) if isinstance(seconds, int | float) else float(noted)


def refuse_changes(folder: RunFolder, loaded: Loaded) -> None:
    """Raise RunError where the spec differs from the run's in more than a higher number of epochs."""
    begun = load_text(folder.read_spec(), str(folder.spec), folder=folder.path)
    before, now = _flat(begun.resolved), _flat(loaded.resolved)
    changed = [
        key
        for key in sorted(before.keys() | now.keys())
        if before.get(key, _ABSENT) != now.get(key, _ABSENT) and key.partition(".")[0] not in IGNORED_CHANGES
    ]
    epochs = "schedule.epochs"
    if epochs in changed and now[epochs] > before[epochs]:
        changed.remove(epochs)
    if not changed:
        return
    lines = [f"  {key}: {before.get(key, _ABSENT)} in the run, {now.get(key, _ABSENT)} now" for key in changed]
    hint = "epochs can be raised, not lowered; " if epochs in changed else "only epochs can be raised; "
    raise RunError(
        "\n".join([f"{folder.path}: cannot be resumed, the spec has changed:", *lines])
        + f"\n  {hint}without --resume a new run starts"
    )


_ABSENT = "absent"


def _flat(tree: Any, path: str = "") -> dict[str, Any]:
    if isinstance(tree, Mapping) and tree:
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, list | tuple) and tree:
        items = [(str(index), value) for index, value in enumerate(tree)]
    else:
        return {path: tree}
    flat: dict[str, Any] = {}
    for key, value in items:
        flat |= _flat(value, f"{path}.{key}" if path else key)
    return flat
