"""Specs of runs: where they differ, and all of what was resolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnctl.figures.figure import Table
from nnctl.report.groups import grouped, setting_of, written
from nnctl.report.section import Listed, Part, Prose, Section, Text
from nnctl.runs.differences import differences
from nnctl.runs.history import History

MOST_ROWS = 80
"""Paths of a table of differences."""
_MOST_COLUMNS = 24
_MOST_SPECS = 4
"""Specs that stand in full on a page."""
_MOST_CHARACTERS = 60_000


def differences_of_specs(runs: Sequence[History]) -> Iterator[Section]:
    """The paths at which the specs of the groups differ, with the value of each."""
    groups = grouped(runs)
    if len(groups) < 2:
        if len(runs) > 1:
            words = "These runs have one spec and differ by their seed alone."
            yield Section("Where the specs differ", (Prose(words),))
        return
    rows = differences([setting_of(group.runs[0]) for group in groups])
    shown = groups[:_MOST_COLUMNS]
    lines = tuple((path, *map(written, values[:_MOST_COLUMNS])) for path, values in list(rows.items())[:MOST_ROWS])
    table = Table(("path", *(group.name for group in shown)), lines)
    parts: list[Part] = [Listed("Values of the spec that are not equal in all", table)]
    if len(rows) > MOST_ROWS or len(groups) > _MOST_COLUMNS:
        parts.append(Prose(f"Shown are {len(lines)} of {len(rows):,} values and {len(shown)} of {len(groups)} specs."))
    yield Section("Where the specs differ", tuple(parts))


def resolved_specs(runs: Sequence[History]) -> Iterator[Section]:
    """The resolved spec of each group, every default written out."""
    groups = grouped(runs)
    parts: list[Part] = []
    for group in groups[:_MOST_SPECS]:
        text = group.runs[0].run.read_spec()
        if len(text) > _MOST_CHARACTERS:
            text = text[:_MOST_CHARACTERS] + f"\n# … and {len(text) - _MOST_CHARACTERS:,} more characters"
        parts.append(Text(f"{group.name}: the spec with all defaults", text, folded=True))
    if len(groups) > _MOST_SPECS:
        parts.append(Prose(f"These are the first {_MOST_SPECS} of {len(groups)} specs; each run's folder has its own."))
    yield Section("Resolved spec" if len(groups) == 1 else "Resolved specs", tuple(parts))
