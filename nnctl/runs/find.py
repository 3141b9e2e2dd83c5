"""The run that a path means: a run folder, the latest of a folder of runs, the best of a sweep."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from nnctl.errors import RunError
from nnctl.runs.addresses import refuse_address
from nnctl.runs.folder import RUNS, RunFolder, is_sweep, latest, pointed_at
from nnctl.runs.sweeps import ranked_trials

_LOGGER = logging.getLogger(__name__)

WHERE = f"runs lie in {RUNS}/<name>/<id>; `nnctl train SPEC` makes one"
"""The hint where there is no run."""


def find(path: Path) -> RunFolder:
    """The run at `path`: a run folder; of a folder of numbered runs the latest; of a sweep's the best trial.

    Which trial that is, is logged. Raises RunError.
    """
    refuse_address(path)
    if path.name == "latest":
        path = pointed_at(path)
    run = RunFolder(path)
    if run.exists():
        return run
    if is_sweep(path):
        return _best(path)
    newest = latest(path.name, path.parent)
    if newest is not None:
        return newest
    if path.is_dir():
        lacking = run.origin if run.spec.is_file() else run.spec
        meant = runs_meant(path)
        hint = f"\n  {meant}" if meant else ""
        raise RunError(f"{path}: not a run folder: it has no {lacking.name}{hint}")
    if path.exists():
        raise RunError(f"{path}: is a file, and a run is a folder\n  {WHERE}")
    raise RunError(f"{path}: there is no such run\n  {WHERE}")


def is_run(path: Path) -> bool:
    """True where `find` has something to look at: a run folder, a folder of numbered runs, or a sweep's."""
    return RunFolder(path).exists() or is_sweep(path) or latest(path.name, path.parent) is not None


def runs_meant(folder: Path) -> str:
    """The hint at what `find` takes in a folder, or in those below; empty where there is none."""
    below = _folders(folder)
    runs = [path for path in below if is_run(path)] or [
        path for each in below for path in _folders(each) if is_run(path)
    ]
    more = ", …" if len(runs) > 10 else ""
    return f"did you mean one of {', '.join(map(str, runs[:10]))}{more}?" if runs else ""


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; none where it may not be read."""
    if not os.access(folder, os.R_OK | os.X_OK):
        return []
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _best(folder: Path) -> RunFolder:
    ranking = ranked_trials(folder)
    if not ranking.trials:
        raise RunError(f"{folder}: none of the sweep's {ranking.count} trials finished with a {ranking.monitor}")
    [best] = ranking.best(1)
    _LOGGER.info(
        "%s: the best of %d trials: trial %d, %s %.4g", folder, ranking.count, best.number, ranking.monitor, best.value
    )
    return best.run
