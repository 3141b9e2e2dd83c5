"""Groups of runs that differ by their seed alone, and the names that tell runs and groups apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from nnctl.figures.scales import number
from nnctl.late import dataclass
from nnctl.runs.differences import ABSENT, differences
from nnctl.runs.history import History

OF_THE_RUN = ("seed", "name", "description")
"""Fields of a spec that do not make another training of it."""
_MOST_NAMED = 2
"""Values of a spec by which a group is named, at most."""


@dataclass(frozen=True)
class Group:
    """Runs that differ by their seed alone."""

    name: str
    runs: tuple[History, ...]

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The spec that they share, without what is of each run."""
        return setting_of(self.runs[0])


def grouped(runs: Sequence[History]) -> list[Group]:
    """The groups of runs, in the order of their first ones. Named by where their specs differ, or by their folders."""
    found: dict[str, list[History]] = {}
    for run in runs:
        found.setdefault(json.dumps(setting_of(run), sort_keys=True, default=str), []).append(run)
    members = list(found.values())
    return [Group(name, tuple(each)) for name, each in zip(_names(members), members)]


def setting_of(run: History) -> dict[str, Any]:
    """The spec of a run without what is its own: seed and name."""
    return {key: value for key, value in run.spec.items() if key not in OF_THE_RUN}


def short_names(runs: Sequence[History]) -> list[str]:
    """The shortest ends of the runs' paths that tell them apart, of two steps at least."""
    paths = [Path(run.name).parts for run in runs]
    length = 2
    while length < max(map(len, paths), default=0) and len({path[-length:] for path in paths}) < len(set(paths)):
        length += 1
    return ["/".join(path[-length:]) for path in paths]


def written(value: Any) -> str:
    """A value of a spec, as a spec writes it; – where there is none."""
    if value is ABSENT:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _told_apart(values: Sequence[Any]) -> list[str]:
    """Values of a field in few characters: numbers in few digits, if these tell as many apart as all digits do."""
    exact = [written(value) for value in values]
    short = [number(value) if isinstance(value, float) else text for value, text in zip(values, exact)]
    return short if len(set(short)) == len(set(exact)) else exact


def _names(members: Sequence[Sequence[History]]) -> list[str]:
    seeds = [f" · {len(each)} seeds" if len(each) > 1 else "" for each in members]
    rows = differences([setting_of(each[0]) for each in members])
    if len(members) > 1 and len(rows) <= _MOST_NAMED:
        short = [_told_apart(each) for each in rows.values()]
        parts = [[f"{path.rpartition('.')[2]} {value}" for path, value in zip(rows, each)] for each in zip(*short)]
        return [", ".join(part) + seed for part, seed in zip(parts, seeds)]
    paths = short_names([run for each in members for run in each])
    names = []
    for each, seed in zip(members, seeds):
        own = [paths.pop(0) for _ in each]
        names.append(own[0] + seed)
    return names
