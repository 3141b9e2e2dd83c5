"""Proposals of samplers that learn, by Optuna, in memory.

What is proposed for combination k depends on the seed, on k, and on the results of combinations before
k − lag: those after it count as running, however far they are. So it does not depend on who was faster. Of a space
with finitely many points none is proposed twice: a trial is the same to the bit as one before it, and teaches nothing.

Of what has diverged a sampler learns that nothing is worse: its values are the worst of all that it has been told
by the time of a proposal, in each objective, and its excesses the worst of each constraint. Infinite ones would say
the same, and be no numbers to fit a process to or to measure a volume by.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from nnctl.components.base import Distribution
from nnctl.components.kinds.running import LearningSampler
from nnctl.errors import UsageError
from nnctl.late import dataclass
from nnctl.sweep import optuna_internals, optuna_terms
from nnctl.sweep.space import Point, Space

if TYPE_CHECKING:
    from optuna.study import Study as OptunaStudy


_ATTEMPTS = 3
"""Times that a sampler is asked for a point that was not proposed before."""
_DRAWS = 100
"""Random points that are looked at then."""


@dataclass(frozen=True)
class Proposal:
    """A proposal. chosen: what the sampler chose for each path; attributes: its own notes on it, JSON-able."""

    point: Point
    chosen: Mapping[str, object]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reached:
    """The result of a combination, as a sampler learns from it.

    status: finished where every objective has a value; diverged where it came to none by its own numbers.
    values: of each objective, None unless it finished. excesses: of the constraints, above 0 where one is not met.
    rungs: the value of the one objective at each rung.
    """

    status: Literal["finished", "pruned", "diverged", "failed"]
    values: Sequence[float] | None = None
    excesses: Sequence[float] = ()
    rungs: Mapping[float, float] = field(default_factory=dict)


class Learner:
    """A sampler with what it has learned. Combinations are proposed, and told of, in their order."""

    def __init__(self, sampler: LearningSampler, space: Space, seed: int, higher_is_better: Sequence[bool]) -> None:
        """Begin with no result. higher_is_better: of each objective. Raises UsageError where a package is missing."""
        require_package(sampler)
        import optuna

        self._sampler, self._space, self._seed = sampler, space, seed
        ways = optuna.study.StudyDirection
        self._directions = [ways.MAXIMIZE if higher else ways.MINIMIZE for higher in higher_is_better]
        self._worse = [min if higher else max for higher in higher_is_better]
        self._study = self._new()
        self._numbers: dict[int, int] = {}
        self._finite = space.most_points(1) is not None
        self._proposed: set[str] = set()  # keys of points
        self._worst: list[float] = []  # value of each objective; empty before the first
        self._most: list[float] = []  # excess of each constraint
        self._diverged: list[int] = []  # numbers of Optuna's trials
        self._entered = 0  # how many of these Optuna was told of
        self._as_bad_as: tuple[list[float], list[float]] = [], []

    def _new(self) -> OptunaStudy:
        import optuna

        with optuna_terms.quiet():
            return optuna.create_study(directions=self._directions, sampler=optuna.samplers.RandomSampler(seed=0))

    def learn(self, chosen: Mapping[str, object], reached: Reached) -> None:
        """Learn a result that was known before anything is proposed: finished, pruned or diverged."""
        from optuna.trial import TrialState, create_trial

        # What has diverged counts as running, as in `tell`.
        states = {"finished": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "diverged": TrialState.RUNNING}
        if reached.status == "diverged":
            self._diverged.append(len(self._study.get_trials(deepcopy=False)))
        self._note(reached)
        made: dict[str, Distribution] = {path: self._space.distributions[path] for path in chosen}
        with optuna_terms.quiet():
            self._study.add_trial(
                create_trial(
                    state=states[reached.status],
                    values=None if reached.values is None else list(reached.values),
                    params={path: optuna_terms.parameter_of(law, chosen[path]) for path, law in made.items()},
                    distributions={path: optuna_terms.distribution_of(law) for path, law in made.items()},
                    constraints=optuna_terms.constraints_by_name(reached.excesses),
                    intermediate_values={_step(rung): value for rung, value in reached.rungs.items()},
                )
            )

    def propose(self, combination: int) -> Proposal:
        """The proposal for a combination, from the results told so far.

        In a space of finitely many points it is one that was not proposed before, as long as there is one.
        """
        with optuna_terms.quiet():
            self._enter_diverged()
        for attempt in range(_ATTEMPTS):
            proposal = self._asked(combination, attempt)
            if not self._finite or proposal.point.key not in self._proposed:
                self._proposed.add(proposal.point.key)
                return proposal
            self._forget_last()
        return self.recall(combination, self._untried(combination), {})

    def _asked(self, combination: int, attempt: int) -> Proposal:
        """A proposal of the sampler, now for the so-manieth time."""
        with optuna_terms.quiet():
            self._study.sampler = self._sampler.optuna(
                _seed_of(self._seed, combination, attempt), conditional=self._space.conditional
            )
            trial = self._study.ask()
            chosen: dict[str, object] = {}

            def choose(path: str, distribution: Distribution) -> object:
                chosen[path] = optuna_terms.suggested(trial, path, distribution)
                return chosen[path]

            point = self._space.point(choose)
        self._numbers[combination] = trial.number
        notes = optuna_internals.notes_of(self._study.get_trials(deepcopy=False)[trial.number])
        return Proposal(point, chosen, notes)

    def _untried(self, combination: int) -> Mapping[str, object]:
        """Choices that make a point not proposed before: a random one, or where many draws are none, the first."""
        draws = random.Random(_seed_of(self._seed, combination, _ATTEMPTS))
        for _ in range(_DRAWS):
            chosen: dict[str, object] = {}

            def choose(path: str, distribution: Distribution, chosen: dict[str, object] = chosen) -> object:
                chosen[path] = distribution.quantile(draws.random())
                return chosen[path]

            if self._space.point(choose).key not in self._proposed:
                return chosen
        return next(chosen for point, chosen in self._space.choices({}) if point.key not in self._proposed)

    def _forget_last(self) -> None:
        """Let Optuna forget the last proposal: by a new study, for in one it stands."""
        told = self._study.get_trials(deepcopy=False)[:-1]
        with optuna_terms.quiet():
            self._study = self._new()
            self._study.add_trials(told)

    def recall(self, combination: int, chosen: Mapping[str, object], attributes: Mapping[str, Any]) -> Proposal:
        """A proposal that was made before and kept, in place of `propose`."""
        made: dict[str, tuple[Distribution, object]] = {}

        def choose(path: str, distribution: Distribution) -> object:
            made[path] = distribution, chosen[path]
            return chosen[path]

        point = self._space.point(choose)
        with optuna_terms.quiet():
            trial = optuna_internals.running(
                {path: optuna_terms.parameter_of(*each) for path, each in made.items()},
                {path: optuna_terms.distribution_of(d) for path, (d, _) in made.items()},
                attributes,
            )
            self._study.add_trial(trial)
        self._numbers[combination] = len(self._study.get_trials(deepcopy=False)) - 1
        self._proposed.add(point.key)
        return Proposal(point, chosen, attributes)

    def tell(self, combination: int, reached: Reached) -> None:
        """Learn the result of a combination that was proposed."""
        from optuna.trial import TrialState

        number = self._numbers[combination]
        if reached.status == "diverged":
            self._diverged.append(number)  # It counts as running until a value is known that it can be as bad as.
            return
        self._note(reached)
        with optuna_terms.quiet():
            if reached.status == "failed":
                self._study.tell(number, state=TrialState.FAIL)
                return
            optuna_internals.note(
                self._study,
                self._study.get_trials(deepcopy=False)[number],
                rungs={_step(rung): value for rung, value in reached.rungs.items()},
                constraints=optuna_terms.constraints_by_name(reached.excesses),
            )
            if reached.values is None:
                self._study.tell(number, state=TrialState.PRUNED)
            else:
                self._study.tell(number, list(reached.values))

    def _note(self, reached: Reached) -> None:
        """Keep the worst that is known of each objective and constraint."""
        if reached.values is not None:
            before = self._worst or reached.values
            self._worst = [worse(a, b) for worse, a, b in zip(self._worse, before, reached.values, strict=True)]
        if reached.excesses:
            self._most = list(map(max, self._most or reached.excesses, reached.excesses))

    def _enter_diverged(self) -> None:
        """Let what has diverged be as bad as the worst that is known by now."""
        if not self._worst:
            return
        if self._entered and self._as_bad_as != (self._worst, self._most):
            self._take_back()
        trials = self._study.get_trials(deepcopy=False)
        for number in self._diverged[self._entered :]:
            worst = optuna_terms.constraints_by_name(self._most)
            optuna_internals.note(self._study, trials[number], rungs={}, constraints=worst)
            self._study.tell(number, self._worst)
        self._entered, self._as_bad_as = len(self._diverged), (self._worst, self._most)

    def _take_back(self) -> None:
        """Let Optuna forget what it was told of what has diverged: by a new study, for in one what is told stands."""
        told, diverged = self._study.get_trials(deepcopy=False), set(self._diverged)
        self._study, self._entered = self._new(), 0
        for trial in told:
            anew = trial
            if trial.number in diverged:
                notes = optuna_internals.notes_of(trial)
                anew = optuna_internals.running(trial.params, trial.distributions, notes)
            self._study.add_trial(anew)


def _step(rung: float) -> int:
    """A rung as Optuna counts them: epochs, or of one in seconds its milliseconds."""
    return rung if isinstance(rung, int) else round(1000 * rung)


def require_package(sampler: LearningSampler) -> None:
    """Raise UsageError where the package that a sampler needs is not installed."""
    if sampler.needs and find_spec(sampler.needs) is None:
        raise UsageError(
            f"the sampler '{sampler.type}' needs the package {sampler.needs}, which is not installed\n"
            f"  pip install 'nnctl[{sampler.extra}]'"
        )


def _seed_of(seed: int, combination: int, attempt: int) -> int:
    """A seed for the proposal of one combination, of 32 bits of a hash."""
    key = ["proposal", seed, combination, *([attempt] if attempt else [])]
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return int.from_bytes(digest[:4])
