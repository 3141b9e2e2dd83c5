"""Candidates for `--set`: paths and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.cli.completion.candidates import names, settings
from nnctl.components.registry import components

SPEC = """\
data: digits
layers:
  - flatten
  - {type: dense, units: 30, name: hidden}
  - {type: residual, layers: [{type: dense, units: 30}]}
cost: log_likelihood
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return path


def words(prefix: str, spec: Path | None = None) -> list[str]:
    return [word for word, _ in settings(prefix, spec)]


def test_a_home_that_is_not_known() -> None:
    assert words("see", Path("~no-such-user/net.yaml")) == words("see")


def test_root_fields() -> None:
    found = words("")
    assert "seed=" in found
    assert "schedule." in found
    assert "optimizer." in found
    assert "optimizer=" in found


def test_items_of_a_list_come_from_the_spec(spec: Path) -> None:
    assert words("layers.", spec) == ["layers.0.", "layers.1.", "layers.2."]
    assert words("layers.") == []


def test_items_by_name(spec: Path) -> None:
    assert words("layers[", spec) == ["layers[name=hidden]."]
    assert words("layers[name=hidden].un", spec) == ["layers[name=hidden].units="]
    assert words("layers[name=hidden].activation=rel", spec) == [
        "layers[name=hidden].activation=relu",
        *(["layers[name=hidden].activation=relu6"] if "relu6" in components("activation") else []),
    ]


def test_lists_inside_lists(spec: Path) -> None:
    assert words("layers.2.layers.0.un", spec) == ["layers.2.layers.0.units="]


def test_fields_follow_the_type_in_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "adam.yaml"
    path.write_text("optimizer: adam\n")
    assert "optimizer.beta1=" in words("optimizer.", path)
    assert "optimizer.beta1=" not in words("optimizer.")


def test_literals_and_truth_values() -> None:
    assert words("convention=k") == ["convention=keras"]
    assert words("schedule.shuffle=") == ["schedule.shuffle=true", "schedule.shuffle=false"]


def test_nowhere(spec: Path) -> None:
    assert words("layers.9.units", spec) == []
    assert words("nonsense.", spec) == []


def test_a_broken_spec_completes_like_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("layers: [")
    assert words("schedule.ep", path) == ["schedule.epochs="]


def test_candidates_say_what_they_are() -> None:
    assert dict(settings("schedule.ep", None)) == {"schedule.epochs=": "passes over the training set"}
    assert all(text for _, text in names("optimizer", ""))
