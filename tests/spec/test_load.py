"""Loading, dumping, and that what is dumped loads back equal."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from spec_strategies import SCALARS, specs

from nnctl.errors import DataError, ShapeError, SpecError
from nnctl.spec.check.validate import validate
from nnctl.spec.dump import dump_data, dump_spec, spec_to_dict
from nnctl.spec.load import load_spec, load_text
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import SourceText
from nnctl.spec.yaml.tree import plain_data

TEXT = """\
data: digits
layers:
  - flatten
  - {type: dense, units: 30, activation: {type: leaky_relu, slope: 1e-3}}
  - type: dense
    units: 10
    activation: softmax
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 1e-1}
"""


def test_bare_names_numbers_and_defaults():
    spec = load_text(TEXT, "digits.yaml").spec
    assert spec.name == "digits"
    assert spec.layers[0].type == "flatten"
    assert spec.layers[1].activation.slope == 1e-3
    assert spec.optimizer.learning_rate == 0.1
    assert spec.seed == 0


def test_an_int_stands_for_a_float():
    rate = load_text(TEXT, overrides=["optimizer.learning_rate=3"]).spec.optimizer.learning_rate
    assert rate == 3.0
    assert isinstance(rate, float)


def test_places():
    loaded = load_text(TEXT, "digits.yaml")
    assert str(loaded.locate("layers.1.activation.slope")) == "digits.yaml:4:68"
    assert str(loaded.locate("layers.2")) == "digits.yaml:5:5"
    # A default stands nowhere: the part of the spec around it does.
    assert loaded.locate("layers.2.bias") == loaded.locate("layers.2")
    assert loaded.locate("schedule.epochs") == loaded.locate("")


def test_errors_of_later_phases_point_into_the_file():
    loaded = load_text(TEXT, "digits.yaml")
    error = loaded.shape_error(ShapeError("too wide", "make it narrower", "dense1", "layers.1"))
    assert str(error).startswith("digits.yaml:4:5: error: dense1: too wide\n  4 |   - {type: dense, units: 30")
    assert str(error).endswith("\n  make it narrower")


def test_files_give_name_and_folder(tmp_path):
    path = tmp_path / "first.yaml"
    path.write_text(TEXT)
    loaded = load_spec(path)
    assert (loaded.spec.name, loaded.folder, loaded.source) == ("first", tmp_path, str(path))
    assert loaded.spec == load_text(TEXT, "first.yaml").spec


def test_every_default_is_written_out():
    data = spec_to_dict(load_text(TEXT).spec)
    assert data["cost"] == {"type": "log_likelihood", "label_smoothing": 0.0, "class_weights": None}
    assert data["schedule"]["learning_rate"] == {"type": "constant"}


@pytest.mark.slow
@given(specs())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
def test_what_is_dumped_loads_back_equal(data):
    try:
        spec = validate(parse(SourceText(dump_data(data), "drawn.yaml"))).spec
    except SpecError as error:
        # Fields of a component that contradict each other; any other message is a fault of reading.
        assert not any(d.expected or "unknown" in d.message for d in error.diagnostics), str(error)  # noqa: PT017
        assume(False)
    text = dump_spec(spec)
    again = validate(parse(SourceText(text, "again.yaml"))).spec
    assert again == spec
    assert dump_spec(again) == text


NESTED = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(NESTED)
def test_any_data_reads_back(data):
    try:
        text = dump_data(data)
        found = plain_data(parse(SourceText(text, "data.yaml")))
    except SpecError as error:
        # Control characters and surrogates are no text; huge integers no numbers.
        assert "cannot stand" in str(error) or "too long" in str(error)  # noqa: PT017
        assume(False)
    assert found == data
    assert repr(found) == repr(data)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_dumped_floats_mean_the_same_to_a_reader_of_yaml_1_1(value):
    found = yaml.safe_load(dump_data([value]))[0]
    assert isinstance(found, float)
    assert found.hex() == value.hex()


@pytest.mark.parametrize("text", ["no", "1e-3", "1:30", "010", "2024-01-02", "~", "=", "0o7", "1_000", ""])
def test_dumped_strings_mean_the_same_to_a_reader_of_yaml_1_1(text):
    assert yaml.safe_load(dump_data([text])) == [text]


def test_relative_paths_stay_with_the_file(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    assert load_spec("inner/a.yaml").folder == Path("inner")


def test_what_does_not_fit_the_data_is_pointed_at() -> None:
    loaded = load_text("data: {type: digits, classes: [1, eleven]}\nlayers: [dropout]\ncost: mse\n")
    with pytest.raises(SpecError) as caught, loaded.pointing():
        raise DataError("there is no class 'eleven' in the data\n  the classes are 0, 1", "classes.1")
    (problem,) = caught.value.diagnostics
    assert str(problem.location) == "spec.yaml:1:35"
    assert (problem.message, problem.hint) == ("there is no class 'eleven' in the data", "the classes are 0, 1")


def test_what_is_wrong_with_the_data_alone_stays_an_error_of_the_data() -> None:
    loaded = load_text("data: digits\nlayers: [dropout]\ncost: mse\n")
    with pytest.raises(DataError, match=r"^the file is cut$"), loaded.pointing():
        raise DataError("the file is cut")
