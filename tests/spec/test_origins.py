"""Where values come from."""

from __future__ import annotations

from nnctl.spec.load import load_text
from nnctl.spec.origins import origins

TEXT = """\
data: digits
convention: keras
initializer: {type: normal, std: 0.5}
layers:
  - flatten
  - {type: dense, units: 30, activation: leaky_relu}
  - type: residual
    layers:
      - {type: dense, units: 30}
  - {type: dense, units: 10, activation: softmax, initializer: zeros}
cost: log_likelihood
"""


def rows(*overrides):
    return {row.path: row for row in origins(load_text(TEXT, "digits.yaml", overrides))}


def test_every_path_once():
    found = origins(load_text(TEXT))
    assert len({row.path for row in found}) == len(found)


def test_the_file_an_override_a_default():
    found = rows("seed=3")
    assert (found["layers.1.units"].value, found["layers.1.units"].words) == (30, "digits.yaml:6:26")
    assert (found["seed"].value, found["seed"].words) == (3, "--set seed=3")
    assert (found["schedule.epochs"].cause, found["schedule.epochs"].value) == ("default", 10)
    assert found["layers.2.layers.0.units"].words == "digits.yaml:9:30"


def test_components_carry_their_formula():
    found = rows()
    assert found["layers.1.activation"].value == "leaky_relu"
    assert found["layers.1.activation"].formula
    assert found["optimizer"].cause == "default"


def test_what_a_layer_leaves_to_the_root():
    found = rows()
    inherited = found["layers.1.initializer"]
    assert (inherited.value, inherited.cause, inherited.words) == ("normal", "root", "the spec's initializer")
    assert str(inherited.location) == "digits.yaml:3:14"
    assert found["layers.3.initializer"].cause == "file"
    assert (found["layers.1.bias_initializer"].value, found["layers.1.bias_initializer"].cause) == (
        "keras",
        "convention",
    )
    assert (found["layers.1.regularizer"].value, found["layers.1.regularizer"].cause) == (None, "default")


def test_what_a_convention_fills_in():
    slope = rows()["layers.1.activation.slope"]
    assert (slope.value, slope.cause) == (0.3, "convention")


def test_the_name_of_the_file():
    assert (rows()["name"].value, rows()["name"].cause) == ("digits", "file name")
    assert rows("name=x")["name"].cause == "override"
