"""The private parts of Optuna that a sweep uses: a version without one of them fails here, by its name."""

from __future__ import annotations

import ast
from inspect import signature
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.storages import BaseStorage
from optuna.trial import TrialState, create_trial

import nnctl
from nnctl.sweep import optuna_internals
from nnctl.sweep.optuna_terms import quiet

PRIVATE = ("_storage", "_trial_id", "system_attrs")
ADAPTER = "sweep/optuna_internals.py"
LACKING = f"Optuna {optuna.__version__} has no {{}}: change nnctl/{ADAPTER}"


@pytest.fixture
def study() -> optuna.Study:
    with quiet():
        return optuna.create_study()


@pytest.fixture
def trial(study: optuna.Study) -> optuna.trial.FrozenTrial:
    law = FloatDistribution(0.0, 1.0)
    study.add_trial(optuna_internals.running({"rate": 0.5}, {"rate": law}, {"cma:generation": 3}))
    return study.get_trials()[0]


def test_a_study_has_a_storage_that_takes_notes(study: optuna.Study) -> None:
    assert isinstance(getattr(study, "_storage", None), BaseStorage), LACKING.format("Study._storage")
    for name, takes in (
        ("set_trial_intermediate_value", ["trial_id", "step", "intermediate_value"]),
        ("set_trial_system_attr", ["trial_id", "key", "value"]),
    ):
        method = getattr(BaseStorage, name, None)
        assert method is not None, LACKING.format(f"BaseStorage.{name}")
        assert list(signature(method).parameters)[1:] == takes


def test_a_trial_has_a_number_of_the_storage_s_own_and_notes(trial: optuna.trial.FrozenTrial) -> None:
    for name in ("_trial_id", "system_attrs"):
        assert hasattr(trial, name), LACKING.format(f"FrozenTrial.{name}")
    assert "system_attrs" in signature(create_trial).parameters, LACKING.format("system_attrs of create_trial")


def test_a_trial_added_under_way_keeps_its_sampler_s_notes(trial: optuna.trial.FrozenTrial) -> None:
    assert trial.state is TrialState.RUNNING
    assert trial.params == {"rate": 0.5}
    assert optuna_internals.notes_of(trial) == {"cma:generation": 3}


def test_notes_are_what_optuna_takes_for_rungs_and_constraints(
    study: optuna.Study, trial: optuna.trial.FrozenTrial
) -> None:
    optuna_internals.note(study, trial, rungs={2: 0.5, 4: 0.25}, constraints={"0": 1.5, "1": -1.0})
    study.tell(0, 0.25)
    (told,) = study.get_trials()
    assert told.intermediate_values == {2: 0.5, 4: 0.25}
    assert told.constraints == {"0": 1.5, "1": -1.0}, LACKING.format("key constraints:NAME among system_attrs")
    # As it says it of a trial whose constraints are given in public.
    law = FloatDistribution(0.0, 1.0)
    public = create_trial(value=0.25, params={"rate": 0.5}, distributions={"rate": law}, constraints=told.constraints)
    assert public.system_attrs.items() <= told.system_attrs.items()


def test_nothing_private_of_optuna_is_used_elsewhere() -> None:
    package = Path(nnctl.__file__).parent
    users = [file for file in package.rglob("*.py") if "optuna" in (text := file.read_text()) and "import" in text]
    for file in users:
        found = {node.attr for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Attribute)}
        modules = {
            node.module
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.startswith("optuna")
        }
        assert not any("._" in module for module in modules), file
        if file != package / ADAPTER:
            assert not found & set(PRIVATE), file
