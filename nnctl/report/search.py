"""Sections on a sweep's search: the ranking, its course, the Pareto set, and the curves of the best."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np

from nnctl.errors import RunError
from nnctl.figures.figure import Axis, Chart, Curve, Layer, Points, Table
from nnctl.report.curves import curves
from nnctl.report.groups import written
from nnctl.report.section import Drawn, Listed, Part, Prose, Section, Text, Tiles
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import History, read_history
from nnctl.spec.dump import dump_data
from nnctl.spec.load import spec_to_dict
from nnctl.sweep.kept import KeptSweep
from nnctl.sweep.listing import trial_rows
from nnctl.sweep.ranking import Standing
from nnctl.sweep.standings import conclusions, standing_rows

_MOST_RANKED = 100
_MOST_CURVES = 8
"""Runs of the best combinations whose curves are drawn."""
_MOST_OBJECTIVES = 4


def ranking(kept: KeptSweep) -> Iterator[Section]:
    """The ranking, and what has become of the trials."""
    counts = ", ".join(f"{count:,} {status}" for status, count in kept.counts.items())
    parts: list[Part] = []
    best = kept.ranking[0] if kept.ranking else None
    if best is not None and best.means is not None:
        first = [(f"best {o.column}".replace("_", " "), best.means[o.column]) for o in kept.objectives[:1]]
        parts.append(Tiles((*first, *((f"{status} trials", count) for status, count in kept.counts.items()))))
        settings = ", ".join(f"{path} = {written(value)}" for path, value in best.settings.items())
        parts.append(Prose(f"The best: {settings}."))
    parts.append(Prose(f"{kept.study.count:,} trials: {counts}."))
    if not kept.ranking:
        parts.append(Prose("No trial has finished, so there is no ranking yet."))
    else:
        sentences = conclusions(kept.ranking, kept.objectives, kept.study.folder)
        parts += [Prose(sentence[:1].upper() + sentence[1:] + ".") for sentence in sentences]
        shown = kept.ranking[:_MOST_RANKED]
        several = kept.study.several
        rows = standing_rows(shown, kept.objectives, several=several, intervals=several)
        lines = tuple((place, *map(_flat, row.values())) for place, row in enumerate(rows, 1))
        some = f", the first {len(shown)} of {len(kept.ranking):,}" if len(shown) < len(kept.ranking) else ""
        parts.append(Listed(f"Combinations, the best first{some}", Table(("place", *rows[0]), lines)))
    trials = trial_rows(kept.results)
    if trials:
        table = Table(tuple(trials[0]), tuple(tuple(map(_flat, row.values())) for row in trials))
        parts.append(Listed("All trials, a row each", table, folded=True))
    yield Section("Ranking", tuple(parts))


def course(kept: KeptSweep) -> Iterator[Section]:
    """Each objective by the number of the trial, and the best so far."""
    drawn: list[Part] = []
    for objective in kept.objectives[:_MOST_OBJECTIVES]:
        found = [
            (result.trial.number, value, result)
            for result in kept.results
            if result.status == "finished"
            and (value := result.value(objective.column)) is not None
            and math.isfinite(value)
        ]
        if len(found) < 2:
            continue
        numbers = np.array([number for number, _, _ in found], dtype=np.float64)
        values = np.array([value for _, value, _ in found])
        texts = tuple(f"trial {number}: {value:.4g}" for number, value, _ in found)
        best = objective.sign * np.minimum.accumulate(objective.sign * values)
        layers = (Curve("best so far", numbers, best), Points("trial", numbers, values, texts))
        drawn.append(Drawn(Chart(f"{objective.column} by trial", Axis("trial"), Axis(), layers)))
    if drawn:
        yield Section("Course of the search", tuple(drawn))


def pareto(kept: KeptSweep) -> Iterator[Section]:
    """The combinations that no other is better than in every objective, for each pair of objectives."""
    measured = [standing for standing in kept.ranking if standing.means is not None]
    if len(kept.objectives) < 2 or len(measured) < 2:
        return
    drawn: list[Part] = [
        Prose(
            "In the Pareto set are the combinations that no other one beats in one objective without losing in another."
        )
    ]
    for x, y in combinations([objective.column for objective in kept.objectives[:_MOST_OBJECTIVES]], 2):
        layers: list[Layer] = []
        front = [standing for standing in measured if standing.front == 0]
        others = [standing for standing in measured if standing.front != 0]
        for name, group in (("other combinations", others), ("Pareto set", front)):
            if group:
                layers.append(Points(name, _means(group, x), _means(group, y), tuple(map(_settings, group))))
        title = f"Pareto set: {y} against {x}"
        table = Table(
            (x, y, "in the set", "settings"),
            tuple((s.means[x], s.means[y], s.front == 0, _settings(s)) for s in measured if s.means is not None),
        )
        drawn.append(Drawn(Chart(title, Axis(x), Axis(y), tuple(layers)), table=table))
    yield Section("Pareto set", tuple(drawn))


def curves_of_the_best(kept: KeptSweep) -> Iterator[Section]:
    """Curves of the runs of the combinations that rank first."""
    runs: list[History] = []
    folders = {result.trial.number: result.folder for result in kept.results if result.status == "finished"}
    for standing in kept.ranking[:_MOST_CURVES]:
        for number in standing.trials:
            if number in folders and len(runs) < 3 * _MOST_CURVES:
                try:
                    runs.append(read_history(RunFolder(Path(folders[number]))))
                except RunError:
                    continue  # it is named among the trials
    for section in curves(runs) if runs else ():
        yield Section("Curves of the best", section.parts)


def spec_of_sweep(kept: KeptSweep) -> Iterator[Section]:
    """The spec of the study and the command that goes on with it."""
    folder = kept.study.folder
    text = dump_data(spec_to_dict(kept.study.spec))
    named = shlex.quote(str(folder))
    command = f"nnctl sweep SPEC.yaml --out {named}\nnnctl sweep show {named}"
    yield Section(
        "The study again",
        (
            Text("The spec of the study, with its sweep section; the first command takes it as SPEC.yaml", text, True),
            Text("Commands", command),
        ),
    )


def _means(standings: list[Standing], column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([s.means[column] for s in standings if s.means is not None])


def _settings(standing: Standing) -> str:
    return ", ".join(f"{path} {written(value)}" for path, value in standing.settings.items())


def _flat(value: object) -> object:
    if isinstance(value, list | tuple | dict):
        return ", ".join(map(str, value)) if isinstance(value, list | tuple) else written(value)
    return value
