"""Numbers of a step that single precision does not hold are told at their line, in every component that has such."""

from __future__ import annotations

import pytest

from nnctl.components.registry import Component, components, kinds
from nnctl.errors import SpecError
from nnctl.spec.load import load_text

SPEC = """\
data: digits
layers:
  - flatten
  - {type: dense, units: 10, activation: ACTIVATION}
  - MORE
cost: mse
"""


def load(activation: str = "linear", more: str = "dropout", *overrides: str) -> None:
    load_text(SPEC.replace("ACTIVATION", activation).replace("MORE", more), "net.yaml", overrides)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1e300", r"net.yaml:4:61: error: 1e\+300 is too large for single precision"),
        ("1e-300", "1e-300 is too small for single precision"),
        ("3.5e38", "at most 3.4e\\+38"),
    ],
)
def test_an_activations_number(value: str, words: str) -> None:
    with pytest.raises(SpecError, match=words):
        load(f"{{type: elu, alpha: {value}}}")


@pytest.mark.parametrize("value", ["0.5", "1e38", "1e-37"])
def test_numbers_that_it_holds(value: str) -> None:
    load(f"{{type: elu, alpha: {value}}}")


@pytest.mark.parametrize(
    "more",
    [
        "{type: batch_norm, epsilon: 1e300}",
        "{type: layer_norm, epsilon: 1e-300}",
        "{type: gaussian_noise, std: 1e300}",
    ],
)
def test_a_layers_number(more: str) -> None:
    with pytest.raises(SpecError, match="for single precision"):
        load("linear", more)


def test_the_numbers_of_clipping_and_of_a_regularizer() -> None:
    for override in (
        "regularizer={type: l2, strength: 1e300}",
        "optimizer={type: sgd, clip: {type: norm, limit: 1e39}}",
    ):
        with pytest.raises(SpecError, match="for single precision"):
            load("linear", "dropout", override)


def test_a_rate_is_fed_to_each_step_and_ends_a_run_as_diverged() -> None:
    load("linear", "dropout", "optimizer.learning_rate=1e300")


def test_kinds_whose_numbers_are_those_of_a_step() -> None:
    said = {kind for kind in kinds() for each in components(kind).values() if each.in_steps}
    assert said == {"activation", "clipping", "cost", "layer", "regularizer"}
    assert not Component.in_steps
