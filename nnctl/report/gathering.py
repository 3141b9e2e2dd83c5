"""Runs and sweeps that a report is on: those that a command line names, or all in the folders that it names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from nnctl.errors import RunError, SpecError
from nnctl.late import dataclass
from nnctl.runs.addresses import refuse_address
from nnctl.runs.find import WHERE, find
from nnctl.runs.folder import RunFolder, is_sweep
from nnctl.runs.history import History, read_history
from nnctl.sweep.stored_sweep import StoredSweep, read_sweep

MOST_RUNS = 60
"""Runs on one page; of more those that began last."""
MOST_SWEEPS = 6


@dataclass(frozen=True)
class Gathered:
    """Runs and sweeps of a report. broken: paths, and what is wrong there; left_out: how many more there are."""

    runs: tuple[History, ...]
    sweeps: tuple[StoredSweep, ...]
    broken: tuple[tuple[str, str], ...]
    left_out: int


def gather(paths: Sequence[Path]) -> Gathered:
    """The runs and sweeps at some paths and below.

    Raises RunError where a path has none, or where none of all can be read.
    """
    found = list(dict.fromkeys(each for path in paths for each in _at(path)))
    sweeps = [path for path in found if is_sweep(path)]
    runs = [path for path in found if not is_sweep(path)]
    newest = set(sorted(runs, key=_began)[-MOST_RUNS:])
    kept: list[History] = []
    searches: list[StoredSweep] = []
    broken: list[tuple[str, str]] = []
    for path in (*(path for path in runs if path in newest), *sweeps[:MOST_SWEEPS]):
        try:
            if is_sweep(path):
                searches.append(read_sweep(path))
            else:
                kept.append(read_history(RunFolder(path)))
        except (RunError, SpecError) as error:
            broken.append((str(path), str(error)))
    if not kept and not searches:
        raise RunError(broken[0][1] + ("" if len(broken) == 1 else f"\n  and {len(broken) - 1} more cannot be read"))
    left_out = len(runs) - len(newest) + max(len(sweeps) - MOST_SWEEPS, 0)
    return Gathered(tuple(kept), tuple(searches), tuple(broken), left_out)


def _at(path: Path) -> Iterator[Path]:
    refuse_address(path)
    if path.name == "latest":
        yield find(path).path
        return
    below = list(_below(path))
    if not below:
        what = "is a file, and a run is a folder" if path.is_file() else "there is no run"
        raise RunError(f"{path}: {what}\n  {WHERE}")
    yield from below


def _below(folder: Path) -> Iterator[Path]:
    """The folders of runs and of sweeps at and below a folder, in the order of their paths; links are not followed."""
    if RunFolder(folder).exists() or is_sweep(folder):
        yield folder
    elif folder.is_dir():
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.is_symlink() and not entry.name.startswith("."):
                yield from _below(entry)


def _began(path: Path) -> float:
    """The time at which a run began, as far as its files tell without being read."""
    origin = RunFolder(path).origin
    return origin.stat().st_mtime if origin.is_file() else 0.0
