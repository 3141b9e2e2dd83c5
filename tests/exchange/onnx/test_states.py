"""Runs whose nets keep state, answer by one unit, or read columns: exported, and used as a stranger would."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import nnctl
from nnctl.exchange.export import export
from nnctl.exchange.formats import Options
from nnctl.inference.opened import open_run
from nnctl.spec.load import load_spec, load_text
from nnctl.training import session

onnxruntime = pytest.importorskip("onnxruntime")

ROOT = Path(__file__).parents[3]


def trained(folder: Path, spec: str | Path, *overrides: str) -> Path:
    given = ["schedule.epochs=1", "backend=numpy", *overrides]
    loaded = load_spec(spec, given) if isinstance(spec, Path) else load_text(spec, "net.yaml", given)
    list(session.train(loaded, out=folder / "run"))
    return folder / "run"


def session_of(run: Path, *, note: str | None = None, encoded: bool | None = None):
    made = export(run, run.parent / "model.onnx", Options(encoded=encoded))
    assert [said for said in made.notes if note is None or note not in said] == []
    assert bool(made.notes) == (note is not None)
    return onnxruntime.InferenceSession(run.parent / "model.onnx")


def test_a_stateful_net_goes_on_where_it_was(tmp_path: Path) -> None:
    run = trained(tmp_path, ROOT / "specs/char-lstm.yaml")
    model = session_of(run)
    tokens = np.arange(60).reshape(1, 60) % 30
    states = {name: np.zeros((1, 96), np.float32) for name in ("lstm1.hidden", "lstm1.cell")}
    whole, *_ = model.run(None, {"input": tokens, **states})
    parts = []
    for first in range(0, 60, 20):
        answer, hidden, cell = model.run(None, {"input": tokens[:, first : first + 20], **states})
        states = {"lstm1.hidden": hidden, "lstm1.cell": cell}
        parts.append(answer)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-4, atol=1e-6)
    assert len(json.loads(model.get_modelmeta().custom_metadata_map["vocabulary"])) == whole.shape[-1]


def test_one_unit_answers_for_both_classes(tmp_path: Path) -> None:
    run = trained(tmp_path, ROOT / "specs/moons.yaml")
    model = session_of(run)
    rows = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    (answer,) = model.run(["probabilities"], {"input": rows})
    np.testing.assert_allclose(answer, open_run(run).scores(rows), rtol=1e-5, atol=1e-6)


def test_columns_and_their_encoding_are_in_the_metadata(tmp_path: Path) -> None:
    run = trained(tmp_path, ROOT / "specs/churn.yaml")
    note = "the numbers that training made of the columns: age, age is missing, plan, country=DE"
    model = session_of(run, note=note, encoded=True)
    words = model.get_modelmeta().custom_metadata_map
    columns = json.loads(words["columns"])
    assert len(columns) == model.get_inputs()[0].shape[1]
    assert set(columns) <= set(json.loads(words["nnctl.fitted"])["names"])
    assert json.loads(words["targets"]) == ["churned"]
    assert all(json.loads(words["embedded"]).values())


def test_a_flat_sequence_is_told_of(tmp_path: Path) -> None:
    spec = """
data: {type: adding, examples: 40, length: 6, validation: 10, test: 10}
layers: [flatten, {type: dense, units: 1}]
cost: mse
schedule: {batch_size: 10}
"""
    model = session_of(trained(tmp_path, spec), note="sequences keep their length: dense1.weight has numbers")
    assert model.get_inputs()[0].shape == ["batch", 6, 2]


def test_the_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained(tmp_path, ROOT / "specs/digits.yaml")
    session_of(run)
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/export.md").read_text(encoding="utf-8"), re.DOTALL)
    shown: list[object] = []
    exec(example, {"rows": np.zeros((2, 8, 8, 1), np.uint8), "print": shown.append})
    assert shown[0] in [str(digit) for digit in range(10)]


def test_the_example_of_tables_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("polars")
    run = trained(tmp_path, ROOT / "specs/churn.yaml")
    model = session_of(
        run, note="dates are taken in microseconds since 1970, for ONNX reads none from texts: signed_up"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_bytes((ROOT / "specs/data/churn.csv").read_bytes())
    (example,) = re.findall(r"```py\n(.*?)```", (ROOT / "docs/export.md").read_text(encoding="utf-8"), re.DOTALL)
    found = {"session": model}
    exec(example, found)
    np.testing.assert_allclose(found["probabilities"], nnctl.load_run(run).predict(Path("customers.csv")), rtol=1e-5)
