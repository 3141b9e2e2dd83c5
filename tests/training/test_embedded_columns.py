"""Columns that enter the net as trained vectors: their rows by hand, gradients, resuming, transfer, other tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.components.signature import EmbeddedColumn
from nnctl.data.dataset import load_dataset
from nnctl.engine.engine import load_engine
from nnctl.errors import DataError, ShapeError, SpecError
from nnctl.graph.network import Network
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.plan.summary import summarize
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.checkpoints import FolderStore
from nnctl.runs.folder import RunFolder
from nnctl.spec.load import Loaded, load_text
from nnctl.training import session

CITIES = ("Oslo", "Rome", "Bern", "Paris")
LINES = [f"{20 + i % 7},{i % 3},{CITIES[i % 4]},{'ny'[i % 2]}" for i in range(40)]
ROWS = "\n".join(["age,km. a day,city,y", *LINES])
SPEC = """
data:
  type: table
  path: t.csv
  target: y
  columns:
    km. a day: {type: category, embedding: 2}
    city: {type: category, embedding: 3, least: 2, unseen: other, missing: category}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 2, activation: softmax}]
cost: log_likelihood
optimizer: adam
schedule: {epochs: 4, batch_size: 8}
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(ROWS + "\n29,1,Turku,n\n")


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC, "s.yaml", overrides)


def train(out: str, *overrides: str, resume: bool = False) -> dict[str, np.ndarray]:
    """The arrays of the last checkpoint."""
    follow(session.train(spec(*overrides), out=Path(out), resume=resume), [RunSink()])
    return FolderStore(RunFolder(Path(out))).load("last").tensors


def test_vectors_take_the_place_of_their_index() -> None:
    loaded = spec()
    data = load_dataset(loaded.spec.data, Path(), 0)
    cities = ("Bern", "Oslo", "Paris", "Rome", "is another", "is missing")
    assert data.signature.embedded == (
        EmbeddedColumn(1, "km. a day", ("0", "1", "2"), 2), EmbeddedColumn(2, "city", cities, 3),
    )  # fmt: skip
    # Oslo, Rome, Bern, Paris; Turku is rare.
    assert data.train.inputs[[0, 1, 2, 3, 40], 2].tolist() == [1, 3, 0, 2, 4]
    engine = load_engine(loaded, data.signature, examples=41)
    arrays = engine.read(list(engine.parameters))
    assert {name: array.shape for name, array in arrays.items() if name.startswith("columns")} == {
        "columns.km. a day.weight": (3, 2), "columns.city.weight": (6, 3),
    }  # fmt: skip
    inputs = data.train.inputs
    index = inputs.astype(int)
    vectors = [arrays["columns.km. a day.weight"][index[:, 1]], arrays["columns.city.weight"][index[:, 2]]]
    hidden = np.tanh(np.column_stack([inputs[:, 0], *vectors]) @ arrays["dense1.weight"] + arrays["dense1.bias"])
    powers = np.exp(hidden @ arrays["dense2.weight"] + arrays["dense2.bias"])
    np.testing.assert_allclose(engine.outputs(inputs), powers / powers.sum(axis=1, keepdims=True), rtol=1e-5)
    # As those of the layer embedding they begin as N(0, 1).
    assert 0.4 < np.concatenate([a.ravel() for n, a in arrays.items() if n.startswith("columns")]).std() < 1.6


def test_gradients_and_the_summary() -> None:
    loaded = spec()
    signature = loaded.spec.data.signature(Path())
    results = list(GradientCheck(loaded.spec, signature, batch=8).run())
    assert {result.verdict for result in results} == {"PASS"}
    assert "columns.city.weight" in {result.parameter for result in results}
    columns, dense, *_ = summarize(Network(loaded.spec, signature), 8)
    assert (columns["layer"], columns["output"], columns["parameters"]) == ("columns", "(batch, 6)", 24)
    assert dense["input"] == "(batch, 6)"


def test_resuming_is_exact_and_vectors_train() -> None:
    whole = train("whole")
    train("halves", "schedule.epochs=2")
    halves = train("halves", resume=True)
    assert all(np.array_equal(array, halves[name]) for name, array in whole.items())
    begun = load_engine(spec(), load_dataset(spec().spec.data, Path(), 0).signature, examples=41)
    moved = whole["columns.city.weight"] != begun.read(["columns.city.weight"])["columns.city.weight"]
    # But for the vector of missing cells, of which there are none.
    assert moved.any(axis=1).tolist() == [True] * 5 + [False]


def test_another_table_and_its_unseen_categories() -> None:
    train("out")
    run = open_run(Path("out"))
    assert run.signature == load_dataset(spec().spec.data, Path(), 0).signature
    Path("n.csv").write_text("city,age,km. a day\nTurku,29,1\nLima,29,1\n,29,1\n")
    turku, lima, nowhere = (list(row["probabilities"].values()) for row in predict(run, [Path("n.csv")]))
    assert turku == lima != nowhere
    with pytest.raises(DataError, match=r"column 'city' are to be the numbers of its 6 categories, 0 to 5"):
        run.engine.outputs(np.array([[0.0, 1, 6]], np.float32))


def test_transfer_wants_the_same_categories() -> None:
    trained = train("out")
    again = train("again", "from={run: out}", "optimizer={type: sgd, learning_rate: 1.0e-9}", "schedule.epochs=1")
    np.testing.assert_allclose(again["columns.city.weight"], trained["columns.city.weight"], atol=1e-6)
    Path("t.csv").write_text(ROWS.replace("Oslo", "Lund") + "\n29,1,Turku,n\n")
    with pytest.raises(
        SpecError, match=r"column 'city' has a vector for each category, and those of .*: 'Lund' is in one"
    ):
        train("other", "from={run: out}")
    assert train("layers", "from={run: out, layers: [dense2]}", "schedule.epochs=1")["columns.city.weight"].shape == (
        6,
        3,
    )


@pytest.mark.parametrize("key", ["transforms=[standardize]", "augment=[noise]", "reconstruct=true"])
def test_indices_are_no_numbers(key: str) -> None:
    with pytest.raises(DataError, match=r"column 'km. a day' enters the net as the index of a trained vector, and "):
        spec(f"data.{key}", "data.target_type=null").spec.data.signature(Path())


def test_a_layer_of_the_same_name() -> None:
    loaded = spec("layers.0.name=columns")
    network = Network(loaded.spec, loaded.spec.data.signature(Path()))
    with pytest.raises(ShapeError, match="a layer cannot be called 'columns'"):
        summarize(network, 8)
