"""Resuming: the state that a run folder is in, and what a spec may change of its run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nnctl.errors import RunError
from nnctl.runs import checkpoints
from nnctl.runs.checkpoints import Checkpoint, FolderStore
from nnctl.runs.folder import RunFolder
from nnctl.spec.load import Loaded, load_spec, spec_to_dict
from nnctl.training.events import Record
from nnctl.training.loop import Loop

IGNORED_CHANGES = ("name", "description", "sweep", "backend")
"""Keys that may differ between a run and the spec that resumes it: they change no number.
Of the backend it is what it resolves to that may not change, and that the checkpoint knows."""


def keep_rows(path: Path, count: int) -> list[Record]:
    """Cut a metrics file to its first `count` rows and return them.

    What follows them was written after the checkpoint that counts them, and will
    be written again. Raises RunError where there are fewer.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    kept = [line for line in lines[:count] if line.endswith(b"\n")]
    if len(kept) < count:
        raise RunError(
            f"{path}: has {len(kept)} whole rows, the last checkpoint counts {count}: it was cut or replaced\n"
            f"  restore it from a copy, or train a new run"
        )
    try:
        rows = [json.loads(line) for line in kept]
    except ValueError as error:
        raise RunError(f"{path}: a row is not JSON: {error}\n  restore the file from a copy") from error
    if path.exists():
        with path.open("r+b") as file:
            file.truncate(sum(len(line) for line in kept))
    return rows


def last_checkpoint(folder: RunFolder) -> Checkpoint | None:
    """The checkpoint to resume from; None where the run was stopped before its first."""
    path = folder.checkpoint("last")
    return checkpoints.load(path) if path.exists() else None


def is_complete(loaded: Loaded, last: Checkpoint) -> bool:
    """True where no step of the spec's epochs is left, or training stopped by itself."""
    epochs = loaded.spec.schedule.epochs
    return last.progress["stopped"] is not None or bool(last.progress["epoch"] >= epochs)


def require_best(folder: RunFolder, last: Checkpoint, loop: Loop) -> None:
    """Raise RunError where the best checkpoint is not one that resuming will stand by.

    A process killed between writing the two leaves a best ahead of `last`, and the
    same steps reach it again: unless the number of epochs, which some schedules look at, changed.
    """
    if loop.monitor is None or last.progress["monitor"]["best_step"] is None:
        return
    best = FolderStore(folder).load("best").progress
    expected = last.progress["monitor"]["best_step"]
    ahead = best["step"] > last.progress["step"] and best["spec"]["schedule"]["epochs"] == loop.timetable.epochs
    if best["step"] != expected and not ahead:
        raise RunError(
            f"{folder.checkpoint('best')}: is of step {best['step']}, the last checkpoint names step {expected}\n"
            f"  resume once with the epochs that the run had, then raise them"
        )


def seconds_spent(folder: RunFolder, rows: Sequence[Record]) -> float:
    """Seconds of training before, as last noted; where nothing was, those of the last row."""
    if folder.progress.exists():
        return float(folder.read_json(folder.progress)["seconds"])
    seconds = rows[-1]["seconds"] if rows else 0.0
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def refuse_changes(folder: RunFolder, loaded: Loaded) -> None:
    """Raise RunError where the spec differs from the run's in more than a higher number of epochs."""
    before, now = _flat(spec_to_dict(load_spec(folder.spec).spec)), _flat(spec_to_dict(loaded.spec))
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
