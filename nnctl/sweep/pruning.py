"""Pruning, as a course that a sweep's combinations take: which runs may be trained, how far, and what ends them.

A course is told of results in any order; what it decides depends on the numbers of trials and on their results.
"""

from __future__ import annotations

import math
import statistics
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from nnctl.components.kinds.pruning import BracketPruner, JudgingPruner, SeriesPruner
from nnctl.late import dataclass
from nnctl.sweep.objectives import Objective
from nnctl.sweep.rungs import Watch
from nnctl.sweep.study import Study
from nnctl.sweep.trial import Trial
from nnctl.sweep.trial_result import TrialResult

Step = tuple[Sequence[TrialResult], Sequence[Trial]]
"""Results that are now final, and trials that may now be trained, or trained on."""


class Course:
    """The course without a pruner: every run is trained to its end."""

    compares = False
    """True where it depends on combinations that have ended before."""

    def waits_for(self, combination: int, lag: int, *, learns: bool) -> int:
        """The number of combinations, the first ones, that end before this one begins. learns: its proposal does."""
        return max(0, combination - lag) if learns or self.compares else 0

    def begin(self, runs: Sequence[Trial]) -> Sequence[Trial]:
        """Take the runs of the next combination. Returns those that may be trained."""
        return runs

    def watch(self, trial: Trial) -> Watch | None:
        """The rungs of a trial that may be trained; None where it has none."""
        return None

    def tell(self, result: TrialResult) -> Step:
        """Take the result of a run, or of the part up to a rung that was asked for."""
        return [result], []

    def learn(self, results: Sequence[TrialResult]) -> None:
        """Take the results of a combination that has ended, in the order of the combinations."""


class Judged(Course):
    """The course of a pruner that judges each run by itself, at rungs, by bounds known as it begins."""

    def __init__(self, pruner: JudgingPruner, rungs: Sequence[float], objective: Objective) -> None:
        """Begin with no result."""
        self.compares = pruner.compares
        self._watch = Watch(objective, rungs, pruner, in_seconds=pruner.in_seconds)
        self._others: dict[float, list[float]] = {rung: [] for rung in rungs}
        self._watches: dict[int, Watch] = {}

    def begin(self, runs: Sequence[Trial]) -> Sequence[Trial]:
        """All of them, with the bounds that those before have set."""
        pruner = self._watch.pruner
        assert pruner is not None
        bounds = {rung: b for rung, others in self._others.items() if (b := pruner.bound(others)) is not None}
        self._watches |= dict.fromkeys((trial.number for trial in runs), replace(self._watch, bounds=bounds))
        return runs

    def watch(self, trial: Trial) -> Watch | None:
        """The rungs, with bounds."""
        return self._watches[trial.number]

    def tell(self, result: TrialResult) -> Step:
        """Final as it is."""
        del self._watches[result.trial.number]
        return [result], []

    def learn(self, results: Sequence[TrialResult]) -> None:
        """Enter the values at rungs, of every run."""
        for result in results:
            for rung, value in result.reached.items():
                insort(self._others[rung], self._watch.objective.sign * value)


class Series(Course):
    """The course of a pruner that looks at the runs of a combination one after the other."""

    compares = True

    def __init__(self, pruner: SeriesPruner, objective: Objective, folder_of: Callable[[Trial], Path]) -> None:
        """Begin with no result. folder_of: the run folder of a trial."""
        self._pruner, self._objective, self._folder_of = pruner, objective, folder_of
        self._best: Sequence[float | None] = ()
        self._mean = math.inf
        self._left: dict[int, list[Trial]] = {}
        self._own: dict[int, list[float | None]] = {}
        self._rivals: dict[int, Sequence[float | None]] = {}

    def begin(self, runs: Sequence[Trial]) -> Sequence[Trial]:
        """The first of them."""
        combination = runs[0].combination
        self._left[combination], self._own[combination] = list(runs[1:]), []
        self._rivals[combination] = self._best
        return runs[:1]

    def tell(self, result: TrialResult) -> Step:
        """The next run; or, where the combination loses, an end of all that are left."""
        combination = result.trial.combination
        own, left = self._own[combination], self._left[combination]
        own.append(self._value(result))
        pairs = [
            (a, b) for a, b in zip(own, self._rivals[combination], strict=False) if a is not None and b is not None
        ]
        loses = bool(left and pairs) and self._pruner.loses([a for a, _ in pairs], [b for _, b in pairs])
        if left and not loses:
            return [result], [left.pop(0)]
        for kept in (self._own, self._left, self._rivals):
            del kept[combination]
        return [result, *(TrialResult(trial, str(self._folder_of(trial)), "pruned") for trial in left)], []

    def learn(self, results: Sequence[TrialResult]) -> None:
        """Keep the values of the best, of those of which every run finished."""
        ordered = sorted(results, key=lambda result: result.trial.number)
        values = [self._value(result) for result in ordered]
        known = [value for value in values if value is not None]
        if len(known) == len(values) and (mean := statistics.fmean(known)) < self._mean:
            self._best, self._mean = values, mean

    def _value(self, result: TrialResult) -> float | None:
        value = result.value(self._objective.column) if result.status == "finished" else None
        return self._objective.sign * value if value is not None and math.isfinite(value) else None


@dataclass
class _Group:
    """A bracket on its way.

    size: combinations that it will have; rungs: at which they are compared, the last followed by their end.
    round_: the index of the rung that they are on their way to. going: runs by combination, of those still compared.
    """

    size: int
    rungs: Sequence[float]
    round_: int = 0
    begun: int = 0
    going: dict[int, Sequence[Trial]] = field(default_factory=dict)
    pending: set[int] = field(default_factory=set)
    results: dict[int, TrialResult] = field(default_factory=dict)

    @property
    def until(self) -> float | None:
        """The rung that they are on their way to, None for the end."""
        return self.rungs[self.round_] if self.round_ < len(self.rungs) else None


class Brackets(Course):
    """The course of a pruner whose combinations wait for each other at the rungs of their bracket.

    A combination's value at a rung is the mean over its runs. Of equal ones the earlier goes on.
    """

    def __init__(self, pruner: BracketPruner, rungs: Sequence[float], objective: Objective, combinations: int) -> None:
        """Begin with no result. combinations: how many there will be; the last bracket may have fewer."""
        self._pruner, self._objective, self._rungs = pruner, objective, rungs
        self._groups: list[_Group] = []
        self._starts: list[int] = []
        self._of: list[int] = []
        pattern = pruner.brackets(len(rungs))
        while len(self._of) < combinations:
            bracket = pattern[len(self._groups) % len(pattern)]
            size = min(bracket.size, combinations - len(self._of))
            self._starts.append(len(self._of))
            self._of += [len(self._groups)] * size
            self._groups.append(_Group(size, rungs[bracket.first :]))

    def waits_for(self, combination: int, lag: int, *, learns: bool) -> int:
        """Those of the brackets before, where proposals learn; a bracket is proposed as a whole."""
        return self._starts[self._of[combination]] if learns else 0

    def begin(self, runs: Sequence[Trial]) -> Sequence[Trial]:
        """All of them, up to the first rung of their bracket."""
        group = self._group(runs[0])
        group.begun += 1
        group.going[runs[0].combination] = runs
        group.pending |= {trial.number for trial in runs}
        return runs

    def watch(self, trial: Trial) -> Watch | None:
        """The rung that its bracket is on its way to."""
        return Watch(self._objective, self._rungs, until=self._group(trial).until, in_seconds=self._pruner.in_seconds)

    def tell(self, result: TrialResult) -> Step:
        """Nothing before all of the bracket have reached the rung; then the ends of some, and the others to go on."""
        group, number = self._group(result.trial), result.trial.number
        before = group.results.get(number)
        if before is not None:
            result = replace(result, reached={**before.reached, **result.reached})
        group.results[number] = result
        group.pending.discard(number)
        final = [] if result.status == "paused" else [result]
        given: list[Trial] = []
        while group.begun == group.size and not group.pending and not given and group.until is not None:
            losers, given = self._advance(group)
            final += losers
        return final, given

    def _advance(self, group: _Group) -> tuple[list[TrialResult], list[Trial]]:
        """Compare a bracket at its rung: results of those that end there, and the runs that go on."""
        rung = group.until
        assert rung is not None
        scores = {c: score for c, runs in group.going.items() if (score := self._score(group, runs, rung)) is not None}
        best = sorted(scores, key=lambda c: (scores[c], c))[: self._pruner.kept(group.size, group.round_)]
        losing = [trial for c, runs in group.going.items() if c not in best for trial in runs]
        group.going = {c: runs for c, runs in group.going.items() if c in best}
        group.round_ += 1
        waiting = [trial for runs in group.going.values() for trial in runs]
        going = [trial for trial in waiting if group.results[trial.number].status == "paused"]
        group.pending = {trial.number for trial in going}
        ends = (group.results[trial.number] for trial in losing)
        return [replace(end, status="pruned") for end in ends if end.status == "paused"], going

    def _score(self, group: _Group, runs: Sequence[Trial], rung: float) -> float | None:
        reached = [v for trial in runs if (v := group.results[trial.number].reached.get(rung)) is not None]
        return self._objective.sign * statistics.fmean(reached) if reached else None

    def _group(self, trial: Trial) -> _Group:
        return self._groups[self._of[trial.combination]]


def course_of(study: Study, objective: Objective) -> Course:
    """The course that a study's pruner takes. objective: by which it compares."""
    pruner = study.sweep.pruner
    epochs = study.spec.schedule.epochs
    if isinstance(pruner, JudgingPruner):
        return Judged(pruner, pruner.rungs_before(epochs), objective)
    if isinstance(pruner, BracketPruner):
        return Brackets(pruner, pruner.rungs_before(epochs), objective, study.combinations)
    assert isinstance(pruner, SeriesPruner)
    return Series(pruner, objective, study.folder_of)


def means_at_rungs(results: Sequence[TrialResult]) -> Mapping[float, float]:
    """The mean over a combination's runs at each rung that any of them has reached."""
    rungs = sorted({rung for result in results for rung in result.reached})
    return {rung: statistics.fmean(r.reached[rung] for r in results if rung in r.reached) for rung in rungs}
