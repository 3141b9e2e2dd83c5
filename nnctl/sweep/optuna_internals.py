"""The parts of Optuna that are not its public interface: used here alone, because nothing public does the same.

A sampler learns from trials that Optuna does not run. It is told of values at rungs and of excesses of constraints when
a trial has ended, and the sampler's own notes on a proposal outlive the process. `Trial.report` and
`Trial.set_constraint`, which are public, belong to the one object that `Study.ask` gives: a trial that was proposed
before the sweep was gone on with has none.

| private | why |
|---|---|
| `Study._storage`, with `set_trial_intermediate_value` and `set_trial_system_attr` | notes in a trial that is running |
| `FrozenTrial._trial_id` | the storage's name of a trial |
| the key `constraints:NAME` among `system_attrs` | how a storage keeps what `FrozenTrial.constraints` says |
| `FrozenTrial.system_attrs`, also of `create_trial` | a sampler's notes, such as the generation of CMA-ES |

`tests/sweep/test_optuna_internals.py` says which of them another version of Optuna lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial


def note(study: Study, trial: FrozenTrial, *, rungs: Mapping[int, float], constraints: Mapping[str, float]) -> None:
    """Write into a running trial of a study. rungs: values by their steps; constraints: excesses by their names."""
    for step, value in rungs.items():
        study._storage.set_trial_intermediate_value(trial._trial_id, step, value)
    for name, excess in constraints.items():
        study._storage.set_trial_system_attr(trial._trial_id, f"constraints:{name}", excess)


def notes_of(trial: FrozenTrial) -> dict[str, Any]:
    """A sampler's own notes on a trial that it proposed, JSON-able."""
    return dict(trial.system_attrs)


def running(
    params: Mapping[str, Any], distributions: Mapping[str, BaseDistribution], notes: Mapping[str, Any]
) -> FrozenTrial:
    """A trial that is under way, for a study to add, with its sampler's notes."""
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.RUNNING, params=dict(params), distributions=dict(distributions), system_attrs=dict(notes)
    )
