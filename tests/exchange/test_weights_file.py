"""Weights in safetensors files: names, layouts, the table beside them, and the way back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open

import nnctl
from nnctl.errors import UsageError
from nnctl.exchange.export import export
from nnctl.exchange.formats import Options

SPEC: dict[str, Any] = {
    "backend": "numpy",
    "data": {"type": "digits", "validation": 20, "test": 20},
    "layers": [
        {"type": "conv2d", "filters": 2, "kernel": 3},
        "max_pool",
        {"type": "batch_norm"},
        "flatten",
        {"type": "dense", "units": 10, "activation": "softmax"},
    ],
    "cost": "log_likelihood",
    "schedule": {"epochs": 1, "batch_size": 256},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    for _ in nnctl.train(SPEC, out=folder):
        pass
    return folder


@pytest.mark.parametrize("layout", ["torch", "keras", "nnctl"])
def test_a_net_that_begins_from_the_file_answers_as_before(run: Path, tmp_path: Path, layout: str) -> None:
    exported = export(run, tmp_path / "net.safetensors", Options(layout=layout))
    begun = {**SPEC, "from": {"file": str(tmp_path / "net.safetensors")}}
    # So small a step changes no weight.
    *_, _ = nnctl.train({**begun, "optimizer": {"type": "sgd", "learning_rate": 1e-30}}, out=tmp_path / "again")
    before, after = nnctl.load_run(run).parameters, nnctl.load_run(tmp_path / "again").parameters
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
    table = list(csv.DictReader((tmp_path / "net.names.csv").read_text(encoding="utf-8").splitlines()))
    assert [dict(row) for row in table] == [dict(row) for row in exported.rows]


def test_pytorch_finds_what_it_looks_for(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "net.safetensors", Options(layout="torch"))
    with safe_open(tmp_path / "net.safetensors", "np") as file:
        names, metadata = set(file.keys()), file.metadata()
        assert file.get_tensor("conv2d1.weight").shape == (2, 1, 3, 3)
        assert file.get_tensor("dense1.weight").shape == (10, 18)
    statistics = {"running_mean", "running_var", "num_batches_tracked"}
    weights = {f"{layer}.{name}" for layer in ("conv2d1", "dense1", "batch_norm1") for name in ("weight", "bias")}
    assert names == weights | {f"batch_norm1.{name}" for name in statistics}
    assert (metadata["format"], metadata["layout"]) == ("pt", "torch")
    assert metadata["classes"] == '["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]'


def test_what_is_in_the_way_stays(run: Path, tmp_path: Path) -> None:
    (tmp_path / "net.names.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match=r"net\.names\.csv"):
        export(run, tmp_path / "net.safetensors", Options())
    assert not (tmp_path / "net.safetensors").exists()
    export(run, tmp_path / "net.safetensors", Options(), force=True)
    with pytest.raises(UsageError, match="there is no such layout"):
        export(run, tmp_path / "other.safetensors", Options(layout="jax"))
    with pytest.raises(UsageError, match="--check: says nothing to"):
        export(run, tmp_path / "other.safetensors", Options(check=True))
