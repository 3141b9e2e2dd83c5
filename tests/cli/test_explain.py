"""`nnctl explain`: values of a spec, and what components say of themselves, in a pipe and on a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from streams import Stream

from nnctl.cli import main
from nnctl.components.registry import components, kinds

SPEC = """\
data: digits
layers: [flatten, {type: dense, units: 10}]
cost: mse
"""


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["explain", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 2
    return capsys.readouterr().err


def test_a_component_is_one_object_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    (lstm,) = rows(capsys, "lstm")
    assert (lstm["kind"], lstm["under"], lstm["package"]) == ("layer", "layers", "nnctl")
    assert "h_t = o∘tanh c_t" in lstm["formula"]
    assert lstm["example"] == "layers: [{type: lstm, units: 128, return_sequence: true}]"
    fields = {field["name"]: field for field in lstm["fields"]}
    assert fields["units"]["required"]
    assert fields["return_sequence"]["default"] is False
    assert fields["recurrent_bias"]["by_convention"] == {"torch": True, "keras": False}


def test_a_name_of_two_kinds_shows_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["kind"] for row in rows(capsys, "step")] == ["activation", "schedule", "key", "key"]
    assert [row["kind"] for row in rows(capsys, "activation.step")] == ["activation"]


def test_a_key_of_specs_is_explained_too(capsys: pytest.CaptureFixture[str]) -> None:
    (watch,) = rows(capsys, "watch")
    assert (watch["kind"], watch["under"], watch["accepts"]) == ("key", "watch", "'layers', a mapping or null")
    # A component of that name first.
    assert [row["kind"] for row in rows(capsys, "activation")] == ["layer", "key", "key", "key"]
    assert [row["holds"] for row in rows(capsys, "optimizer")] == [["optimizer"]]


def test_on_a_terminal_it_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Stream()
    monkeypatch.setattr("sys.stdout", shown)
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["explain", "leaky_relu"]) == 0
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown.text())
    assert text.startswith("leaky_relu  activation, under layers.N.activation\n")
    assert "slope: a number of at least 0 or null; if absent 0.01 (torch), 0.3 (keras)" in " ".join(text.split())
    assert "example  activation: {type: leaky_relu, slope: 0.1}" in text
    assert max(map(len, text.splitlines())) <= 60


def test_the_kinds_and_their_components_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    listed = rows(capsys, "--list")
    assert [row["kind"] for row in listed] == list(kinds())
    assert {row["kind"]: row["components"] for row in listed}["cost"] == list(components("cost"))
    metrics = rows(capsys, "--list", "metric")
    assert [row["name"] for row in metrics] == list(components("metric"))
    assert all(row["about"] and row["formula"] for row in metrics)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "give a spec, a component or a key"),
        (("lsmt",), "did you mean 'lstm'?"),
        (("--list", "layers"), "did you mean 'layer'?"),
        (("--list", "flatten"), "there is no kind of component 'flatten'"),
        (("--list", "layer", "--under", "layers"), "--list takes the kind of component alone"),
        (("lstm", "--set", "seed=1"), "--set and --under are for specs"),
        (("lstm.yaml",), "error: lstm.yaml: no such file"),
        (("./lstm",), "error: lstm: no such file"),
    ],
)
def test_what_it_cannot_explain_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, *arguments)


def test_a_file_is_a_spec_whatever_it_is_called(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lstm").write_text(SPEC)
    assert rows(capsys, "lstm", "--under", "layers.1.units") == [
        {"path": "layers.1.units", "value": 10, "from": "lstm:2:40", "about": "how many units", "formula": ""}
    ]
    (gru,) = rows(capsys, "layer.lstm")
    assert gru["kind"] == "layer"
    # A folder is a spec only where a run lies in it.
    Path("gru").mkdir()
    assert rows(capsys, "gru")[0]["kind"] == "layer"


def test_a_plugins_component_is_explained_like_any(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nnctl.components import registry
    from nnctl.components.base import ElementwiseActivation

    registry.components("activation")
    monkeypatch.setattr(registry, "_registry", {kind: dict(known) for kind, known in registry._registry.items()})

    @registry.register("activation", "cube")
    class Cube(ElementwiseActivation):
        """The third power."""

        formula = "a = z³"

    Cube.__module__ = "cubes.activations"
    (cube,) = rows(capsys, "cube")
    assert (cube["summary"], cube["formula"], cube["package"]) == ("The third power.", "a = z³", "cubes")
    assert cube["example"] == "activation: cube"


def test_it_loads_no_numbers() -> None:
    code = "import sys; from nnctl.cli import main; main(['explain', 'lstm']); sys.exit(int('numpy' in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
