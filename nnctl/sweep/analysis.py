"""Importance of the settings of a sweep, and its objectives along one setting or over two.

Importance is by PED-ANOVA (Watanabe, Bansal & Hutter, IJCAI 2023; with conditions, Watanabe et al. 2026), as Optuna
has it: how much the density of a setting among the best differs from that among all, as shares of one. It is of the
combinations' means, so that seeds and folds count once.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import Any, Literal

from nnctl.components.kinds.running import Interval
from nnctl.late import dataclass
from nnctl.spec.yaml.flow import flow
from nnctl.sweep.objectives import Objective
from nnctl.sweep.optuna_terms import as_parameters, quiet
from nnctl.sweep.ranking import Standing
from nnctl.sweep.study import Study

LEAST = 10
"""Combinations with a number, of which importance is told at least: of fewer it would be of chance."""
_BEST, _BEST_AT_LEAST = 0.1, 5
"""The share of combinations that count as the best, and how many these are at least."""
_BINS = 10
"""Cells of a contour along a setting that has more values."""
_PATHS = 4
"""Settings whose pairs have contours, the most important."""

Importance = Mapping[str, Mapping[str, float]]
"""Shares of the paths, the greatest first, by the column of the objective."""


@dataclass(frozen=True)
class Axis:
    """A setting as an axis, in cells. values: one each; or edges: between which numbers lie."""

    path: str
    scale: Literal["linear", "log", "category"]
    values: tuple[Any, ...]
    edges: tuple[float, ...] | None = None

    def cell(self, value: Any) -> int:
        """The number of the cell that a value lies in."""
        if self.edges is None:
            return self._places[flow(value)]
        return max(0, min(bisect_right(self.edges, value) - 1, len(self.edges) - 2))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {flow(value): place for place, value in enumerate(self.values)}

    def as_json(self) -> dict[str, Any]:
        """The object that is printed in a pipe."""
        cells = {"values": list(self.values)} if self.edges is None else {"edges": list(self.edges)}
        return {"path": self.path, "scale": self.scale, **cells}


@dataclass(frozen=True)
class Slice:
    """An objective against one setting. points: (value, mean) of every combination that has the setting."""

    objective: str
    axis: Axis
    points: tuple[tuple[Any, float], ...]

    def as_json(self) -> dict[str, Any]:
        """The object that is printed in a pipe."""
        return {
            "event": "slice", "objective": self.objective, "path": self.axis.path, "scale": self.axis.scale,
            "points": [list(point) for point in self.points],
        }  # fmt: skip


@dataclass(frozen=True)
class Contour:
    """An objective over two settings. means, counts: [x][y] of the combinations in each cell, None where none is."""

    objective: str
    x: Axis
    y: Axis
    means: tuple[tuple[float | None, ...], ...]
    counts: tuple[tuple[int, ...], ...]

    def as_json(self) -> dict[str, Any]:
        """The object that is printed in a pipe."""
        return {
            "event": "contour", "objective": self.objective, "x": self.x.as_json(), "y": self.y.as_json(),
            "means": list(map(list, self.means)), "counts": list(map(list, self.counts)),
        }  # fmt: skip


def importance(study: Study, objectives: Sequence[Objective], ranking: Sequence[Standing]) -> Importance:
    """The importance of every path of the search; empty where fewer than `LEAST` combinations have a number."""
    measured = sorted(_measured(ranking), key=lambda standing: standing.trials)
    if len(measured) < LEAST:
        return {}
    return {objective.column: _shares(study, objective, measured) for objective in objectives}


def _shares(study: Study, objective: Objective, measured: Sequence[Standing]) -> Mapping[str, float]:
    searched = dict.fromkeys(path for standing in measured for path in standing.settings)
    if len(searched) == 1:
        # The shares of all settings sum to 1.
        return dict.fromkeys(searched, 1.0)
    from optuna import create_study
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    with quiet():
        known = create_study(direction="minimize")
        for standing in measured:
            assert standing.means is not None
            params, distributions = as_parameters(study.sweep, standing.settings)
            value = objective.sign * standing.means[objective.column]
            known.add_trial(create_trial(value=value, params=params, distributions=distributions))
        share = max(_BEST, _BEST_AT_LEAST / len(measured))
        found = get_param_importances(known, evaluator=PedAnovaImportanceEvaluator(target_quantile=share))
    # Optuna has equal ones in any order.
    places = {path: place for place, path in enumerate(searched)}
    return {path: float(found[path]) for path in sorted(found, key=lambda path: (-found[path], places[path]))}


def slices(study: Study, objectives: Sequence[Objective], ranking: Sequence[Standing]) -> Iterator[Slice]:
    """Every objective against every setting that was tried at more than one value."""
    measured = _measured(ranking)
    for objective in objectives:
        for axis in _axes(study, measured):
            points = tuple(
                (standing.settings[axis.path], standing.means[objective.column])
                for standing in measured
                if axis.path in standing.settings and standing.means is not None
            )
            yield Slice(objective.column, axis, points)


def contours(
    study: Study, objectives: Sequence[Objective], ranking: Sequence[Standing], shares: Importance
) -> Iterator[Contour]:
    """Every objective over the pairs of the settings that are the most important for it, or come first."""
    measured = _measured(ranking)
    axes = _axes(study, measured)
    for objective in objectives:
        weights = shares.get(objective.column, {})
        first = sorted(axes, key=lambda axis: -weights.get(axis.path, 0.0))[:_PATHS]
        for x, y in combinations(first, 2):
            yield _contour(objective.column, x, y, measured)


def _contour(column: str, x: Axis, y: Axis, measured: Sequence[Standing]) -> Contour:
    rows, columns = (len(a.values) if a.edges is None else len(a.edges) - 1 for a in (x, y))
    cells: list[list[list[float]]] = [[[] for _ in range(columns)] for _ in range(rows)]
    for standing in measured:
        if x.path in standing.settings and y.path in standing.settings and standing.means is not None:
            place = cells[x.cell(standing.settings[x.path])][y.cell(standing.settings[y.path])]
            place.append(standing.means[column])
    means = tuple(tuple(math.fsum(cell) / len(cell) if cell else None for cell in row) for row in cells)
    return Contour(column, x, y, means, tuple(tuple(map(len, row)) for row in cells))


def _measured(ranking: Sequence[Standing]) -> list[Standing]:
    return [standing for standing in ranking if standing.means is not None]


def _axes(study: Study, measured: Sequence[Standing]) -> list[Axis]:
    found: list[Axis] = []
    for path in dict.fromkeys((*study.sweep.grid, *study.sweep.space, *study.sweep.derived)):
        tried = [standing.settings[path] for standing in measured if path in standing.settings]
        values = {flow(value): value for value in tried}
        if len(values) > 1:
            found.append(_axis(study, path, list(values.values())))
    return found


def _axis(study: Study, path: str, values: list[Any]) -> Axis:
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return Axis(path, "category", tuple(sorted(values, key=flow)))
    law = study.sweep.space.get(path)
    support = law.support() if law is not None else None
    log = isinstance(support, Interval) and support.log
    ordered = tuple(sorted(values))
    if len(ordered) <= _BINS:
        return Axis(path, "log" if log else "linear", ordered)
    low, high = (math.log(v) if log else float(v) for v in (ordered[0], ordered[-1]))
    between = [low + (high - low) * index / _BINS for index in range(_BINS + 1)]
    return Axis(path, "log" if log else "linear", (), tuple(math.exp(v) if log else v for v in between))
