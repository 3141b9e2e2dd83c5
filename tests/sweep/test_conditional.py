"""Conditional spaces: parts that are there only where a condition holds, values that follow from others."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.errors import SpecError
from nnctl.spec.load import load_text
from nnctl.sweep.study import Study, read_study
from nnctl.sweep.trial import load_trial

SPEC = """\
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers:
  - {type: dense, units: 8, activation: relu}
  - {type: dense, units: 8, activation: relu}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.05}
"""
DEPTHS = """\
sweep:
  sampler: grid
  space:
    depth: {type: integer, low: 1, high: 3}
    layers.0.units: {type: choice, values: [4, 5]}
    layers.1.units: {type: choice, values: [6, 7]}
  only: {layers.0: depth >= 3, layers.1: depth >= 2}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def study(sweep: str, overrides: list[str] | None = None) -> Study:
    Path("net.yaml").write_text(SPEC + sweep)
    return read_study(Path("net.yaml"), overrides or [])


def nets(found: Study) -> list[list[int]]:
    """The units of the layers of each trial."""
    return [
        [layer.units for layer in load_trial(found.base, trial.overrides).spec.layers]  # type: ignore[attr-defined]
        for trial in found.samples()
    ]


def test_a_layer_that_is_not_there_takes_its_own_settings_along() -> None:
    found = study(DEPTHS)
    assert nets(found) == [[2], [6, 2], [7, 2], [4, 6, 2], [4, 7, 2], [5, 6, 2], [5, 7, 2]]
    assert [set(point.settings) for point in found.points][:2] == [{"depth"}, {"depth", "layers.1.units"}]


@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_point_has_no_more_than_what_is_there(sampler: str) -> None:
    found = study(DEPTHS.replace("grid", sampler), ["sweep.trials=40"])
    for point, units in zip(found.points, nets(found), strict=True):
        assert len(units) == point.settings["depth"]
        assert ("layers.0.units" in point.settings) == (point.settings["depth"] == 3)


def test_a_field_that_only_one_of_the_components_has() -> None:
    found = study(
        """\
sweep:
  sampler: grid
  space:
    optimizer: {type: choice, values: [{type: sgd, learning_rate: 0.1}, adam]}
    optimizer.momentum: {type: choice, values: [0.5, 0.9]}
  only: {optimizer.momentum: optimizer.type == 'sgd'}
"""
    )
    specs = [load_trial(found.base, trial.overrides).spec.optimizer for trial in found.samples()]
    assert [(o.type, getattr(o, "momentum", None)) for o in specs] == [("sgd", 0.5), ("sgd", 0.9), ("adam", None)]


def test_values_follow_from_others_and_from_the_spec() -> None:
    found = study(
        """\
sweep:
  grid: {layers.0.units: [4, 6]}
  derived: {layers.1.units: layers.0.units // 2 + schedule.epochs}
schedule: {epochs: 3}
"""
    )
    assert nets(found) == [[4, 5, 2], [6, 6, 2]]


@pytest.mark.parametrize("searched", ["layers.1.units", "layers.-2.units", "'layers[name=dense2].units'"])
@pytest.mark.parametrize("named", ["layers.1.units", "layers.-2.units"])
def test_a_formula_names_what_is_searched_however_each_is_written(searched: str, named: str) -> None:
    found = study(f"sweep: {{grid: {{{searched}: [4, 6]}}, derived: {{layers.0.units: 2 * {named}}}}}")
    assert nets(found) == [[8, 4, 2], [12, 6, 2]]


def test_a_derived_value_of_what_is_not_there_is_not_there() -> None:
    found = study(DEPTHS.replace("  only", "  derived: {optimizer.learning_rate: 1 / layers.0.units}\n  only"))
    rates = [point.settings.get("optimizer.learning_rate") for point in found.points]
    assert rates == [None, None, None, 0.25, 0.25, 0.2, 0.2]


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("{grid: {seed: [1]}, derived: {layers.0.units: width}}", "'width' is neither searched nor said in the spec"),
        ("{grid: {seed: [1]}, derived: {layers.0.units: seed +}}", "cannot be read as a formula"),
        ("{grid: {seed: [1]}, only: {layers.7: seed > 1}}", "'layers.7' is neither searched nor a part of the spec"),
        ("{grid: {seed: [1]}, derived: {layers.0.units: layers.1.units, layers.1.units: layers.0.units}}", "circle"),
        ("{sampler: grid, space: {optimizer.learning_rate: {type: uniform, low: 0, high: 1}}}", "no finite number"),
        ("{grid: {seed: [1, 0]}, derived: {layers.0.units: 8 // seed}}", "has no value where seed = 0"),
        ("{trials: 3, space: {dept: {type: integer, low: 1, high: 3}}}", "unknown key 'dept'"),
    ],
)
def test_a_space_without_sense_is_refused_at_its_place(sweep: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        study(f"sweep: {sweep}\n")
    assert all(d.location is not None for d in caught.value.diagnostics)


def test_a_derived_value_that_cannot_be_is_said_at_its_formula() -> None:
    with pytest.raises(SpecError) as caught:
        study("sweep:\n  grid: {depth: [1, 2, 3]}\n  derived:\n    layers.0.units: 2 - depth\n")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.message == "'units' cannot be 0: 'layers.0.units' is 0 where depth = 2"
    where = diagnostic.location
    assert where is not None
    assert (where.path, where.line, where.text[where.column - 1 :]) == ("net.yaml", 11, "2 - depth")
    # On the command line it is there.
    with pytest.raises(SpecError, match=r"--set:1:\d+: error: 'learning_rate' cannot be 0: .* where depth = 0"):
        study("sweep: {grid: {depth: [0, 1]}}", ["sweep.derived={optimizer.learning_rate: depth * 2}"])


def test_what_is_wrong_in_the_section_is_said_at_its_line() -> None:
    section = """\
sweep:
  trials: 3
  grid:
    layers.0.unit: [4]
    layers.0.activation: [relu, {type: elu, alpha: -1}]
    layers.1.units: [4, 0]
  space:
    optimizer.learningrate: {type: log_uniform, low: 0.001, high: 1}
    optimizer.momentum: {type: uniform, low: 1.5, high: 2.5}
"""
    with pytest.raises(SpecError) as caught:
        study(section)
    found = [(d.location, d.message) for d in caught.value.diagnostics]
    lines = (SPEC + section).splitlines()
    places = {(at.path, lines[at.line - 1][at.column - 1 :][: at.width]) for at, _ in found if at is not None}
    assert places == {
        ("net.yaml", "unit"),
        ("net.yaml", "{type: elu, alpha: -1}"),
        ("net.yaml", "0"),
        ("net.yaml", "learningrate"),
        ("net.yaml", "{type: uniform, low: 1.5, high: 2.5}"),
    }
    assert any(message.endswith(", which is drawn for 'optimizer.momentum'") for _, message in found)


def test_conditions_that_leave_out_what_must_be_there_are_named() -> None:
    only = "  only:\n    layers.0: depth > 1\n    layers.1: depth > 1\n    layers.2: depth > 2\n"
    with pytest.raises(SpecError) as caught:
        study("sweep:\n  grid: {depth: [1, 2, 3]}\n" + only)
    empty, relu = caught.value.diagnostics
    assert empty.message == "'layers' cannot be an empty list"
    assert [said for _, said in empty.related] == [f"'layers.{n}' is left out where depth = 1" for n in (0, 1, 2)]
    assert [at.line for at, _ in empty.related] == [11, 12, 13]
    assert "does not belong with a relu output" in relu.message
    assert [said for _, said in relu.related][-1:] == ["'layers.2' is left out where depth = 2"]


def test_an_item_set_to_null_is_taken_out() -> None:
    loaded = load_text(SPEC, overrides=["layers.1=null", "layers.0.units=3"])
    assert [layer.units for layer in loaded.spec.layers] == [3, 2]  # type: ignore[attr-defined]
