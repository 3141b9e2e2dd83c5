"""`nnctl export RUN model.onnx`: what is written, and what is not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.exchange.onnx import check
from nnctl.spec.load import load_text
from nnctl.training import session

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SPEC = """
name: three clouds
data: {type: blobs, centers: 3, examples: 60, validation: 10, test: 20}
layers:
  - {type: dense, units: 4, activation: tanh}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
schedule: {epochs: 1}
backend: numpy
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "run"
    list(session.train(load_text(SPEC, "clouds.yaml"), out=folder))
    return folder


def test_the_file_is_checked_and_says_what_it_is(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.onnx"
    assert main(("export", str(run), str(path))) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["largest_difference"] <= check.TOLERANCE * row["largest_answer"]
    assert (row["opset"], row["split"]) == (17, "test")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, model.producer_name) == (8, "nnctl")
    found = onnxruntime.InferenceSession(path)
    words = found.get_modelmeta().custom_metadata_map
    assert json.loads(words["classes"]) == ["0", "1", "2"]
    assert words["nnctl.spec"] == (run / "spec.yaml").read_text()
    assert float(words["nnctl.epoch"]) == 1
    (answers,) = found.run(["probabilities"], {"input": np.zeros((5, 2), np.float32)})
    np.testing.assert_allclose(answers.sum(1), 1.0, rtol=1e-6)


def test_nothing_is_overwritten_unasked(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("mine")
    assert main(("export", str(run), str(path))) == 2
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert main(("export", str(run), str(path), "--no-check", "--force")) == 0
    assert onnx.load(path).opset_import[0].version == 17


def test_what_answers_otherwise_is_not_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nnctl.exchange.onnx import model

    def slightly_off(*given: object) -> model.Exportable:
        made = build(*given)
        weight = next(array for array in made.model.graph.initializer if array.name == "dense2.weight")
        changed = onnx.numpy_helper.to_array(weight) * np.array([1, 1, 1.001], np.float32)
        weight.CopyFrom(onnx.numpy_helper.from_array(changed, weight.name))
        return made

    build = model.build_model
    monkeypatch.setattr(model, "build_model", slightly_off)
    assert main(("export", str(run), str(tmp_path / "model.onnx"))) == 5
    assert "answers otherwise" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_format_goes_by_the_ending(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(("export", str(run), str(tmp_path / "model.txt"))) == 2
    assert "expected .onnx" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_a_sentence(
    package: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nnctl.exchange.onnx import format as module

    monkeypatch.setattr(module, "find_spec", lambda name: None if name == package else object())
    assert main(("export", str(run), str(tmp_path / "model.onnx"))) == 2
    error = capsys.readouterr().err
    assert f"the package {package}" in error
    assert "nnctl[onnx]" in error


def test_numbers_that_are_none_agree_with_nothing() -> None:
    for answers in (np.array([np.nan]), np.array([np.inf])):
        compared = check.Comparison(rounding=np.inf)
        compared.add(answers, answers)
        assert (compared.close, compared.accounted_for) == (False, False)


def test_the_data_may_be_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "table.csv"
    table.write_text("a,b,y\n" + "".join(f"{i % 7},{i % 5},{i % 2}\n" for i in range(60)))
    data = f"{{type: csv, path: '{table}', target: y, validation: 0.2, test: 0.2}}"
    spec = re.sub("data: .*", f"data: {data}", SPEC).replace("units: 3", "units: 2")
    list(session.train(load_text(spec, "clouds.yaml"), out=tmp_path / "run"))
    table.unlink()
    assert main(("export", str(tmp_path / "run"), str(tmp_path / "model.onnx"))) == 3
    assert "--no-check" in capsys.readouterr().err
    assert main(("export", str(tmp_path / "run"), str(tmp_path / "model.onnx"), "--no-check")) == 0
    model = onnx.load(tmp_path / "model.onnx")
    assert json.loads({p.key: p.value for p in model.metadata_props}["columns"]) == ["a", "b"]
