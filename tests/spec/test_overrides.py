"""`--set path=value`."""

from __future__ import annotations

import json

import pytest

from nnctl.cli import main
from nnctl.components.distributions import Choice, LogUniform
from nnctl.data.columns.category import Category
from nnctl.data.columns.ignore import Ignore
from nnctl.data.columns.number import Number
from nnctl.errors import SpecError
from nnctl.spec.load import load_text

TEXT = """\
data: {type: digits, validation: 0.1}
layers:
  - flatten
  - {type: dense, name: hidden, units: 30, activation: sigmoid}
  - &out {type: dense, name: out, units: 10, activation: softmax}
cost: log_likelihood
optimizer: sgd
schedule:
  epochs: 3
"""


def load(*overrides):
    return load_text(TEXT, "digits.yaml", overrides).spec


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("layers.1.units=40", "layers.1.units", 40),
        ("layers[1].units=40", "layers.1.units", 40),
        ("layers.-2.units=40", "layers.1.units", 40),
        ("layers[name=hidden].units=40", "layers.1.units", 40),
        ("layers[name=flatten1].name=flat", "layers.0.name", "flat"),
        ("layers[type=flatten].name=flat", "layers.0.name", "flat"),
        ("layers.0.name=flat", "layers.0.name", "flat"),
        ("layers[name=hidden].activation=tanh", "layers.1.activation.type", "tanh"),
        ("layers.1.activation={type: leaky_relu, slope: 1e-3}", "layers.1.activation.slope", 1e-3),
        ("optimizer.momentum=0.9", "optimizer.momentum", 0.9),
        ("optimizer.learning_rate=1e-3", "optimizer.learning_rate", 1e-3),
        ("optimizer=adam", "optimizer.type", "adam"),
        ("optimizer.type=adam", "optimizer.type", "adam"),
        ("schedule.batch_size=full", "schedule.batch_size", "full"),
        ("schedule.early_stopping.patience=3", "schedule.early_stopping.patience", 3),
        ("schedule.early_stopping={}", "schedule.early_stopping.patience", 10),
        ("backend.type=numpy", "backend.type", "numpy"),
        ("description=a: b | c # d, \u00e9 [x", "description", "a: b | c # d, \u00e9 [x"),
        ("description=x=y", "description", "x=y"),
        ("description='1'", "description", "1"),
        ("name=no", "name", "no"),
        ("seed= 7 ", "seed", 7),
        ("sweep.grid.optimizer.learning_rate=[0.1, 1]", "sweep.grid", {"optimizer.learning_rate": (0.1, 1)}),
        ("regularizer={type: l2, strength: 5}", "regularizer.strength", 5.0),
    ],
)
def test_sets(override, path, value):
    found = load(override)
    for step in path.split("."):
        found = found[int(step)] if step.isdigit() else getattr(found, step)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        ("age.missing=3", "age", Number(missing=3)),
        ("b.c.missing=mean", "b.c", Number(missing="mean")),
        ("b.c=ignore", "b.c", Ignore()),
        ("d.e=category", "d.e", Category()),
        ("age.months=category", "age.months", Category()),
    ],
)
def test_a_column_by_its_name_which_may_have_dots(override, name, value):
    text = TEXT.replace(
        "{type: digits, validation: 0.1}",
        "{type: table, path: t.csv, target: y, columns: {age: number, b.c: {type: number}}}",
    )
    assert load_text(text, overrides=[f"data.columns.{override}"]).spec.data.columns[name] == value


def test_a_path_of_a_search_may_lie_inside_of_another_and_fields_of_a_distribution_are_reached() -> None:
    choice, rates = "{type: choice, values: [sgd, adam]}", "{type: log_uniform, low: 1e-3, high: 0.1}"
    text = (
        "data: {type: xor}\nlayers: [{type: dense, units: 1, activation: sigmoid}]\ncost: cross_entropy\n"
        "sweep: {trials: 2}\n"
    )
    both = [f"sweep.space.optimizer={choice}", f"sweep.space.optimizer.learning_rate={rates}"]
    changed = ["sweep.space.optimizer.values=[adam, adagrad]", "sweep.space.optimizer.learning_rate.low=0.01"]
    for order in (both, both[::-1]):
        sweep = load_text(text, overrides=[*order, *changed]).spec.sweep
        assert sweep is not None
        laws = sweep.space
        assert laws["optimizer"] == Choice(values=("adam", "adagrad"))
        assert laws["optimizer.learning_rate"] == LogUniform(low=0.01, high=0.1)
    with pytest.raises(SpecError, match="unknown key 'hihg' in distribution"):
        load_text(text, overrides=[*both, "sweep.space.optimizer.learning_rate.hihg=1"])


def test_of_two_the_last_holds():
    assert load("seed=1", "seed=2").seed == 2


def test_another_type_drops_the_fields_of_the_file_and_keeps_those_of_overrides():
    text = TEXT.replace("optimizer: sgd", "optimizer: {type: sgd, momentum: 0.9}")
    spec = load_text(text, overrides=["optimizer.learning_rate=0.5", "optimizer.type=adam"]).spec
    assert (spec.optimizer.type, spec.optimizer.learning_rate) == ("adam", 0.5)


def test_the_same_type_changes_nothing():
    text = TEXT.replace("optimizer: sgd", "optimizer: {type: sgd, momentum: 0.9}")
    assert load_text(text, overrides=["optimizer.type=sgd"]).spec.optimizer.momentum == 0.9


def test_a_default_component_is_filled_in():
    text = TEXT.replace("optimizer: sgd\n", "")
    spec = load_text(text, overrides=["optimizer.momentum=0.5"]).spec
    assert (spec.optimizer.type, spec.optimizer.momentum) == ("sgd", 0.5)


def test_an_alias_is_changed_in_one_place_only():
    text = TEXT.replace("  - &out", "  - &hidden {type: dense, units: 20}\n  - *hidden\n  - &out")
    spec = load_text(text, overrides=["layers.2.units=21"]).spec
    assert [layer.units for layer in spec.layers[2:4]] == [21, 20]


def test_places_of_overrides():
    loaded = load_text(TEXT, "digits.yaml", ["layers.1.units=40"])
    assert str(loaded.locate("layers.1.units")) == "--set:1:16"
    assert str(loaded.locate("layers.1")) == "digits.yaml:4:5"


ERRORS = [
    ("optimizer.lr=0.1", 11, "lr", "unknown key 'lr' in optimizer 'sgd'", "did you mean 'learning_rate'?"),
    ("optimzer.momentum=0.1", 1, "optimzer", "unknown key 'optimzer' in the spec", "did you mean 'optimizer'?"),
    ("optimizer.momentum=x", 20, "x", "'momentum' cannot be the string 'x'", ""),
    ("optimizer=sgdd", 11, "sgdd", "there is no optimizer 'sgdd'", "did you mean 'sgd'?"),
    ("layers.7.units=3", 8, "7", "'layers' has 3 items, none at 7", ""),
    (
        "layers.hidden.units=3",
        8,
        "hidden",
        "'hidden' is no item of 'layers', a list",
        "did you mean 'layers[name=hidden]'?",
    ),
    (
        "layers.flatten1.name=flat",
        8,
        "flatten1",
        "'flatten1' is no item of 'layers', a list",
        "did you mean 'layers[name=flatten1]'?",
    ),
    ("layers[name=hiden].units=3", 7, "[name=hiden]", "no item of 'layers' has name=hiden", "did you mean 'hidden'?"),
    (
        "layers[type=dense].units=3",
        7,
        "[type=dense]",
        "2 items of 'layers' have type=dense",
        "say which by index: 1, 2",
    ),
    ("optimizer[name=x].momentum=1", 10, "[name=x]", "'optimizer' is a mapping, not a list to select from", ""),
    ("schedule.epochs.x=1", 17, "x", "'schedule.epochs' is 3 and has no 'x'", ""),
    ("regularizer.strength=1", 13, "strength", "a regularizer needs a 'type'", "these keys fit type: l1 or type: l2"),
    ("seed", 1, "seed", "an override without '='", ""),
    ("=3", 1, "=", "an override without a path", ""),
    ("a..b=3", 3, ".", "this path cannot be read", ""),
    ("a.=3", 3, "=", "the path ends too soon", ""),
    ("layers[name=x.units=3", 1, "layers[name=x.units=3", "an override without '='", ""),
    ("seed=1e999", 6, "1e999", "1e999 is outside the range of a double-precision number", ""),
    ("data={type: digits", 19, "", "the mapping is not closed before this", "add the missing ',' or '}'"),
    ("layers.1={type: dens, units: 3}", 17, "dens", "there is no layer 'dens'", "did you mean 'dense'?"),
]


@pytest.mark.parametrize(("override", "column", "under", "message", "hint"), ERRORS, ids=[row[0] for row in ERRORS])
def test_errors_point_into_the_argument(override, column, under, message, hint):
    with pytest.raises(SpecError) as caught:
        load(override)
    (problem,) = caught.value.diagnostics
    location = problem.location
    assert (location.path, location.line, location.column, location.text) == ("--set", 1, column, override)
    assert override[column - 1 : column - 1 + location.width] == under
    assert (problem.message, problem.hint) == (message, hint)


def test_all_bad_overrides_are_reported():
    with pytest.raises(SpecError) as caught:
        load("seed", "layers.9=flatten", "seed=1")
    assert len(caught.value.diagnostics) == 2


NESTED = """\
data: digits
layers:
  - flatten
  - {type: dense, units: 8}
  - {type: dense, units: 8, name: middle}
  - {type: residual, layers: [{type: dense, units: 8}, {type: activation, activation: relu}]}
  - {type: dense, units: 10}
cost: mse
"""


def test_layers_go_by_the_names_that_inspect_shows(tmp_path, capsys):
    """Each name selects the layer that is shown by it."""
    (tmp_path / "net.yaml").write_text(NESTED)
    assert main(["inspect", str(tmp_path / "net.yaml")]) == 0
    shown = [json.loads(line)["layer"] for line in capsys.readouterr().out.splitlines()][:-1]
    assert shown == ["flatten1", "dense1", "middle", "residual1", "dense2"]
    for index, name in enumerate(shown):
        layers = load_text(NESTED, overrides=[f"layers[name={name}].frozen=true"]).spec.layers
        assert [layer.frozen for layer in layers] == [other == index for other in range(len(layers))]


def test_layers_within_layers_go_by_the_names_of_their_list():
    overrides = ["layers[name=residual1].layers[name=dense1].activation=tanh"]
    assert load_text(NESTED, overrides=overrides).spec.layers[3].layers[0].activation.type == "tanh"


def test_only_layers_have_names_that_nobody_wrote():
    with pytest.raises(SpecError, match="an index: no item of 'metrics' has a 'name'"):
        load_text(NESTED + "metrics: [f1]\n", overrides=["metrics[name=f11].average=macro"])
