"""Components of third parties: every form of field, from its dataclass alone."""

from __future__ import annotations

from typing import Annotated, Literal

import jsonschema
import pytest
from annotated_types import Interval, Len

from nnctl.components import registry
from nnctl.components.base import Activation, Layer, MonitoredSchedule
from nnctl.components.fields import PositiveFloat, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.errors import SpecError
from nnctl.spec.check.validate import validate
from nnctl.spec.document import Spec
from nnctl.spec.dump import dump_spec, spec_to_dict
from nnctl.spec.load import load_text
from nnctl.spec.schema.forms import fields_of
from nnctl.spec.schema.json_schema import json_schema
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import SourceText

TEXT = """\
data: digits
layers:
  - {layer}
cost: mse
"""


class Window(Layer):
    """Made to have a field of every form."""

    kernel: Annotated[PositiveInt | tuple[PositiveInt, PositiveInt], "one side, or height and width"] = 3
    padding: Annotated[Literal["valid", "same"] | PositiveInt, "what surrounds the input"] = "valid"
    weights: Annotated[dict[int, PositiveFloat], "class to weight"] = {}  # noqa: RUF012
    share: Annotated[Annotated[float, Interval(gt=0, le=1)], "of the whole"] = 1.0
    names: Annotated[Annotated[tuple[str, ...], Len(1, 2)] | None, "one or two"] = None
    gate: Annotated[Activation | None, "what opens it"] = None
    plan: Annotated[MonitoredSchedule | None, "a schedule that listens"] = None
    low: float = 0.0
    high: float = 1.0

    def problems(self):
        return [Problem("high", "high is below low", "swap them")] if self.high < self.low else []


@pytest.fixture(autouse=True)
def window(monkeypatch):
    registry.components("layer")
    monkeypatch.setitem(registry._registry, "layer", dict(registry._registry["layer"]))
    # A frozen dataclass wants its mutable default from a factory.
    from dataclasses import field

    attributes = dict(vars(Window)) | {"weights": field(default_factory=dict)}
    attributes.pop("__dict__", None)
    attributes.pop("__weakref__", None)
    return register("layer", "window")(type("Window", (Layer,), attributes))


def layer_of(text):
    return load_text(TEXT.replace("{layer}", text), "s.yaml").spec.layers[0]


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("window", "kernel", 3),
        ("{type: window, kernel: 5}", "kernel", 5),
        ("{type: window, kernel: [5, 3]}", "kernel", (5, 3)),
        ("{type: window, padding: same}", "padding", "same"),
        ("{type: window, padding: 2}", "padding", 2),
        ("{type: window, weights: {0: 1, 7: 0.5}}", "weights", {0: 1.0, 7: 0.5}),
        ("{type: window, share: 1}", "share", 1.0),
        ("{type: window, names: [a, b]}", "names", ("a", "b")),
        ("{type: window, gate: null}", "gate", None),
    ],
)
def test_value(text, name, value):
    layer = layer_of(text)
    assert getattr(layer, name) == value
    assert type(getattr(layer, name)) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "message", "expected", "hint"),
    [
        (
            "{type: window, kernel: [5]}", "[5]", "'kernel' cannot be a list of 1 item",
            "a list of 2 whole numbers greater than 0", "",
        ),
        ("{type: window, kernel: [5, 0]}", "0", "item 2 of 'kernel' cannot be 0", "a whole number greater than 0", ""),
        (
            "{type: window, kernel: 1.5}", "1.5", "'kernel' cannot be 1.5",
            "a whole number greater than 0 or a list of 2 whole numbers greater than 0 (one side, or height and width)",
            "",
        ),
        (
            "{type: window, padding: sam}", "sam", "'padding' cannot be the string 'sam'",
            "'valid', 'same' or a whole number greater than 0 (what surrounds the input)", "did you mean 'same'?",
        ),
        ("{type: window, weights: {x: 1}}", "x", "a key of 'weights' cannot be the string 'x'", "a whole number", ""),
        ("{type: window, weights: {0: -1}}", "-1", "'0' of 'weights' cannot be -1", "a number greater than 0", ""),
        (
            "{type: window, weights: 3}", "3", "'weights' cannot be 3",
            "a mapping from whole numbers to numbers greater than 0 (class to weight)", "",
        ),
        (
            "{type: window, share: 2}", "2", "'share' cannot be 2",
            "a number greater than 0 and of at most 1 (of the whole)", "",
        ),
        (
            "{type: window, names: [a, b, c]}", "[a, b, c]", "'names' cannot be a list of 3 items",
            "a list of strings, 1 to 2 of them", "",
        ),
        ("{type: window, gate: false}", "false", "'gate' cannot be false",
         "the name of an activation, or a mapping with 'type', or null (what opens it)", "write null for none"),
        ("{type: window, low: 2}", "{type: window, low: 2}", "high is below low", "", "swap them"),
        ("{type: window, high: -1}", "-1", "high is below low", "", "swap them"),
        ("3", "3", "item 1 of 'layers' cannot be 3", "the name of a layer, or a mapping with 'type'",
         "write {type: dense, units: 3}"),
    ],
)  # fmt: skip
def test_error(text, place, message, expected, hint):
    with pytest.raises(SpecError) as caught:
        layer_of(text)
    (problem,) = caught.value.diagnostics
    location = problem.location
    assert location.text[location.column - 1 : location.column - 1 + location.width] == place
    assert (problem.message, problem.expected, problem.hint) == (message, expected, hint)


def test_a_component_of_the_right_kind_that_does_not_serve():
    with pytest.raises(SpecError) as caught:
        layer_of("{type: window, plan: cosine}")
    (problem,) = caught.value.diagnostics
    assert problem.message == "schedule 'cosine' cannot stand here"
    assert "plateau" in problem.expected
    assert "cosine" not in problem.expected


def test_it_is_in_the_schema():
    schema = json_schema()
    definition = schema["$defs"]["layer.window"]
    assert definition["properties"]["type"] == {"const": "window"}
    validator = jsonschema.Draft202012Validator(schema)
    spec = {"data": "digits", "layers": ["window"], "cost": "mse"}
    assert validator.is_valid(spec)
    assert validator.is_valid(spec | {"layers": [{"type": "window", "kernel": [3, 5]}]})
    assert not validator.is_valid(spec | {"layers": [{"type": "window", "kernel": [3, 5, 7]}]})
    assert not validator.is_valid(spec | {"layers": [{"type": "window", "share": 2}]})
    assert not validator.is_valid(spec | {"layers": [{"type": "window", "widht": 2}]})


def test_it_is_dumped():
    spec = load_text(TEXT.replace("{layer}", "{type: window, kernel: [5, 3], weights: {1: 2}}")).spec
    assert validate(parse(SourceText(dump_spec(spec), "again.yaml"))).spec == spec


def test_an_annotation_without_a_form_is_a_fault_of_its_author():
    class Odd(Layer):
        """A field that YAML has no word for."""

        number: complex = 1j

    with pytest.raises(TypeError, match=r"Odd\.number: no form in a spec for the type"):
        fields_of(register("layer", "odd")(Odd))


def test_every_field_of_every_component_has_a_form_and_words():
    for kind in registry.kinds():
        for cls in registry.components(kind).values():
            for field in fields_of(cls).values():
                assert field.description or cls.__name__ == "Window", f"{cls.__name__}.{field.name} says nothing"
    assert all(field.description for field in fields_of(Spec).values())


def test_evaluations_have_a_period_in_examples_epochs_or_steps():
    validator = jsonschema.Draft202012Validator(json_schema())
    net = "data: digits\nlayers: [{type: dense, units: 10}]\ncost: mse\n"
    for every in ("300", "1 epoch", "2 epochs", "500 steps", "1 step", "null"):
        spec = load_text(f"{net}schedule: {{evaluate_every: {every}}}\n").spec
        assert load_text(dump_spec(spec)).spec == spec
        validator.validate(spec_to_dict(spec))


@pytest.mark.parametrize(
    ("every", "hint"),
    [
        ("epoch", "write 1 epoch"),
        ("Steps", "write 1 steps"),
        ("0 epochs", ""),
        ("2.5 epochs", ""),
        ("2 weeks", ""),
        ("1 epoch later", ""),
        ("'300'", "remove the quotes"),
        ("true", ""),
        ("2.5", ""),
        ("300.0", "write 300"),
    ],
)
def test_a_period_that_is_none_says_what_one_is(every, hint):
    text = f"data: digits\nlayers: [{{type: dense, units: 10}}]\ncost: mse\nschedule: {{evaluate_every: {every}}}\n"
    with pytest.raises(SpecError) as caught:
        load_text(text)
    (problem,) = caught.value.diagnostics
    assert "a count of epochs or steps, as in '2 epochs'" in problem.expected
    assert problem.hint == hint
