"""Differences between resolved specs: their values by path, and the paths whose values are not all equal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

ABSENT = object()
"""In place of a value that a spec does not have."""


def flat(spec: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a spec by their paths, as `--set` writes them: optimizer.learning_rate, layers.0.units.

    A list of scalars is one value, and so is what has nothing in it.
    """
    if isinstance(spec, Mapping) and spec:
        items = [(str(key), value) for key, value in spec.items()]
    elif isinstance(spec, list) and any(isinstance(item, dict | list) for item in spec):
        items = [(str(index), value) for index, value in enumerate(spec)]
    else:
        yield path, spec
        return
    for key, value in items:
        yield from flat(value, f"{path}.{key}" if path else key)


def differences(specs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The values of each path that is not equal in all specs, one for each spec; `ABSENT` where it has none."""
    values = [dict(flat(spec)) for spec in specs]
    paths = dict.fromkeys(path for each in values for path in each)
    rows = {path: tuple(each.get(path, ABSENT) for each in values) for path in paths}
    return {path: row for path, row in rows.items() if any(not _same(value, row[0]) for value in row[1:])}


def _same(a: Any, b: Any) -> bool:
    # True and 1 are equal to Python, and not to a spec.
    return type(a) is type(b) and bool(a == b)
