"""Variants of a spec are what loading each in full gives, and say the same where it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from nnctl.errors import SpecError
from nnctl.spec.check.validate import Validated, validate
from nnctl.spec.load import load_text, load_variant
from nnctl.spec.variants import Variants
from nnctl.spec.yaml.tree import Node

SPEC = """
data: {type: xor}
layers:
  - {type: dense, units: 4, activation: tanh}
  - {type: dense, units: 1, activation: sigmoid}
cost: cross_entropy
optimizer: {type: sgd, learning_rate: 0.5}
"""


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("seed=3",),
        ("layers.0.units=7", "optimizer.learning_rate=0.1"),
        ("optimizer=adam", "schedule.epochs=2"),
        ("cost=mse", "layers.1.activation=linear"),
        ("layers.0=null",),
    ],
)
def test_a_variant_is_what_loading_it_in_full_gives(overrides: tuple[str, ...]) -> None:
    base = load_text(SPEC)
    variants = Variants(base)
    expected = load_variant(base, overrides)
    for _ in range(2):
        found = variants.load(overrides)
        assert found.spec == expected.spec
        assert found.text == expected.text
        assert dict(found.places) == dict(expected.places)
        assert len(found.places) == len(expected.places)
        assert str(found.error("layers.0.units", "wrong")) == str(expected.error("layers.0.units", "wrong"))


def test_places_are_not_looked_for_before_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    variants = Variants(load_text(SPEC))
    looked: list[object] = []

    def counted(tree: Node, *arguments: Any) -> Validated:
        looked.append(arguments)
        return validate(tree, *arguments)

    monkeypatch.setattr("nnctl.spec.variants.validate", counted)
    found = variants.load(("seed=3",))
    assert len(looked) == 1
    assert found.locate("seed") is not None
    assert len(looked) == 2


@pytest.mark.parametrize(
    "overrides", [("layers.0.units=-1",), ("optimizer.rate=1",), ("cost=poisson", "layers.1.units=0")]
)
def test_what_is_wrong_with_a_variant_is_said_at_its_place(overrides: tuple[str, ...]) -> None:
    base = load_text(SPEC)
    with pytest.raises(SpecError) as expected:
        load_variant(base, overrides)
    with pytest.raises(SpecError) as found:
        Variants(base).load(overrides)
    assert str(found.value) == str(expected.value)
