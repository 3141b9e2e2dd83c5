"""Whole numbers in a file may be classes or amounts: the cost says which, where the file does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.spec.load import Loaded, load_text
from nnctl.spec.origins import origins

SPEC = """
data: {type: csv, path: t.csv, target: y}
layers: [{type: dense, units: 1}]
cost: mse
schedule: {epochs: 2}
backend: numpy
"""
ACTIVATION = {"log_likelihood": "softmax", "cross_entropy": "sigmoid"}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("x,y\n" + "".join(f"{i / 10},{i % 3 + 4}\n" for i in range(30)))
    Path("text.csv").write_text("x,y\n" + "".join(f"{i / 10},{'abc'[i % 3]}\n" for i in range(30)))
    Path("many.csv").write_text("x,y\n" + "".join(f"{i / 300},{i}\n" for i in range(300)))
    numbers = np.arange(30)
    np.savez("t.npz", inputs=numbers / 10.0, targets=numbers % 3 + 4)


def classes(loaded: Loaded) -> tuple[str, ...] | None:
    return load_dataset(loaded.spec.data, Path(), 0).signature.classes


@pytest.mark.parametrize("data", ["{type: csv, path: t.csv, target: y}", "{type: npz, path: t.npz}"])
@pytest.mark.parametrize("name", sorted(components("cost")))
def test_the_cost_says_whether_whole_numbers_are_classes(name: str, data: str) -> None:
    cost = components("cost")[name]()
    ends = f"layers=[{{type: dense, units: 3, activation: {ACTIVATION.get(name, 'linear')}}}]"
    loaded = load_text(SPEC, overrides=[f"cost={name}", f"data={data}", ends])
    assert classes(loaded) == (None if cost.measures_amounts else ("4", "5", "6"))
    # A softmax answers with classes, whatever the cost.
    if not cost.outputs:
        softmax = "layers=[{type: dense, units: 3, activation: softmax}]"
        assert classes(load_text(SPEC, overrides=[f"cost={name}", f"data={data}", softmax])) == ("4", "5", "6")


@pytest.mark.parametrize("word", ["labels", "values"])
def test_what_the_spec_says_stays(word: str) -> None:
    loaded = load_text(SPEC, overrides=[f"data.target_type={word}", "layers.0.units=3"])
    assert (classes(loaded) is None) == (word == "values")


def test_amounts_are_amounts_however_many(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(SPEC)
    assert main(["train", "s.yaml", "--set", "data.path=many.csv", "--set", "data.transforms=[standardize]",
                 "--set", "data.target_transforms=[standardize]", "--quiet"]) == 0  # fmt: skip
    capsys.readouterr()
    # Where the cost compares labels, so many may be either, and the word is asked for.
    Path("s.yaml").write_text(
        SPEC.replace("mse", "log_likelihood").replace("units: 1", "units: 300, activation: softmax")
    )
    assert main(["train", "s.yaml", "--set", "data.path=many.csv"]) == 3
    assert "say target_type: labels, or target_type: values" in capsys.readouterr().err


def test_texts_under_a_cost_of_amounts_ask_for_the_word(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(SPEC)
    assert main(["train", "s.yaml", "--set", "data.path=text.csv"]) == 3
    assert "if the texts are classes, say target_type: labels" in capsys.readouterr().err


def test_more_units_than_columns_ask_for_the_word(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(SPEC)
    assert main(["train", "s.yaml", "--set", "layers.0.units=3"]) == 2
    assert "or say data.target_type: labels, if the targets are classes" in capsys.readouterr().err


def test_explain_points_at_the_cost() -> None:
    (found,) = [origin for origin in origins(load_text(SPEC, "s.yaml")) if origin.path == "data.target_type"]
    assert found.value == "values"
    assert found.words == "s.yaml:4:7"
