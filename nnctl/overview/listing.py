"""Lists of runs: those that meet conditions, in an order, a row each; and the best of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nnctl.errors import RunError, SpecError, UsageError
from nnctl.late import dataclass
from nnctl.overview.fields import USUAL, field_of, require_known
from nnctl.overview.state import Directions
from nnctl.runs.differences import ABSENT
from nnctl.runs.outline import Outline, outlines
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import SourceText
from nnctl.spec.yaml.tree import plain_data
from nnctl.sweep import formula
from nnctl.training.monitor import SPLITS

_EQUATION = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*=(?!=)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """A condition on runs. names: the fields in it; holds: True where their values, all there, meet it."""

    text: str
    names: tuple[str, ...]
    holds: Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Listing:
    """The runs of a folder that meet conditions. broken: runs that cannot be read; sweeps: those left out."""

    runs: list[Outline]
    broken: list[RunError]
    sweeps: list[Path]


def read_condition(text: str) -> Condition:
    """The condition in a text: `path=value`, with a value as a spec has it, or a formula that is true or false.

    Raises UsageError.
    """
    equation = _EQUATION.fullmatch(text)
    if equation is not None:
        name = equation[1]
        try:
            wanted = plain_data(parse(SourceText(equation[2], "--where")))
        except SpecError as error:
            raise UsageError(str(error)) from error
        return Condition(text, (name,), lambda values: _same(values[name], wanted))
    read = formula.read(text)
    return Condition(text, read.names, lambda values: bool(read.value(values)))


def list_runs(
    folder: Path, where: Sequence[str] = (), shown: Sequence[str] = USUAL, *, trials: bool = False
) -> Listing:
    """The runs at and below a folder that meet all conditions, in the order of their paths.

    A run without a field, or with one that a condition makes no sense of, does not meet it. shown: fields that are
    asked for later; a run that has them damaged is among the broken. trials: with those of sweeps below the folder.
    Raises UsageError where a condition cannot be read, or names what no run has; RunError
    where there is no folder, or no run in it can be read.
    """
    conditions = [read_condition(text) for text in where]
    sweeps: list[Path] = []
    found: list[Outline] = []
    broken: list[RunError] = []
    kept: list[Outline] = []
    for each in outlines(folder, None if trials else sweeps):
        if not isinstance(each, Outline):
            broken.append(each[1])
            continue
        try:
            meets = all(_meets(each, condition) for condition in conditions)
            for name in shown if meets else ():
                field_of(each, name)
        except RunError as error:
            broken.append(error)
            continue
        found.append(each)
        if meets:
            kept.append(each)
    if broken and not found:
        raise RunError(f"{broken[0]}" + (f"\n  and {len(broken) - 1:,} more runs" if len(broken) > 1 else ""))
    require_known(found, dict.fromkeys(name for condition in conditions for name in condition.names))
    return Listing(kept, broken, sweeps)


def ordered(runs: Sequence[Outline], by: str, *, backwards: bool = False) -> list[Outline]:
    """Runs by a field: the best first where it was measured, else the least; those without it last.

    Raises UsageError where no run has it.
    """
    require_known(runs, [by])
    values = {run.name: field_of(run, by) for run in runs}
    having = [run for run in runs if _has_place(values[run.name])]
    numbers = [run for run in having if isinstance(values[run.name], int | float)]
    texts = [run for run in having if not isinstance(values[run.name], int | float)]
    column = by if by.startswith(SPLITS) else _require_common(having) if by == "value" and having else None
    falling = bool(column and numbers) and Directions().higher_is_better(numbers[0].run, column or "")
    numbers.sort(key=lambda run: float(values[run.name]), reverse=falling is not backwards)
    texts.sort(key=lambda run: str(values[run.name]), reverse=backwards)
    lacking = [run for run in runs if not _has_place(values[run.name])]
    return [*numbers, *texts, *lacking]


def best_run(runs: Sequence[Outline], monitor: str | None = None) -> Outline:
    """The finished run that is best by a column, by what all of them monitor if None; the first of equal ones.

    Raises UsageError where they monitor different columns, RunError where none has a finite number in it.
    """
    finished = [run for run in runs if run.state == "finished"]
    if not finished:
        raise RunError("there is no finished run among them\n  nnctl runs lists what there is")
    column = monitor or _require_common(finished)
    require_known(finished, [column])
    first = ordered(finished, column)[0]
    if not _has_place(field_of(first, column)):
        raise RunError(f"no finished run among them has a number in {column}")
    return first


def rows_of(runs: Sequence[Outline], columns: Sequence[str] = (), more: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Rows of equal keys. columns: fields instead of the usual ones, behind the run; more: fields besides these.

    Raises UsageError where no run has one of them.
    """
    names = list(dict.fromkeys(["run", *(columns or USUAL), *more]))
    require_known(runs, names)
    rows = [{name: field_of(run, name) for name in names} for run in runs]
    return [{name: None if value is ABSENT else value for name, value in row.items()} for row in rows]


def _meets(run: Outline, condition: Condition) -> bool:
    values = {name: field_of(run, name) for name in condition.names}
    if any(value is ABSENT for value in values.values()):
        return False
    try:
        return condition.holds(values)
    except UsageError:
        # None in place of a number, a text where another run has one.
        return False


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    return bool(value == wanted)


def _has_place(value: Any) -> bool:
    """True where a value has a place in an order."""
    return value is not None and value is not ABSENT and not (isinstance(value, float) and not math.isfinite(value))


def _require_common(runs: Sequence[Outline]) -> str:
    """The column that all runs monitor. Raises UsageError where there is none."""
    columns = {run.monitor for run in runs}
    column = columns.pop()
    if columns or column is None:
        own = ", ".join(sorted({run.monitor or "none" for run in runs}))
        raise UsageError(f"the runs do not monitor one column, but {own}\n  say which counts: --monitor COLUMN")
    return column
