"""Fields of runs by one name: columns of their rows, fields of their summaries and origins, paths of their specs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any

from nnctl.errors import UsageError
from nnctl.runs.differences import ABSENT, flat
from nnctl.runs.outline import Outline

USUAL = ("run", "state", "epochs", "seconds", "monitor", "value")
"""Fields that a list of runs shows by itself. value: of the column that is monitored."""
_WHOLE = ("spec", "summary", "origin")
_LOOKED_AT = 50
"""Runs whose names are compared with one that nobody has."""


def field_of(run: Outline, name: str) -> Any:
    """The value of a run's field, `ABSENT` where it has none.

    The first that there is of: the usual fields; `spec`, `summary` and `origin` as a whole; a number of the weights
    that the run ended with, as `validation_accuracy`; a path of the summary, as `best.epoch`; a path of the spec, as
    `layers.-1.units`, where a component stands for its type; a path of the origin, as `started`. Raises RunError.
    """
    if name in USUAL:
        return _usual(run, name)
    if name in _WHOLE:
        return getattr(run, name)
    if name in run.metrics:
        return run.metrics[name]
    for part in ("summary", "spec", "origin"):
        if (found := at(getattr(run, part), name)) is not ABSENT:
            return found["type"] if isinstance(found, dict) and "type" in found else found
    return ABSENT


def at(tree: Any, path: str) -> Any:
    """The value at a path of plain data, as `--set` takes it without selections; `ABSENT` where there is none."""
    if isinstance(tree, dict) and path in tree:
        return tree[path]
    head, _, rest = path.partition(".")
    if isinstance(tree, dict) and head in tree:
        found = tree[head]
    elif isinstance(tree, list) and head.removeprefix("-").isdecimal() and -len(tree) <= int(head) < len(tree):
        found = tree[int(head)]
    else:
        return ABSENT
    return at(found, rest) if rest else found


def require_known(runs: Sequence[Outline], names: Iterable[str]) -> None:
    """Raise UsageError where none of the runs has a field of some name; it names those that are near."""
    for name in names:
        if runs and all(field_of(run, name) is ABSENT for run in runs):
            known = list(dict.fromkeys(each for run in islice(runs, _LOOKED_AT) for each in _names(run)))
            last = name.rpartition(".")[2]
            alike = [each for each in known if each.rpartition(".")[2] == last]
            near = (get_close_matches(name, known, n=3) or alike)[:3]
            hint = (
                f"did you mean {', '.join(near)}?"
                if near
                else "a path of the spec, a column or a field of summary.json; words in a formula stand in quotes"
            )
            raise UsageError(f"'{name}': no run has a field of this name\n  {hint}")


def _usual(run: Outline, name: str) -> Any:
    match name:
        case "run":
            return run.name
        case "state" | "monitor":
            return getattr(run, name)
        case "value":
            return None if run.monitor is None else run.metrics.get(run.monitor)
        case _ if run.summary is not None:
            return run.summary[name]
        case _:
            return None if run.last is None else run.last[name.replace("epochs", "epoch")]


def _names(run: Outline) -> Iterator[str]:
    yield from USUAL
    yield from run.metrics
    for part in ("summary", "spec", "origin"):
        for path, value in flat(getattr(run, part) or {}):
            yield path
            if path.endswith(".type") and value is not None:
                yield path.removesuffix(".type")
