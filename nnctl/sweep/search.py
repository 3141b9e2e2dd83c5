"""The course of a sweep: which trial may begin, given those that have ended.

Where proposals, or who is pruned, depend on results, combination k begins with those before k − lag alone. So at
most lag + 1 combinations are under way, and the trials are the same on any number of processes. Where trials wait
for each other at rungs, the brackets before take the place of k − lag.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nnctl.components.kinds.running import LearningSampler
from nnctl.errors import RunError
from nnctl.runs.durable import make_folder
from nnctl.runs.records import Proposed
from nnctl.runs.sealed import read_record, write_record
from nnctl.sweep.combinations import runs_of_each
from nnctl.sweep.learning import Learner, Proposal, Reached
from nnctl.sweep.objectives import Objective, objectives_ahead
from nnctl.sweep.pruning import Course, course_of, means_at_rungs
from nnctl.sweep.ranking import standing_of
from nnctl.sweep.rungs import Watch
from nnctl.sweep.space import Point
from nnctl.sweep.study import Study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

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
        self._told = 0  # combinations whose results the sampler and the pruner know
        self._learner: Learner | None = None
        self._course = Course()
        learns = isinstance(study.sweep.sampler, LearningSampler)
        if learns or study.sweep.pruner is not None:
            self._objectives = objectives_ahead(study.base)
        if study.sweep.pruner is not None:
            self._course = course_of(study, self._objectives[0])
        if isinstance(study.sweep.sampler, LearningSampler):
            better = [objective.higher_is_better for objective in self._objectives]
            self._learner = Learner(study.sweep.sampler, study.space, study.spec.seed, better)
            for known in study.known["trials"] if study.known is not None else ():
                self._learner.learn(known["chosen"], _reached_before(known))

    def following(self) -> Trial | None:
        """The next trial that may be trained, as far as `watch` says; None where it depends on trials under way.

        None as well where there is none. Where a pruner lets trials wait for each other, one comes again to go on.
        """
        if not self._ready and self._begun < self._study.combinations and self._may_begin(self._begun):
            point = self._point(self._begun)
            self._ready.extend(self._course.begin(self._study.runs(self._begun, point)))
            self._begun += 1
        return self._ready.popleft() if self._ready else None

    def watch(self, trial: Trial) -> Watch | None:
        """The rungs of a trial that `following` has given; None where it is trained to its end in any case."""
        return self._course.watch(trial)

    def tell(self, result: TrialResult) -> Sequence[TrialResult]:
        """Take the result of a trial, or of its part up to a rung. Returns the results that are final by it.

        One that the machine is to blame for is none to learn from: it holds up what depends on it.
        """
        if result.again:
            return [result]
        final, given = self._course.tell(result)
        self._ready.extend(given)
        if self._learner is not None or self._course.compares:
            for each in final:
                self._results.setdefault(each.trial.combination, []).append(each)
        return final

    def _needed(self, combination: int) -> int:
        return self._course.waits_for(combination, self._study.sweep.lag, learns=self._learner is not None)

    def _may_begin(self, combination: int) -> bool:
        count = runs_of_each(self._study.sweep)
        return all(
            len(self._results.get(number, ())) == count for number in range(self._told, self._needed(combination))
        )

    def _point(self, combination: int) -> Point:
        while self._told < self._needed(combination):
            results = self._results.pop(self._told)
            self._course.learn(results)
            if self._learner is not None:
                self._learner.tell(self._told, self._reached(results))
            self._told += 1
        if self._learner is None:
            return self._study.points[combination]
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
        rungs = means_at_rungs(results)
        if standing.status == "pruned":
            known = rungs if standing.reached is None else {**rungs, standing.step: standing.reached}
            at_rungs = {rung: value for rung, value in known.items() if rung <= standing.step}
            return Reached("pruned", None, standing.excesses, at_rungs)
        if standing.means is None:
            # A run that ended with numbers that are none has diverged, too, whatever its cost of training.
            bad = any(result.status in ("diverged", "finished") for result in results)
            return Reached("diverged" if bad else "failed")
        values = [standing.means[objective.column] for objective in self._objectives]
        return Reached("finished", values, standing.excesses, rungs)


def _reached_before(known: Mapping[str, Any]) -> Reached:
    """The result of a trial of an existing study, from the fields of `KnownTrial`."""
    rungs: Sequence[tuple[float, float]] | None = known.get("rungs")
    if rungs is not None:
        return Reached("pruned", None, known["excesses"], dict(rungs))
    status: Literal["finished", "diverged"] = "diverged" if known["values"] is None else "finished"
    return Reached(status, known["values"], known["excesses"])
