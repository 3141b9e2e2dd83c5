"""`results.json` of a sweep: its trials ranked, and that written beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from nnctl.late import dataclass
from nnctl.runs.sealed import write_record
from nnctl.runs.sweeps import RESULTS
from nnctl.sweep.analysis import importance
from nnctl.sweep.objectives import Objective, objectives_reached
from nnctl.sweep.ranking import Standing, rank
from nnctl.sweep.study import Study
from nnctl.sweep.trial_result import TrialResult


@dataclass(frozen=True)
class Ranked:
    """A sweep that is ranked: the objectives, and the combinations, the best first."""

    objectives: tuple[Objective, ...]
    ranking: tuple[Standing, ...]


def write_results(study: Study, results: Sequence[TrialResult]) -> Ranked | None:
    """Rank the results and write `results.json`; None where no trial finished, so that there is nothing to rank by.

    Raises RunError where the folder cannot be written, is gone, or has become another sweep's.
    """
    objectives = objectives_reached(study.spec, results)
    study.require_claimed()
    if not objectives:
        return None
    ranking = rank(results, objectives, study.constraints)
    # Loading what tells it takes a second: the end of a grid, each of whose values was chosen, does not wait for it.
    shares = importance(study, objectives, ranking) if study.sweep.space else {}
    content = {
        "objectives": [asdict(o) for o in objectives],
        "ranking": [s.as_json() for s in ranking],
        "importance": shares,
    }
    write_record(study.folder / RESULTS, content)
    return Ranked(objectives, ranking)
