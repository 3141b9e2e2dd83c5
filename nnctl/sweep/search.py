"""The course of a sweep: which trial may begin, given those that have ended.

Where proposals learn from results, combination k is proposed from those before k − lag alone. So at most
lag + 1 combinations are under way, and the trials are the same on any number of processes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from nnctl.components.kinds.running import LearningSampler
from nnctl.errors import RunError
from nnctl.runs.durable import make_folder
from nnctl.runs.records import Proposed
from nnctl.runs.sealed import read_record, write_record
from nnctl.sweep.combinations import runs_of_each
from nnctl.sweep.learning import Learner, Proposal, Reached
from nnctl.sweep.objectives import Objective, objectives_ahead
from nnctl.sweep.ranking import standing_of
from nnctl.sweep.result import TrialResult
from nnctl.sweep.space import Point
from nnctl.sweep.study import Study
from nnctl.sweep.trial import Trial

PROPOSALS = "proposals"
"""The folder of what was proposed, so that going on proposes the same, whatever the version of what proposes."""


def proposal_file(folder: Path, combination: int) -> Path:
    """The record of what was proposed for a combination."""
    return folder / PROPOSALS / f"{combination:04d}.json"


class Search:
    """The trials of a study, in the order of their numbers, each as soon as it may begin."""

    def __init__(self, study: Study) -> None:
        """Begin with no result. Raises DataError, SpecError where the data decides what is monitored and is unsound."""
        self._study = study
        self._objectives: tuple[Objective, ...] = ()
        self._begun = 0  # combinations
        self._ready: deque[Trial] = deque()
        self._results: dict[int, list[TrialResult]] = {}
        self._told = 0  # combinations whose results the sampler knows
        self._learner: Learner | None = None
        if isinstance(study.sweep.sampler, LearningSampler):
            self._objectives = objectives_ahead(study.base)
            better = [objective.higher_is_better for objective in self._objectives]
            self._learner = Learner(study.sweep.sampler, study.space, study.spec.seed, better)
            for known in study.known["trials"] if study.known is not None else ():
                self._learner.learn(known["chosen"], Reached(known["values"], known["excesses"]))

    def following(self) -> Trial | None:
        """The next trial that may begin; None where it depends on trials under way, or where there is none."""
        if not self._ready and self._begun < self._study.combinations and self._may_begin(self._begun):
            point = self._point(self._begun)
            self._ready.extend(self._study.runs(self._begun, point))
            self._begun += 1
        return self._ready.popleft() if self._ready else None

    def tell(self, result: TrialResult) -> None:
        """Take the result of a trial. One that the machine is to blame for is none: it holds up what depends on it."""
        if self._learner is not None and not result.again:
            self._results.setdefault(result.trial.combination, []).append(result)

    def _may_begin(self, combination: int) -> bool:
        needed = combination - self._study.sweep.lag
        count = runs_of_each(self._study.sweep)
        return self._learner is None or all(
            len(self._results.get(number, ())) == count for number in range(self._told, max(needed, 0))
        )

    def _point(self, combination: int) -> Point:
        if self._learner is None:
            return self._study.points[combination]
        while self._told < combination - self._study.sweep.lag:
            self._learner.tell(self._told, self._reached(self._results.pop(self._told)))
            self._told += 1
        path = proposal_file(self._study.folder, combination)
        if path.exists():
            return self._recalled(self._learner, combination, path).point
        proposal = self._learner.propose(combination)
        make_folder(path.parent)
        write_record(path, {"chosen": dict(proposal.chosen), "attributes": dict(proposal.attributes)})
        return proposal.point

    def _recalled(self, learner: Learner, combination: int, path: Path) -> Proposal:
        kept = read_record(path, Proposed)
        try:
            return learner.recall(combination, kept["chosen"], kept["attributes"])
        except (KeyError, ValueError) as error:
            raise RunError(
                f"{path}: is no point of the space that is searched: {error}\n  put it back from a copy"
            ) from error

    def _reached(self, results: Sequence[TrialResult]) -> Reached:
        standing = standing_of(results, self._objectives, self._study.constraints)
        if standing.means is None:
            return Reached(None)
        return Reached([standing.means[o.column] for o in self._objectives], standing.excesses)
