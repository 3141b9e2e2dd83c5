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
from nnctl.sweep.ranking import Standing
from nnctl.sweep.ranking_rows import conclusions, ranking_rows
from nnctl.sweep.stored_sweep import StoredSweep
from nnctl.sweep.trial_rows import trial_rows

_MOST_RANKED = 100
_MOST_CURVES = 8
"""Runs of the best combinations whose curves are drawn."""
_MOST_OBJECTIVES = 4


def ranking(stored: StoredSweep) -> Iterator[Section]:
    """The ranking, and what has become of the trials."""
    counts = ", ".join(f"{count:,} {status}" for status, count in stored.counts.items())
    parts: list[Part] = []
    best = stored.ranking[0] if stored.ranking else None
    if best is not None and best.means is not None:
        first = [(f"best {o.column}".replace("_", " "), best.means[o.column]) for o in stored.objectives[:1]]
        parts.append(Tiles((*first, *((f"{status} trials", count) for status, count in stored.counts.items()))))
        settings = ", ".join(f"{path} = {written(value)}" for path, value in best.settings.items())
        parts.append(Prose(f"The best: {settings}."))
    parts.append(Prose(f"{stored.study.count:,} trials: {counts}."))
    if not stored.ranking:
        parts.append(Prose("No trial has finished, so there is no ranking yet."))
    else:
        sentences = conclusions(stored.ranking, stored.objectives, stored.study.folder)
        parts += [Prose(sentence[:1].upper() + sentence[1:] + ".") for sentence in sentences]
        shown = stored.ranking[:_MOST_RANKED]
        several = stored.study.several
        rows = ranking_rows(shown, stored.objectives, several=several, intervals=several)
        lines = tuple((place, *map(_flat, row.values())) for place, row in enumerate(rows, 1))
        some = f", the first {len(shown)} of {len(stored.ranking):,}" if len(shown) < len(stored.ranking) else ""
        parts.append(Listed(f"Combinations, the best first{some}", Table(("place", *rows[0]), lines)))
    trials = trial_rows(stored.results)
    if trials:
        table = Table(tuple(trials[0]), tuple(tuple(map(_flat, row.values())) for row in trials))
        parts.append(Listed("All trials, a row each", table, folded=True))
    yield Section("Ranking", tuple(parts))


def course(stored: StoredSweep) -> Iterator[Section]:
    """Each objective by the number of the trial, and the best so far."""
    drawn: list[Part] = []
    for objective in stored.objectives[:_MOST_OBJECTIVES]:
        found = [
            (result.trial.number, value, result)
            for result in stored.results
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


def pareto(stored: StoredSweep) -> Iterator[Section]:
    """The combinations that no other is better than in every objective, for each pair of objectives."""
    measured = [standing for standing in stored.ranking if standing.means is not None]
    if len(stored.objectives) < 2 or len(measured) < 2:
        return
    drawn: list[Part] = [
        Prose(
            "In the Pareto set are the combinations that no other one beats in one objective without losing in another."
        )
    ]
    for x, y in combinations([objective.column for objective in stored.objectives[:_MOST_OBJECTIVES]], 2):
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


def curves_of_the_best(stored: StoredSweep) -> Iterator[Section]:
    """Curves of the runs of the combinations that rank first."""
    runs: list[History] = []
    folders = {result.trial.number: result.folder for result in stored.results if result.status == "finished"}
    for standing in stored.ranking[:_MOST_CURVES]:
        for number in standing.trials:
            if number in folders and len(runs) < 3 * _MOST_CURVES:
                try:
                    runs.append(read_history(RunFolder(Path(folders[number]))))
                except RunError:
                    continue  # it is named among the trials
    for section in curves(runs) if runs else ():
        yield Section("Curves of the best", section.parts)


def spec_of_sweep(stored: StoredSweep) -> Iterator[Section]:
    """The spec of the study and the command that goes on with it."""
    folder = stored.study.folder
    text = dump_data(spec_to_dict(stored.study.spec))
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
