"""The ranking of combinations, by one objective or several, and the noise that the seeds show in it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from nnctl.late import dataclass
from nnctl.sweep.formula import Formula
from nnctl.sweep.objectives import Objective
from nnctl.sweep.trial_result import TrialResult


@dataclass(frozen=True)
class Standing:
    """A combination of settings and how its trials did.

    means, standard_errors: of each objective over the trials that finished with a finite number in all of them;
    None where there are none, or only one for the error s/√n. excesses: of the constraints, the worst of the
    trials, above 0 where one is not met. front: 0 of those that no other is better than in every objective, 1 of
    those that are so once these are taken away, and so on; None without numbers, or where constraints are not met.
    status: finished, pruned where any of its trials was, or failed. step, reached: of what was pruned, the rung that
    all its trials have reached, or the number of its runs that finished where these are compared; and the mean there.
    unit: of the step, None where it is none.
    """

    settings: Mapping[str, object]
    trials: tuple[int, ...]
    failed: int
    means: Mapping[str, float] | None
    standard_errors: Mapping[str, float] | None
    excesses: tuple[float, ...] = ()
    front: int | None = None
    status: str = "finished"
    step: float = 0
    reached: float | None = None
    unit: Literal["epochs", "seconds", "runs"] | None = None

    @property
    def intervals(self) -> Mapping[str, float] | None:
        """Half widths of the 95 % t-intervals of the means, t_{0.975, n−1}·s/√n; None where there is no error."""
        if self.standard_errors is None:
            return None
        from scipy.special import stdtrit

        factor = float(stdtrit(len(self.trials) - self.failed - 1, 0.975))
        return {column: factor * error for column, error in self.standard_errors.items()}

    @property
    def feasible(self) -> bool:
        """True where every constraint is met."""
        return all(excess <= 0 for excess in self.excesses)

    def as_json(self) -> dict[str, Any]:
        """The object in `results.json`."""
        return {
            "settings": dict(self.settings),
            "trials": list(self.trials),
            "failed": self.failed,
            "means": None if self.means is None else dict(self.means),
            "standard_errors": None if self.standard_errors is None else dict(self.standard_errors),
            "feasible": self.feasible,
            "front": self.front,
            "status": self.status,
            "step": self.step if self.status == "pruned" else None,
            "step_unit": self.unit,
            "reached": self.reached,
        }


def rank(
    results: Sequence[TrialResult], objectives: Sequence[Objective], constraints: Sequence[Formula] = ()
) -> tuple[Standing, ...]:
    """Combinations, the best first: by the front, within it by the first objective.

    Behind them those that break constraints, by how much; those that were pruned, by how far they came, then by
    their value there; and those without a number.
    """
    groups: dict[int, list[TrialResult]] = {}
    for result in sorted(results, key=lambda result: result.trial.number):
        groups.setdefault(result.trial.combination, []).append(result)
    standings = [standing_of(group, objectives, constraints) for group in groups.values()]
    fronts = _fronts([s for s in standings if s.means is not None and s.feasible], objectives)
    standings = [replace(s, front=fronts.get(s.trials)) for s in standings]

    def order(s: Standing) -> tuple[Any, ...]:
        first = objectives[0].sign * s.means[objectives[0].column] if s.means is not None else 0.0
        if s.reached is not None:
            first = objectives[0].sign * s.reached
        place = 0 if s.means is not None else 1 if s.reached is not None else 2
        excess = sum(max(e, 0.0) for e in s.excesses)
        return place, not s.feasible, s.front or 0, excess, -s.step, first, s.trials

    return tuple(sorted(standings, key=order))


def standing_of(
    group: Sequence[TrialResult], objectives: Sequence[Objective], constraints: Sequence[Formula]
) -> Standing:
    """The standing of one combination, from the results of its trials."""
    columns = [objective.column for objective in objectives]
    complete = [
        result
        for result in group
        if result.status == "finished"
        and all((value := result.value(column)) is not None and math.isfinite(value) for column in columns)
    ]
    values = {column: [value for r in complete if (value := r.value(column)) is not None] for column in columns}
    pruned = [result for result in group if result.status == "pruned"]
    known = [
        _known(result, constraints) for result in group if result in complete or (result in pruned and result.metrics)
    ]
    excesses = tuple(max(formula.excess(k) for k in known) for formula in constraints) if known else ()
    if pruned:
        return _pruned(group, pruned, values[columns[0]], excesses)
    return Standing(
        settings=group[0].trial.settings,
        trials=tuple(result.trial.number for result in group),
        failed=len(group) - len(complete),
        means={c: statistics.fmean(v) for c, v in values.items()} if complete else None,
        standard_errors={c: statistics.stdev(v) / math.sqrt(len(v)) for c, v in values.items()}
        if len(complete) > 1
        else None,
        excesses=excesses,
        status="finished" if complete else "failed",
    )


def _pruned(
    group: Sequence[TrialResult], pruned: Sequence[TrialResult], values: Sequence[float], excesses: tuple[float, ...]
) -> Standing:
    """The standing of a combination of which trials were pruned. values: of those that finished."""
    rungs = [result.rung for result in pruned if result.rung is not None]
    units = [result.unit for result in pruned if result.unit is not None]
    step = min(rungs) if rungs else len(values)
    reached = [v for result in group if (v := result.reached.get(step)) is not None] if rungs else values
    return Standing(
        settings=group[0].trial.settings,
        trials=tuple(result.trial.number for result in group),
        failed=sum(result.status not in ("finished", "pruned") for result in group),
        means=None,
        standard_errors=None,
        excesses=excesses,
        status="pruned",
        step=step,
        reached=statistics.fmean(reached) if reached else None,
        unit=units[0] if units else "runs",
    )


def _known(result: TrialResult, constraints: Sequence[Formula]) -> Mapping[str, Any]:
    """The values of the names in constraints; of a column that a trial does not have, what meets none."""
    everything = {**result.trial.settings, **result.metrics}
    return {name: _number(everything.get(name)) for formula in constraints for name in formula.names}


def _number(value: object) -> object:
    return math.nan if value is None else value


def _fronts(standings: Sequence[Standing], objectives: Sequence[Objective]) -> dict[tuple[int, ...], int]:
    """The Pareto front of each, by its trials, counted from the best."""
    left = {s.trials: [o.sign * s.means[o.column] for o in objectives] for s in standings if s.means is not None}
    if len(objectives) == 1:
        places = {value: place for place, value in enumerate(sorted({values[0] for values in left.values()}))}
        return {trials: places[values[0]] for trials, values in left.items()}
    fronts: dict[tuple[int, ...], int] = {}
    number = 0
    while left:
        front = [t for t, values in left.items() if not any(_dominates(o, values) for o in left.values())]
        for trials in front:
            fronts[trials] = number
            del left[trials]
        number += 1
    return fronts


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and any(a < b for a, b in zip(one, other, strict=True))


def within_noise(ranking: Sequence[Standing], objective: Objective) -> tuple[Standing, ...]:
    """The combinations that the best beats by less than two standard errors of the difference, in one objective."""
    column = objective.column
    best = ranking[0] if ranking else None
    if best is None or best.means is None or best.standard_errors is None:
        return ()
    mean, error = best.means[column], best.standard_errors[column]
    return tuple(
        other
        for other in ranking[1:]
        if other.means is not None
        and other.standard_errors is not None
        and other.feasible
        and abs(mean - other.means[column]) < 2 * math.hypot(error, other.standard_errors[column])
    )
