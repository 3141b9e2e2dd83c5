"""Distributions, values and constraints in Optuna's words, and blocks in which it is quiet."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nnctl.components.base import Distribution
from nnctl.components.distributions import Choice
from nnctl.components.kinds.running import Interval
from nnctl.spec.document import Sweep
from nnctl.spec.yaml.flow import flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.distributions import BaseDistribution, CategoricalChoiceType
    from optuna.trial import Trial


def distribution_of(distribution: Distribution) -> BaseDistribution:
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
        {path: parameter_of(*each) for path, each in found.items()},
        {path: distribution_of(law) for path, (law, _) in found.items()},
    )


def suggested(trial: Trial, path: str, distribution: Distribution) -> object:
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


def parameter_of(distribution: Distribution, value: object) -> object:
    """A value that a distribution has drawn, in Optuna's words."""
    return value if isinstance(distribution.support(), Interval) else _option(value)


def is_option(parameter: object, value: object) -> bool:
    """True where a parameter of Optuna's says a value of a choice: numbers by their amount, the rest by its text."""
    option = _option(value)
    return parameter == option and isinstance(parameter, bool) == isinstance(option, bool)


def _option(value: object) -> CategoricalChoiceType:
    return value if value is None or isinstance(value, bool | int | float | str) else flow(value)


def constraints_by_name(excesses: Sequence[float]) -> dict[str, float]:
    """The excesses of constraints in Optuna's words, where each has a name."""
    return {str(index): excess for index, excess in enumerate(excesses)}


@contextmanager
def quiet() -> Iterator[None]:
    """A block in which Optuna's notices, and its warnings on what it calls experimental, are not shown."""
    import optuna

    optuna.logging.set_verbosity(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
