"""The best runs of a finished sweep."""

from __future__ import annotations

import math
from pathlib import Path

from nnctl.errors import RunError, UsageError
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import Results
from nnctl.runs.sealed import read_record
from nnctl.sweep.runner import RESULTS, final_metrics
from nnctl.sweep.study import FILE


def best_runs(folder: Path, count: int) -> list[Path]:
    """Folders of the `count` best trials, as `ranked_runs` has them.

    Raises RunError where `folder` is no finished sweep, UsageError where fewer of its trials finished.
    """
    column, ranked = ranked_runs(folder)
    if len(ranked) < count:
        raise UsageError(f"--best {count}: {len(ranked)} trials of {folder} finished with a {column}")
    return ranked[:count]


def ranked_runs(folder: Path) -> tuple[str, list[Path]]:
    """(the column that ranked the sweep, folders of all trials that finished with a number there, the best first).

    Trials are taken one by one, whatever combination they belong to; of equal ones the
    earlier comes first. Raises RunError where `folder` is no finished sweep.
    """
    if not (folder / FILE).is_file():
        raise RunError(f"{folder}: is not a sweep's folder: it has no {FILE}\n  nnctl sweep says where it writes")
    if not (folder / RESULTS).is_file():
        raise RunError(f"{folder}: the sweep is not finished: it has no {RESULTS}\n  run its line again to go on")
    results = read_record(folder / RESULTS, Results)
    column, sign = results["monitor"], -1.0 if results["higher_is_better"] else 1.0
    ranked: list[tuple[float, Path]] = []
    for standing in results["ranking"]:
        for number in standing["trials"]:
            run = RunFolder(folder / f"{number:04d}")
            summary = run.finished()
            value = final_metrics(summary).get(column) if summary is not None else None
            if isinstance(value, int | float) and math.isfinite(value):
                ranked.append((sign * value, run.path))
    return column, [path for _, path in sorted(ranked)]
