"""The state of a run in sentences: how far it is, its best row and its last, the time that is left."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from nnctl.reporting.terminal import duration, show
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import History
from nnctl.runs.records import Row
from nnctl.spec.load import load_text
from nnctl.sweep.objectives import higher_is_better
from nnctl.training.monitor import SPLITS, stem_and_part


class Directions:
    """The direction of each column of a run, for which its spec is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], bool] = {}

    def higher_is_better(self, run: RunFolder, column: str) -> bool:
        """True where higher values are the better ones. Raises SpecError where the spec needs what is not here."""
        key = str(run.path), column
        if key not in self._known:
            folder = Path(run.read_origin()["folder"])
            spec = load_text(run.read_spec(), str(run.spec), folder=folder).spec
            self._known[key] = higher_is_better(spec, column)
        return self._known[key]


def sentences(run: History, directions: Directions, clock: Callable[[], float] = time.time) -> Iterator[str]:
    """Sentences on how far a run is, its best row by what it monitors, its last. clock: seconds, as files have them."""
    yield f"{run.name}: {_progress(run, clock())}"
    best, column = best_row(run, directions), run.monitor
    if best is not None and column is not None:
        yield f"best: epoch {_epoch(best)}, {column.replace('_', ' ')} {show(best[column])}"
    if run.rows:
        last = run.rows[-1]
        yield f"last: epoch {_epoch(last)}, {_numbers(last)}, learning rate {show(last['learning_rate'])}"
    if run.summary is not None and run.summary["test"] is not None:
        yield f"test: with the weights of epoch {_epoch(run.summary['test'])}, {_numbers(run.summary['test'])}"


def best_row(run: History, directions: Directions) -> Row | None:
    """The row that is best by what the run monitors, the first of equal ones; None where there is none."""
    if run.summary is not None:
        best: Row | None = run.summary["best"]
        return best
    column = run.monitor
    rows = [row for row in run.rows if _is_finite(row.get(column or ""))]
    if column is None or not rows:
        return None
    sign = -1.0 if directions.higher_is_better(run.run, column) else 1.0
    return min(rows, key=lambda row: sign * float(row[column] or 0.0))


def seconds_left(run: History, now: float) -> float | None:
    """The seconds that training takes at most to its last epoch; None where no pace is known yet."""
    if not run.rows:
        return None
    # Between rows, where there are two: before the first, code was compiled.
    first = run.rows[0] if len(run.rows) > 1 else {"epoch": 0.0, "seconds": 0.0}
    last = run.rows[-1]
    epochs, seconds = (_number(last[name]) - _number(first[name]) for name in ("epoch", "seconds"))
    if epochs <= 0 or seconds < 0:
        return None
    since = max(0.0, now - run.run.metrics.stat().st_mtime)
    to_do = float(run.spec["schedule"]["epochs"]) - _number(last["epoch"])
    return max(0.0, to_do * seconds / epochs - since)


def _progress(run: History, now: float) -> str:
    total = run.spec["schedule"]["epochs"]
    if run.summary is not None:
        stopped = f", stopped early: {run.summary['stopped']}" if run.summary["stopped"] else ""
        return f"finished, {run.summary['epochs']:g} epochs in {duration(run.summary['seconds'])}{stopped}"
    done = _epoch(run.rows[-1]) if run.rows else "0"
    if run.state == "unfinished":
        return f"unfinished, {done} of {total} epochs; nobody trains it, --resume goes on with it"
    if run.state in ("pruned", "diverged"):
        more = "; --resume goes on with it" if run.state == "pruned" else ""
        return f"{run.state}, as its sweep has recorded, after {done} of {total} epochs{more}"
    left = seconds_left(run, now)
    return f"training, {done} of {total} epochs" + ("" if left is None else f", at most {duration(left)} left")


def _numbers(row: Row) -> str:
    measured = [(name, value) for name, value in row.items() if name.startswith(SPLITS) and value is not None]
    return ", ".join(
        f"{name.replace('_', ' ')} {show(value)}" for name, value in measured if not stem_and_part(name)[1]
    )


def _epoch(row: Row) -> str:
    return f"{_number(row['epoch']):g}"


def _number(value: int | float | str | None) -> float:
    return float(value or 0.0)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
