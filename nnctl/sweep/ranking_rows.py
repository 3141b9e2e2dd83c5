"""The ranking of a sweep as rows for people, and what it says in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnctl.sweep.objectives import Objective
    from nnctl.sweep.ranking import Standing


def ranking_rows(
    ranking: Sequence[Standing], objectives: Sequence[Objective], *, several: bool, intervals: bool = False
) -> list[dict[str, Any]]:
    """Rows of a ranking for people, all of the same keys.

    several: with errors over seeds and folds; intervals: with the half widths of 95 % intervals besides.
    """
    paths = dict.fromkeys(path for standing in ranking for path in standing.settings)
    constrained = any(standing.excesses for standing in ranking)
    unit = next((standing.unit for standing in ranking if standing.unit is not None), None)
    rows: list[dict[str, Any]] = []
    for standing in ranking:
        row: dict[str, Any] = dict(paths) | dict(standing.settings)
        for column in (objective.column for objective in objectives):
            own = {column: standing.means}
            if several:
                own["standard error" if len(objectives) == 1 else f"error of {column}"] = standing.standard_errors
            if several and intervals:
                own["± 95 %" if len(objectives) == 1 else f"± 95 % of {column}"] = standing.intervals
            row |= {name: numbers and numbers[column] for name, numbers in own.items()}
            if standing.reached is not None:
                row[column] = standing.reached
        if len(objectives) > 1:
            row["front"] = standing.front
        if constrained:
            row["meets constraints"] = standing.feasible
        if unit is not None:
            row[f"pruned after {unit}"] = standing.step if standing.status == "pruned" else None
        rows.append({**row, "failed": standing.failed, "trials": list(standing.trials)})
    return rows


def conclusions(ranking: Sequence[Standing], objectives: Sequence[Objective], folder: Path | str) -> Iterator[str]:
    """Sentences on the best of a ranking, and whether the seeds support it."""
    from nnctl.sweep.ranking import within_noise

    best, first = ranking[0], objectives[0]
    if len(objectives) > 1 and best.front == 0:
        count = sum(standing.front == 0 for standing in ranking)
        others = "one combination is" if count == 1 else f"{count} combinations are"
        yield f"{others} worse than no other in every objective: front 0"
    elif best.means is not None and best.standard_errors is not None:
        mean, error = best.means[first.column], best.standard_errors[first.column]
        runs = len(best.trials) - best.failed
        yield f"best {first.column}: {mean:.4g} ± {error:.2g} over {runs} runs"
    if best.means is not None and not best.feasible:
        yield "no trial meets every constraint; the first breaks them least"
    yield f"results in {folder}"
    if len(objectives) == 1 and (close := len(within_noise(ranking, first))):
        others = f"{close} other combination{'s' if close > 1 else ''}"
        yield f"the best is within two standard errors of {others}: more seeds would tell"
