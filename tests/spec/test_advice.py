"""Advice: said of what is allowed and seldom meant, and of nothing else."""

from __future__ import annotations

import pytest

from nnctl.components.registry import components
from nnctl.spec.check.advice import advice
from nnctl.spec.load import load_text

SPEC = """
data: digits
layers:
  - flatten
  - {type: dense, units: 64, activation: ACTIVATION}
  - {type: repeat, times: 2, layers: [{type: dense, units: 5, activation: INNER}]}
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
"""


def sentences(activation: str = "relu", inner: str = "relu", *overrides: str) -> tuple[str, ...]:
    return advice(load_text(SPEC.replace("ACTIVATION", activation).replace("INNER", inner), overrides=overrides).spec)


@pytest.mark.parametrize("name", sorted(components("activation")))
def test_an_activation_that_does_not_learn_is_named(name: str) -> None:
    learns = components("activation")[name].learns
    assert learns == (name != "step")
    assert bool(sentences(activation=name)) != learns


def test_each_layer_is_named_once_with_those_inside_others() -> None:
    first, second = sentences("step", "step")
    assert first.startswith("layer 'dense1' ends in 'step', whose derivative is 0")
    assert second.startswith("layer 'repeat1.dense1' ends in 'step'")


def test_what_is_frozen_needs_no_advice() -> None:
    assert sentences("step", "relu", "layers.1.frozen=true") == ()


FILLED_UP = """
data: {type: sequences, path: t.csv, group: who, target: kind}
layers:
  - {type: mask, name: there, inputs: [input]}
  - {type: gru, units: 4, return_sequence: true, inputs: [input, there]}
  - {type: lstm, units: 4}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
"""


@pytest.mark.parametrize(
    ("data", "filled_up"),
    [
        ("{type: sequences, path: t.csv, group: who, target: kind}", True),
        ("{type: npz, path: s.npz, padding: nan}", True),
        ("{type: npz, path: s.npz}", False),
        ("{type: parity_sequence, shortest: 2}", True),
        ("{type: parity_sequence}", False),
    ],
)
def test_a_layer_that_reads_what_is_filled_up_is_named(data: str, filled_up: bool) -> None:
    spec = load_text(FILLED_UP.replace("{type: sequences, path: t.csv, group: who, target: kind}", data)).spec
    said = advice(spec)
    assert len(said) == int(filled_up)
    assert all(sentence.startswith("layer 'lstm1' reads on behind the ends of sequences") for sentence in said)
