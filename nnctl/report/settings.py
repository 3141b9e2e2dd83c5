"""Sections on the settings of a sweep: how much each matters, and the objectives along one, two and all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from nnctl.figures.figure import Axis, Bars, Chart, HeatMap, Points
from nnctl.figures.parallel import Parallel
from nnctl.figures.scales import number
from nnctl.report.groups import written
from nnctl.report.section import Drawn, Part, Prose, Section
from nnctl.sweep import analysis
from nnctl.sweep.ranking import Standing
from nnctl.sweep.stored_sweep import StoredSweep

_MOST_FIGURES = 24
_MOST_AXES = 12
_MOST_LINES = 300
_BEST = 0.1
"""The share of the combinations that are drawn before the others, at least one."""


def importances(stored: StoredSweep) -> Iterator[Section]:
    """The importance of each setting for each objective."""
    if not stored.importance:
        return
    words = (
        "By PED-ANOVA (Watanabe, Bansal and Hutter 2023): how much the values of a setting among the best tenth of the "
        "combinations differ from those among all, as shares of one."
    )
    drawn = [
        Drawn(
            Chart(
                f"Importance for {column}", Axis(categories=tuple(shares)), Axis("share"),
                (Bars("share", np.array(list(shares.values()))),),
            )
        )
        for column, shares in stored.importance.items()
        if shares
    ]  # fmt: skip
    yield Section("Importance of settings", (Prose(words), *drawn))


def slices(stored: StoredSweep) -> Iterator[Section]:
    """Every objective against every setting."""
    drawn: list[Part] = []
    for each in list(analysis.slices(*stored.ranked))[:_MOST_FIGURES]:
        axis = _axis(each.axis)
        x = _places(each.axis, [value for value, _ in each.points])
        y = np.array([mean for _, mean in each.points])
        texts = tuple(f"{written(value)}: {mean:.4g}" for value, mean in each.points)
        title = f"{each.objective} against {each.axis.path}"
        drawn.append(Drawn(Chart(title, axis, Axis(each.objective), (Points("combination", x, y, texts),))))
    if drawn:
        yield Section("Objectives along one setting", tuple(drawn))


def contours(stored: StoredSweep) -> Iterator[Section]:
    """Every objective over pairs of the settings that matter most."""
    drawn: list[Part] = []
    for each in list(analysis.contours(*stored.ranked, stored.importance))[:_MOST_FIGURES]:
        # The first row stands at the top, and numbers grow upward.
        means = np.array([[math.nan if mean is None else mean for mean in row] for row in each.means]).T[::-1]
        x, y = (Axis(axis.path, categories=tuple(_cells(axis))) for axis in (each.x, each.y))
        y = Axis(y.label, categories=y.categories[::-1])
        title = f"{each.objective} over two settings"
        drawn.append(Drawn(HeatMap(title, x, y, means, shown=means.size <= 64)))
    if drawn:
        words = "A cell is the mean of the combinations in it, the darker the larger; where none is, it is grey."
        yield Section("Objectives over two settings", (Prose(words), *drawn))


def parallel(stored: StoredSweep) -> Iterator[Section]:
    """All settings and objectives of every combination as lines."""
    measured = [standing for standing in stored.ranking if standing.means is not None][:_MOST_LINES]
    axes = {each.axis.path: each.axis for each in analysis.slices(*stored.ranked)}
    if len(measured) < 2 or not axes:
        return
    shown = list(axes.values())[:_MOST_AXES]
    columns = [objective.column for objective in stored.objectives]
    settings = [_over(axis, measured) for axis in shown]
    objectives = [np.array([s.means[column] for s in measured if s.means is not None]) for column in columns]
    best = np.arange(len(measured)) < max(1, round(_BEST * len(measured)))
    names = tuple(f"place {place}" for place in range(1, len(measured) + 1))
    figure = Parallel(
        "Settings and objectives of each combination",
        (*map(_axis, shown), *map(Axis, columns)),
        np.stack([*settings, *objectives], axis=1),
        best,
        names,
    )
    words = f"Orange are the best {int(best.sum())} of {len(measured)} combinations, those that rank first."
    yield Section("Parallel coordinates", (Drawn(figure, words, wide=True),))


def _axis(axis: analysis.Axis) -> Axis:
    if axis.scale == "category":
        return Axis(axis.path, categories=tuple(map(written, axis.values)))
    return Axis(axis.path, log=axis.scale == "log")


def _places(axis: analysis.Axis, values: Sequence[object]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Values along an axis: numbers, or the places of categories."""
    if axis.scale == "category":
        return np.array([axis.cell(value) for value in values], dtype=np.float64)
    return np.array([float(value) if isinstance(value, int | float) else math.nan for value in values])


def _over(axis: analysis.Axis, measured: Sequence[Standing]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The setting of each combination along an axis, NaN where it does not have it."""
    return np.array(
        [_places(axis, [s.settings[axis.path]])[0] if axis.path in s.settings else math.nan for s in measured]
    )


def _cells(axis: analysis.Axis) -> Iterator[str]:
    """Names of the cells of an axis."""
    if axis.edges is not None:
        for low, high in zip(axis.edges, axis.edges[1:]):
            yield f"{float(f'{low:.2g}'):g}–{float(f'{high:.2g}'):g}"
        return
    for value in axis.values:
        yield written(value) if axis.scale == "category" else number(float(value))
