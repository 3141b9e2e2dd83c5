"""Origins of runs: on which machine and with which versions they were trained, and how to do it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from nnctl.figures.figure import Table
from nnctl.report.groups import grouped, short_names
from nnctl.report.section import Listed, Prose, Section, Text
from nnctl.runs.history import History

_FIELDS = ("started", "backend", "threads", "seed", "nnctl", "python", "numpy", "platform", "data")
_DIGITS = 12
"""Digits of a fingerprint, enough to see whether two are one."""


def machines(runs: Sequence[History]) -> Iterator[Section]:
    """Machine, versions and the fingerprint of the data of each run."""
    names = short_names(runs)
    rows = [_origin(run) for run in runs]
    if len(runs) == 1:
        table = Table(("", "value"), tuple((field, rows[0][field]) for field in rows[0]))
    else:
        table = Table(("run", *_FIELDS), tuple((name, *row.values()) for name, row in zip(names, rows)))
    yield Section("Machine and versions", (Listed("Where and by what the nets were trained", table),))


def repetition(runs: Sequence[History]) -> Iterator[Section]:
    """The command that trains each group again."""
    lines = []
    for group in grouped(runs)[:12]:
        first = group.runs[0]
        seeds = [run.spec.get("seed") for run in group.runs]
        if len(seeds) > 1:
            lines.append(f"for seed in {' '.join(map(str, seeds))}; do nnctl train {_path(first)} --seed $seed; done")
        else:
            lines.append(f"nnctl train {_path(first)}")
    text = (
        "A run's spec.yaml has the seed and all defaults; it is the text above. Relative paths in it begin at "
        f"{runs[0].origin['folder'] or '.'}. The same machine, versions, backend and number of threads give the same "
        "numbers."
    )
    yield Section("To do it again", (Text("Commands", "\n".join(lines)), Prose(text)))


def _origin(run: History) -> dict[str, object]:
    summary = run.summary or {}
    own = {"threads": summary.get("threads"), "seed": run.spec.get("seed"), "data": run.origin["data"][:_DIGITS]}
    return {field: own[field] if field in own else run.origin[field] for field in _FIELDS}


def _path(run: History) -> str:
    return shlex.quote(str(run.run.spec))
