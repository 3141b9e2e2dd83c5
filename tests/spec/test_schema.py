"""The JSON Schema says what the validator says."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from nnctl.components.registry import components, kinds
from nnctl.spec.document import Spec
from nnctl.spec.dump import spec_to_dict
from nnctl.spec.load import load_spec
from nnctl.spec.schema.forms import fields_of
from nnctl.spec.schema.json_schema import DRAFT, json_schema
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import read_file
from nnctl.spec.yaml.tree import plain_data

SCHEMA = json_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.yaml"))
BROKEN = sorted((Path(__file__).parent / "broken").glob("*.yaml"))
STRUCTURAL = [path for path in BROKEN if path.read_text(encoding="utf-8").startswith("# structural\n")]


def data_of(path):
    return plain_data(parse(read_file(path)))


def test_it_is_a_schema_of_its_draft():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == DRAFT
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_every_component_has_a_definition():
    expected = {f"{kind}.{name}" for kind in kinds() for name in components(kind)}
    # A kind that no field of the spec can reach has none.
    missing = {name.partition(".")[0] for name in expected - SCHEMA["$defs"].keys()}
    assert not missing & SCHEMA["$defs"].keys()
    assert {"layer", "activation", "cost", "optimizer", "schedule", "data"} <= SCHEMA["$defs"].keys()


def test_no_reference_leads_nowhere():
    text = json.dumps(SCHEMA)
    for part in text.split('"#/$defs/')[1:]:
        assert part.partition('"')[0] in SCHEMA["$defs"]


def test_every_field_of_the_root_is_described():
    for name in fields_of(Spec):
        assert SCHEMA["properties"][name]["description"]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(ROOT)))
def test_our_specs_are_valid(path):
    VALIDATOR.validate(data_of(path))
    VALIDATOR.validate(spec_to_dict_as_json(load_spec(path).spec))


@pytest.mark.parametrize("path", STRUCTURAL, ids=lambda path: path.stem)
def test_structurally_broken_specs_are_not(path):
    assert not VALIDATOR.is_valid(data_of(path))


def test_there_are_structurally_broken_specs():
    assert len(STRUCTURAL) >= 30


def spec_to_dict_as_json(spec):
    return json.loads(json.dumps(spec_to_dict(spec)))
