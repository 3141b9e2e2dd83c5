"""Options of the command line as overrides of the sweep section."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.components.distributions import Integer, LogUniform, Uniform
from nnctl.errors import SpecError, UsageError
from nnctl.spec.load import load_text
from nnctl.sweep.section_overrides import grid, space
from nnctl.sweep.study import read_study

SPEC = """\
data: xor
layers: [{type: dense, units: 2, activation: softmax, name: out}]
cost: log_likelihood
"""


def test_grid_values_are_yaml() -> None:
    loaded = load_text(SPEC, overrides=[grid("optimizer.learning_rate=1e-3,0.1"), grid("optimizer=sgd, adam")])
    assert loaded.spec.sweep is not None
    assert loaded.spec.sweep.grid == {"optimizer.learning_rate": (1e-3, 0.1), "optimizer": ("sgd", "adam")}


def test_grid_paths_may_select_by_name() -> None:
    loaded = load_text(SPEC, overrides=[grid("layers[name=out].activation=sigmoid,softmax")])
    assert loaded.spec.sweep is not None
    assert loaded.spec.sweep.grid == {"layers[name=out].activation": ("sigmoid", "softmax")}


@pytest.mark.parametrize(
    ("text", "law"),
    [
        ("a.b=0.1:1", Uniform(low=0.1, high=1.0)),
        ("a.b=1e-4:1:log", LogUniform(low=1e-4, high=1.0)),
        ("a.b=-3:3", Integer(low=-3, high=3)),
        ("a.b=1:512:log", Integer(low=1, high=512, log=True)),
    ],
)
def test_space(text: str, law: object) -> None:
    loaded = load_text(SPEC, overrides=[space(text)])
    assert loaded.spec.sweep is not None
    assert loaded.spec.sweep.space == {"a.b": law}


@pytest.mark.parametrize("text", ["", "a.b", "a.b=", "=1,2"])
def test_grid_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="expected path=a,b,c"):
        grid(text)


@pytest.mark.parametrize("text", ["a=1", "a=1:2:lin", "a=1:2:log:4"])
def test_space_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="expected path=low:high"):
        space(text)


def test_bad_paths_and_values_are_refused_together_and_once(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    options = [grid("optimizer.learning_ratee=1,2,3"), grid("layers.0.units=2,0")]
    with pytest.raises(SpecError) as caught:
        read_study(path, options)
    text = str(caught.value)
    assert text.count("learning_ratee'") == 1
    assert "did you mean 'learning_rate'?" in text
    assert "layers.0.units=0" in text
    assert text.startswith("sweep:1:")
    assert list(tmp_path.iterdir()) == [path]


def test_monitor_is_checked_like_in_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    with pytest.raises(SpecError, match="did you mean 'train_accuracy'"):
        read_study(path, [grid("seed=1,2"), "sweep.monitor=train_acuracy"])


@pytest.mark.parametrize(
    ("setting", "meant"),
    [
        ("sweep.sampler=bayesian", "tpe"),
        ("sweep.sampler=Sobol", "qmc"),
        ("sweep.sampler=random-search", "random"),
        ("sweep.pruner=ASHA", "halving"),
        ("sweep.n_trials=5", "trials"),
    ],
)
def test_words_of_other_libraries_lead_to_the_own_ones(setting: str, meant: str) -> None:
    with pytest.raises(SpecError, match=f"did you mean '{meant}'"):
        load_text(SPEC, overrides=[setting])
