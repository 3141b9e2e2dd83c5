"""Proposals of samplers that learn, by Optuna, in memory.

What is proposed for combination k depends on the seed, on k, and on the results of combinations before
k − lag: those after it count as running, however far they are. So it does not depend on who was faster.
"""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nnctl.components.base import Distribution
from nnctl.components.distributions import Choice
from nnctl.components.kinds.running import Interval, LearningSampler
from nnctl.errors import UsageError
from nnctl.spec.document import Sweep
from nnctl.sweep.space import Point, Space
from nnctl.sweep.trial import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.distributions import BaseDistribution, CategoricalChoiceType
    from optuna.trial import Trial as OptunaTrial


@dataclass(frozen=True)
class Proposal:
    """A proposal. chosen: what the sampler chose for each path; attributes: its own notes on it, JSON-able."""

    point: Point
    chosen: Mapping[str, object]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reached:
    """The result of a combination, as a sampler learns from it.

    values: of each objective, None where the combination failed or was pruned. excesses: of the constraints,
    above 0 where one is not met. rungs: the value of the one objective at each rung.
    """

    values: Sequence[float] | None
    excesses: Sequence[float] = ()
    rungs: Mapping[int, float] = field(default_factory=dict)
    pruned: bool = False


class Learner:
    """A sampler with what it has learned. Combinations are proposed, and told of, in their order."""

    def __init__(self, sampler: LearningSampler, space: Space, seed: int, higher_is_better: Sequence[bool]) -> None:
        """Begin with no result. higher_is_better: of each objective. Raises UsageError where a package is missing."""
        require_package(sampler)
        import optuna

        self._sampler, self._space, self._seed = sampler, space, seed
        ways = optuna.study.StudyDirection
        directions = [ways.MAXIMIZE if higher else ways.MINIMIZE for higher in higher_is_better]
        with quiet():
            self._study = optuna.create_study(directions=directions, sampler=optuna.samplers.RandomSampler(seed=0))
        self._numbers: dict[int, int] = {}

    def learn(self, chosen: Mapping[str, object], reached: Reached) -> None:
        """Learn a result that was known before anything is proposed."""
        from optuna.trial import TrialState, create_trial

        made: dict[str, Distribution] = {path: self._space.distributions[path] for path in chosen}
        with quiet():
            self._study.add_trial(
                create_trial(
                    state=TrialState.COMPLETE,
                    values=None if reached.values is None else list(reached.values),
                    params={path: _as_parameter(law, chosen[path]) for path, law in made.items()},
                    distributions={path: optuna_distribution(law) for path, law in made.items()},
                    system_attrs={f"constraints:{index}": excess for index, excess in enumerate(reached.excesses)},
                )
            )

    def propose(self, combination: int) -> Proposal:
        """The proposal for a combination, from the results told so far."""
        with quiet():
            self._study.sampler = self._sampler.optuna(
                _seed_of(self._seed, combination), conditional=self._space.conditional
            )
            trial = self._study.ask()
            chosen: dict[str, object] = {}

            def choose(path: str, distribution: Distribution) -> object:
                chosen[path] = suggested(trial, path, distribution)
                return chosen[path]

            point = self._space.point(choose)
        self._numbers[combination] = trial.number
        attributes = self._study.get_trials(deepcopy=False)[trial.number].system_attrs
        return Proposal(point, chosen, dict(attributes))

    def recall(self, combination: int, chosen: Mapping[str, object], attributes: Mapping[str, Any]) -> Proposal:
        """A proposal that was made before and kept, in place of `propose`."""
        from optuna.trial import TrialState, create_trial

        made: dict[str, tuple[Distribution, object]] = {}

        def choose(path: str, distribution: Distribution) -> object:
            made[path] = distribution, chosen[path]
            return chosen[path]

        point = self._space.point(choose)
        with quiet():
            trial = create_trial(
                state=TrialState.RUNNING,
                params={path: _as_parameter(*each) for path, each in made.items()},
                distributions={path: optuna_distribution(d) for path, (d, _) in made.items()},
                system_attrs=dict(attributes),
            )
            self._study.add_trial(trial)
        self._numbers[combination] = len(self._study.get_trials(deepcopy=False)) - 1
        return Proposal(point, chosen, attributes)

    def tell(self, combination: int, reached: Reached) -> None:
        """Learn the result of a combination that was proposed."""
        from optuna.trial import TrialState

        number = self._numbers[combination]
        with quiet():
            if reached.values is None and not reached.pruned:
                self._study.tell(number, state=TrialState.FAIL)
                return
            storage, identity = self._study._storage, self._study.get_trials(deepcopy=False)[number]._trial_id
            for rung, value in reached.rungs.items():
                storage.set_trial_intermediate_value(identity, rung, value)
            for index, excess in enumerate(reached.excesses):
                storage.set_trial_system_attr(identity, f"constraints:{index}", excess)
            if reached.values is None:
                self._study.tell(number, state=TrialState.PRUNED)
            else:
                self._study.tell(number, list(reached.values))


def require_package(sampler: LearningSampler) -> None:
    """Raise UsageError where the package that a sampler needs is not installed."""
    if sampler.needs and find_spec(sampler.needs) is None:
        raise UsageError(
            f"the sampler '{sampler.type}' needs the package {sampler.needs}, which is not installed\n"
            f"  pip install 'nnctl[{sampler.extra}]'"
        )


def optuna_distribution(distribution: Distribution) -> BaseDistribution:
    """A distribution in Optuna's words; the values of a choice as text where they are no scalars of Optuna's."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    support = distribution.support()
    if not isinstance(support, Interval):
        return CategoricalDistribution([_option(value) for value in support.options])
    if support.whole:
        return IntDistribution(int(support.low), int(support.high), log=support.log, step=int(support.step or 1))
    return FloatDistribution(support.low, support.high, log=support.log, step=support.step)


def as_parameters(sweep: Sweep, settings: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, BaseDistribution]]:
    """The searched settings of a point in Optuna's words, with their distributions; of the grid, as categories."""
    laws: dict[str, Distribution] = {path: Choice(values=values) for path, values in sweep.grid.items()}
    laws |= sweep.space
    found = {path: (law, settings[path]) for path, law in laws.items() if path in settings}
    return (
        {path: _as_parameter(*each) for path, each in found.items()},
        {path: optuna_distribution(law) for path, (law, _) in found.items()},
    )


def suggested(trial: OptunaTrial, path: str, distribution: Distribution) -> object:
    """The value of a path that Optuna's sampler chooses for its trial."""
    support = distribution.support()
    if not isinstance(support, Interval):
        said = trial.suggest_categorical(path, [_option(value) for value in support.options])
        return next(value for value in support.options if _option(value) == said and type(_option(value)) is type(said))
    if support.whole:
        return trial.suggest_int(
            path, int(support.low), int(support.high), log=support.log, step=int(support.step or 1)
        )
    return trial.suggest_float(path, support.low, support.high, log=support.log, step=support.step)


def _as_parameter(distribution: Distribution, value: object) -> object:
    return value if isinstance(distribution.support(), Interval) else _option(value)


def is_option(parameter: object, value: object) -> bool:
    """True where a parameter of Optuna's says a value of a choice: numbers by their amount, the rest by its text."""
    option = _option(value)
    return parameter == option and isinstance(parameter, bool) == isinstance(option, bool)


def _option(value: object) -> CategoricalChoiceType:
    return value if value is None or isinstance(value, bool | int | float | str) else write(value)


def _seed_of(seed: int, combination: int) -> int:
    """A seed for the proposal of one combination, of 32 bits of a hash."""
    digest = hashlib.sha256(json.dumps(["proposal", seed, combination]).encode()).digest()
    return int.from_bytes(digest[:4])


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which Optuna's notices, and its warnings on what it calls experimental, are not shown."""
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
