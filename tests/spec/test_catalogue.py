"""Every component explains itself: what it is, what it takes, and an example that holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nnctl.components.registry import components, kinds
from nnctl.errors import UsageError
from nnctl.spec.catalogue import Entry, KeyEntry, entry, example, explained, find, find_keys, known_kind, names
from nnctl.spec.load import load_text
from nnctl.spec.schema.forms import fields_of
from nnctl.spec.schema.json_schema import json_schema

SPEC = """\
data: {type: digits, validation: 100}
layers:
  - {type: flatten, name: left}
  - {type: dense, units: 5, name: right}
  - {type: dense, units: 3, inputs: [left, right]}
  - {type: dense, units: 10}
cost: mse
optimizer: sgd
"""
EACH = [(kind, name) for kind in kinds() for name in components(kind)]


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_every_example_stands_in_a_spec_as_it_is(kind: str, name: str) -> None:
    found = entry(kind, name)
    assert found.summary
    assert "…" not in found.example, f"{name} needs fields: give its class an `example`"
    key, _, value = found.example.partition(": ")
    assert found.under.rpartition(".")[2] == key
    path, overrides = found.under.replace("N", "3").replace(".PATH", ""), []
    if kind == "layer":
        path, value = "layers.2", value.removeprefix("[").removesuffix("]")
    if kind == "distribution":
        value = value.replace("PATH", "layers.1.units")
        overrides = ["sweep.trials=3"]
    if kind == "column":
        overrides = ["data={type: table, path: a.csv, target: b}"]
    if kind == "cost" and (fitting := components("cost")[name].outputs):
        overrides = [f"layers.3.activation={fitting[0]}"]
    loaded = load_text(SPEC, overrides=[*overrides, f"{path}={value}"])
    # Nothing to be read there, and nothing trained: a spec that names it is what is promised.
    assert loaded.spec.layers


@pytest.mark.parametrize(("kind", "name"), EACH)
def test_every_field_is_told_with_what_it_is_if_absent(kind: str, name: str) -> None:
    found = entry(kind, name)
    assert {field.name for field in found.fields} == set(fields_of(components(kind)[name]))
    required = [field.required for field in found.fields]
    assert required == sorted(required, reverse=True)
    for field in found.fields:
        assert field.accepts
        assert field.about
        assert field.by_convention == {} or "torch" in field.by_convention


def test_a_components_own_fields_come_before_those_of_its_kind() -> None:
    assert [field.name for field in entry("data", "csv").fields][:3] == ["path", "target", "header"]
    assert [field.name for field in entry("layer", "lstm").fields][-3:] == ["name", "inputs", "frozen"]


def test_defaults_by_convention_are_named() -> None:
    slope, _ = entry("activation", "leaky_relu").fields
    assert slope.by_convention == {"torch": 0.01, "keras": 0.3}


def test_the_place_of_a_kind_is_the_nearest_in_a_spec() -> None:
    under = {kind: entry(kind, next(iter(components(kind)))).under for kind in kinds()}
    assert under["layer"] == "layers"
    assert under["activation"] == "layers.N.activation"
    assert under["schedule"] == "schedule.learning_rate"
    assert under["augmentation"] == "data.augment"


def test_a_name_of_two_kinds_has_two_entries_and_one_with_its_kind() -> None:
    assert [found.kind for found in find("step")] == ["activation", "schedule"]
    assert [found.kind for found in find("schedule.step")] == ["schedule"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("lsmt", r"no spec, component or key of specs 'lsmt'\n  did you mean 'lstm'\?"),
        ("Linear", r"did you mean 'linear'\?"),
        ("layer.relu", r"there is no layer 'relu'"),
        ("schedule.stp", r"did you mean 'schedule.step'\?"),
        ("layer", r"'layer' is a kind of component\n  nnctl explain --list layer lists them"),
        ("", "no spec, component or key of specs ''"),
    ],
)
def test_what_is_not_there_is_asked_back(word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        find(word)


def test_a_kind_is_known_in_the_plural_too() -> None:
    assert known_kind("layer") == "layer"
    with pytest.raises(UsageError, match="did you mean 'layer'"):
        known_kind("layers")


def test_every_word_finds_what_it_is_said_to_be() -> None:
    for word, about in names():
        found, *others = explained(word)
        assert about.endswith(found.summary if isinstance(found, Entry) else found.about)
        assert all(isinstance(other, KeyEntry) for other in others), word
    words = [word for word, _ in names()]
    assert len(words) == len(set(words))
    assert {"schedule.step", "lstm", "watch", "early_stopping"} <= set(words)
    assert "step" not in words


def properties(schema: object) -> Iterator[str]:
    """The keys of every mapping of a JSON Schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for part in schema.values():
            yield from properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from properties(part)


def test_every_key_of_the_schema_is_explained() -> None:
    names = set(properties(json_schema()))
    assert len(names) > 250
    for name in names:
        found = find_keys(name)
        assert found, name
        assert all(each.name == name and each.accepts and each.about for each in found), name


def test_a_key_is_found_by_the_end_of_its_path_or_by_what_has_it() -> None:
    assert [key.under for key in find_keys("schedule.epochs")] == ["schedule.epochs"]
    assert {key.under for key in find_keys("epochs")} == {"schedule.epochs", "pretraining.epochs"}
    (units,) = find_keys("dense.units")
    assert (units.under, units.of, units.required) == ("layers.N.units", ("dense",), True)
    (watch,) = find_keys("watch")
    assert [field.name for field in watch.fields] == ["examples", "every"]
    (slope,) = find_keys("leaky_relu.slope")
    assert slope.by_convention == {"torch": 0.01, "keras": 0.3}
    assert find_keys("watch.epochs") == find_keys("") == []


def test_keys_that_take_the_same_are_told_once() -> None:
    of = [key.of for key in find_keys("units")]
    assert any({"gru", "lstm", "rnn"} <= set(names) for names in of)
    assert len({name for names in of for name in names}) == sum(map(len, of))


def test_without_an_example_the_required_fields_are_left_open() -> None:
    dense = components("layer")["dense"]
    assert example(dense) == "{type: dense, units: 30, activation: relu}"
    assert example(type("Bare", (dense,), {"example": ""})) == "{type: dense, units: …}"
