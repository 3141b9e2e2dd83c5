"""The results of a sweep: its trials ranked, and that written beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnctl.runs.sealed import write_record
from nnctl.runs.sweeps import RESULTS
from nnctl.sweep.ranking import Standing, rank
from nnctl.sweep.runner import TrialResult, higher_is_better
from nnctl.sweep.study import Study


@dataclass(frozen=True)
class Results:
    """The ranking by `column`, the best combination first."""

    column: str
    ranking: tuple[Standing, ...]


def write_results(study: Study, results: Sequence[TrialResult]) -> Results | None:
    """Rank the results and write `results.json`; None where no trial finished, so that there is nothing to rank by.

    Raises RunError where the folder cannot be written, is gone, or has become another sweep's.
    """
    column = next((c for result in results if (c := result.column(study.sweep.monitor))), None)
    study.require_claimed()
    if column is None:
        return None
    higher = higher_is_better(study.spec, column)
    ranking = rank(results, column, higher)
    content = {"monitor": column, "higher_is_better": higher, "ranking": [s.as_json() for s in ranking]}
    write_record(study.folder / RESULTS, content)
    return Results(column, ranking)
