"""Two runs beside each other: where their specs differ, what they reached, by what and on which data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nnctl.runs.differences import ABSENT, differences
from nnctl.runs.outline import Outline

_PROGRESS = ("epochs", "steps", "seconds")
_VERSIONS = ("nnctl", "python", "numpy", "platform", "backend")


def compare(a: Outline, b: Outline) -> list[dict[str, Any]]:
    """Rows of a comparison: paths of the specs that differ, all numbers, versions and data that differ.

    part: spec, result, version or data; name: a path or a column; a, b: the values, None where there is none;
    difference: b − a of numbers. Raises RunError where a run is damaged.
    """
    specs = [_row("spec", path, *values) for path, values in differences([a.spec, b.spec]).items()]
    # A default of null, and no such field in the other: nothing that anybody has set.
    rows = [row for row in specs if row["a"] is not None or row["b"] is not None]
    numbers = [dict(_numbers(run)) for run in (a, b)]
    rows += [
        _row("result", name, *(each.get(name) for each in numbers))
        for name in dict.fromkeys([*numbers[0], *numbers[1]])
    ]
    versions = ((name, a.origin[name], b.origin[name]) for name in _VERSIONS)
    rows += [_row("version", name, one, other) for name, one, other in versions if one != other]
    if a.origin["data"] != b.origin["data"]:
        rows.append(_row("data", "fingerprint", a.origin["data"], b.origin["data"]))
    return rows


def _numbers(run: Outline) -> Iterator[tuple[str, Any]]:
    yield "state", run.state
    last = run.last or {}
    ended = run.summary or {"epochs": last.get("epoch"), "steps": last.get("step"), "seconds": last.get("seconds")}
    yield from ((name, ended[name]) for name in _PROGRESS)
    yield from ((name, value) for name, value in run.metrics.items() if value is not None)


def _row(part: str, name: str, a: Any, b: Any) -> dict[str, Any]:
    one, other = (None if value is ABSENT else value for value in (a, b))
    return {"part": part, "name": name, "a": one, "b": other, "difference": _difference(one, other)}


def _difference(a: Any, b: Any) -> float | None:
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    return b - a if numeric else None
