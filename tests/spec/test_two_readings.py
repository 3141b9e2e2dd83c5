"""Numbers that can be read in two ways: what cannot be meant is asked about, what is seldom meant is said."""

from __future__ import annotations

from typing import Any

import pytest

from nnctl.components.registry import components
from nnctl.errors import SpecError
from nnctl.spec.check.advice import advice
from nnctl.spec.load import load_text

SPEC = """
data: digits
layers:
  - flatten
  - {type: dropout, rate: 0.5}
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
optimizer: {type: momentum, learning_rate: 0.01}
schedule: {learning_rate: constant}
"""
RATES = "schedule.learning_rate="


def refusal(*overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        load_text(SPEC, "s.yaml", overrides)
    return str(caught.value)


def notes(*overrides: str) -> tuple[str, ...]:
    return advice(load_text(SPEC, "s.yaml", overrides).spec)


@pytest.mark.parametrize(
    ("schedule", "first"),
    [
        ("{type: piecewise, boundaries: [5], values: [0.003, 0.001]}", "3e-05"),
        ("{type: piecewise, boundaries: [5], values: [0.01, 0.2]}", "0.0001"),
        ("{type: warmup, duration: 2, then: {type: piecewise, boundaries: [5], values: [0.003, 0.001]}}", "3e-05"),
    ],
)
def test_factors_that_look_like_rates_are_asked_about(schedule: str, first: str) -> None:
    words = refusal(RATES + schedule)
    assert "are these factors or learning rates? values multiply the optimizer's learning rate of 0.01" in words
    assert f"would begin at {first}" in words
    assert "learning rates are written rates: [0.0" in words


@pytest.mark.parametrize("values", ["[1, 0.1, 0.01]", "[0.5, 1, 0.1]", "[0.1, 0.02, 0.01]", "[1.0, 0.0, 1.0]"])
def test_factors_are_factors(values: str) -> None:
    load_text(SPEC, overrides=[f"{RATES}{{type: piecewise, boundaries: [5, 6], values: {values}}}"])


def test_pretraining_has_a_rate_of_its_own() -> None:
    words = refusal(
        "layers=[flatten, {type: dense, units: 3, activation: sigmoid}, {type: dense, units: 10, activation: softmax}]",
        "pretraining={layers: [dense1], schedule: {type: piecewise, boundaries: [1], values: [0.003, 0.001]}}",
    )
    assert "the optimizer's learning rate of 0.1" in words


def test_rates_are_learning_rates() -> None:
    spec = load_text(SPEC, overrides=[f"{RATES}{{type: piecewise, boundaries: [5], rates: [0.003, 0.001]}}"]).spec
    schedule = spec.schedule.learning_rate.for_convention("torch")
    assert [schedule.rate_at(0.01, t, 10) for t in (0, 4, 5, 9)] == [0.003, 0.003, 0.001, 0.001]
    warm = load_text(
        SPEC,
        overrides=[f"{RATES}{{type: warmup, duration: 2, then: {{type: piecewise, boundaries: [3], rates: [3, 4]}}}}"],
    ).spec.schedule.learning_rate.for_convention("torch")
    assert [warm.rate_at(0.3, t, 10) for t in (0, 2, 5)] == pytest.approx([0.1, 3, 4])
    assert "either values" in refusal(f"{RATES}{{type: piecewise, boundaries: [5]}}")
    both = f"{RATES}{{type: piecewise, boundaries: [5], values: [1, 2], rates: [1, 2]}}"
    assert "either values" in refusal(both)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("schedule.learning_rate={type: step, every: 3, factor: 10}", "to divide by 10, write factor: 0.1"),
        ("schedule.learning_rate={type: exponential, gamma: 0.05}", "write gamma: 0.95"),
        ("schedule.learning_rate={type: exponential, gamma: 95}", "95% is 0.95"),
        ("schedule.learning_rate={type: plateau, factor: 10}", "10% is written 0.1"),
        ("layers.1.rate=50", "50% is written 0.5"),
        ("optimizer.momentum=90", "90% is written 0.9"),
        ("cost={type: log_likelihood, label_smoothing: 10}", "10% is written 0.1"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_may_be(override: str, words: str) -> None:
    assert words in refusal(override)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("layers.1.rate=0.9", "layer 'dropout1': rate: 0.9 drops 90%; where that share is to be kept, write rate: 0.1"),
        ("layers.1={type: dropconnect, units: 3, rate: 0.8}", "layer 'dropconnect1': rate: 0.8 drops 80%"),
        ("layers.1={type: residual, layers: [{type: dropout, rate: 0.9}]}", "layer 'residual1.dropout1': rate: 0.9"),
        ("layers.1={type: batch_norm, momentum: 0.99}", "by PyTorch's convention the share of the new"),
        (
            "layers.1={type: batch_norm, momentum: 0.1, convention: keras}",
            "by Keras's convention the share of the old",
        ),
        ("cost={type: log_likelihood, label_smoothing: 0.9}", "cost 'log_likelihood': label_smoothing: 0.9 takes"),
        ("optimizer={type: adam, beta2: 0.001}", "optimizer 'adam': beta2: 0.001 is the share of the old"),
        ("optimizer={type: rmsprop, rho: 0.1}", "optimizer 'rmsprop': rho: 0.1"),
        ("optimizer={type: adadelta, rho: 0.1}", "optimizer 'adadelta': rho: 0.1"),
    ],
)
def test_what_is_seldom_meant_gets_a_note(override: str, words: str) -> None:
    (note,) = notes(override)
    assert words in note


@pytest.mark.parametrize("kind", ["layer", "optimizer", "cost", "activation", "schedule", "metric", "clipping"])
def test_no_default_is_doubted(kind: str) -> None:
    for cls in components(kind).values():
        for convention in ("torch", "keras", "book"):
            try:
                made: Any = cls()
            except TypeError:
                continue
            assert not made.for_convention(convention).doubts
