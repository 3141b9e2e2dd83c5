"""Targets rescaled for the cost, which sees them around 1; answers and metrics are in their own units."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.data.dataset import load_dataset
from nnctl.errors import SpecError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import checkpoints
from nnctl.spec.load import Loaded, load_text
from nnctl.training import session

METRICS = "metrics: [mse, mae, rmse, r2, max_error]"
SPEC = """
data: {type: csv, path: prices.csv, target: price, validation: 20, test: 20, target_transforms: [standardize]}
layers: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 1}]
cost: mse
optimizer: {type: adam, learning_rate: 0.03}
schedule: {epochs: 30, batch_size: 20}
METRICS
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (140, 2))
    y = 300_000 + 80_000 * (np.sin(2 * x[:, 0]) + 0.3 * x[:, 1])
    rows = "".join(f"{a:.6f},{b:.6f},{v:.1f}\n" for (a, b), v in zip(x, y))
    Path("prices.csv").write_text("a,b,price\n" + rows)
    np.savez("two.npz", inputs=x.astype(np.float32), targets=np.stack([y, 1e-3 * x[:, 1]], axis=1).astype(np.float32))


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC.replace("METRICS", METRICS), "prices.yaml", overrides)


def train(loaded: Loaded, out: str = "run", **options: Any) -> dict[str, Any]:
    finished = follow(session.train(loaded, out=Path(out), **options), [RunSink()])
    assert finished is not None
    return dict(finished.summary)


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_cost_is_in_deviations_and_everything_else_in_the_targets_units(backend: str) -> None:
    summary = train(spec(f"backend={backend}"))
    test, last = summary["test"], summary["last"]
    assert last["train_cost"] < 0.05
    data = load_dataset(spec().spec.data, Path(), 0)
    assert data.target_shift is not None
    assert data.target_scale is not None
    assert data.test is not None
    targets = data.train.targets.astype(np.float64)
    assert data.target_shift == pytest.approx(targets.mean(), rel=1e-6)
    assert 1 / data.target_scale == pytest.approx(targets.std(), rel=1e-6)
    # The splits hold the targets as the file has them.
    assert 150_000 < data.test.targets.min() < data.test.targets.max() < 450_000

    run = open_run(Path("run"))
    answers = run.engine.outputs(data.test.inputs).astype(np.float64)
    errors = answers - data.test.targets
    assert test["test_mse"] == pytest.approx(np.mean(errors**2), rel=1e-4)
    assert test["test_mae"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-4)
    assert test["test_rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    assert test["test_max_error"] == pytest.approx(np.abs(errors).max(), rel=1e-4)
    assert test["test_r2"] == pytest.approx(1 - np.mean(errors**2) / data.test.targets.var(), rel=1e-4)
    assert test["test_cost"] == pytest.approx(np.mean(errors**2) / targets.var(), rel=1e-4)
    assert 1_000 < test["test_rmse"] < 30_000

    (result,) = evaluate([run], "test")
    assert {f"test_{n}": result.row[n] for n in ("cost", "mse", "mae", "rmse", "r2", "max_error")} == {
        n: test[n] for n in test if n.startswith("test_")
    }
    Path("new.csv").write_text("\n".join(f"{a},{b}" for a, b in data.test.inputs) + "\n")
    predicted = [[*row["values"].values()] for row in predict(run, [Path("new.csv")])]
    np.testing.assert_allclose(predicted, answers, rtol=1e-6)


def test_the_statistics_are_in_the_checkpoint_and_resuming_is_exact() -> None:
    train(spec("schedule.epochs=3"), "out")
    tensors = checkpoints.load(Path("out/checkpoints/last.safetensors")).tensors
    assert tensors["data.target_shift"].shape == tensors["data.target_scale"].shape == (1,)
    train(spec("schedule.epochs=6"), "out", resume=True)
    train(spec("schedule.epochs=6"), "whole")
    both = [(Path(out) / "checkpoints/last.safetensors").read_bytes() for out in ("out", "whole")]
    assert both[0] == both[1]


def test_ensembles_and_changed_copies_answer_in_the_targets_units() -> None:
    for seed in (0, 1):
        train(spec(f"seed={seed}", "data.seed=0", "data.augment=[{type: noise, std: 0.01}]"), str(seed))
    runs = [open_run(Path(str(seed))) for seed in (0, 1)]
    *alone, mean = evaluate(runs, "test")
    assert mean.row["run"] == "mean"
    assert 1e6 < mean.row["mse"] < 1e9
    assert mean.row["mae"] < max(result.row["mae"] for result in alone)
    (changed,) = evaluate(runs[:1], "test", copies=2)
    assert changed.row["rmse"] == pytest.approx(alone[0].row["rmse"], rel=0.5)


def test_each_column_has_its_own_statistics() -> None:
    text = SPEC.replace("METRICS", METRICS).replace("units: 1}", "units: 2}")
    npz = "data={type: npz, path: two.npz, validation: 20, test: 20, target_transforms: [standardize]}"
    summary = train(load_text(text, "two.yaml", [npz]))
    assert summary["last"]["train_cost"] < 0.1
    tensors = checkpoints.load(Path("run/checkpoints/last.safetensors")).tensors
    assert tensors["data.target_scale"].shape == (2,)
    small = open_run(Path("run")).engine.outputs(np.array([[0.0, 1.0], [0.0, -1.0]], np.float32))[:, 1]
    np.testing.assert_allclose(small, [1e-3, -1e-3], atol=4e-4)


@pytest.mark.parametrize(
    "data",
    [
        "{type: function, expression: '1e6*sin(2*pi*x)', test: 20, target_transforms: [standardize]}",
        "{type: function, expression: '1e6*x', test: 20, target_transforms: [{type: min_max, per: dataset}]}",
    ],
)
def test_generated_data_and_other_transforms(data: str) -> None:
    text = SPEC.replace("METRICS", "metrics: [rmse]")
    summary = train(load_text(text, "f.yaml", [f"data={data}", "optimizer.learning_rate=0.01", "schedule.epochs=60"]))
    assert summary["last"]["train_cost"] < 0.7
    assert 1e3 < summary["test"]["test_rmse"] < 1e6


def test_a_series_has_one_statistic_for_all_of_its_steps() -> None:
    data = "data={type: narma, examples: 3, length: 60, washout: 10, target_transforms: [standardize]}"
    layers = "layers=[{type: echo_state, units: 10, washout: 10}, {type: dense, units: 1}]"
    train(load_text(SPEC.replace("METRICS", "metrics: [nmse]"), "s.yaml", [data, layers, "schedule.epochs=2"]))
    tensors = checkpoints.load(Path("run/checkpoints/last.safetensors")).tensors
    assert tensors["data.target_scale"].shape == (1,)


def test_a_readout_that_is_solved_for_answers_in_the_targets_units() -> None:
    solved = ("layers=[{type: dense, units: 1}]", "optimizer=ridge", "schedule={epochs: 1, batch_size: full}")
    with_scale, without = train(spec(*solved), "a"), train(spec(*solved, "data.target_transforms=[]"), "b")
    assert with_scale["test"]["test_rmse"] == pytest.approx(without["test"]["test_rmse"], rel=1e-3)


def test_gradients_bench_and_doctor_know_them(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.yaml").write_text(SPEC.replace("METRICS", METRICS))
    assert main(["gradcheck", "p.yaml"]) == 0
    assert main(["inspect", "p.yaml"]) == 0
    assert main(["bench", "p.yaml", "--steps", "2", "--backend", "numpy"]) == 0
    capsys.readouterr()
    assert main(["doctor", "p.yaml"]) == 0
    first, *rest = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 0.1 < float(first["value"]) < 10.0
    assert not any(row.get("what") == "found" for row in rest)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{type: digits, target_transforms: [standardize]}", "labels, and labels have no scale"),
        ("{type: sine, reconstruct: true, target_transforms: [standardize]}", "the inputs as they enter the net"),
        ("{type: sine, targets: standardize}", "did you mean 'target_transforms'?"),
    ],
)
def test_targets_without_a_scale_are_refused(data: str, words: str) -> None:
    text = f"data: {data}\nlayers: [flatten, {{type: dense, units: 1}}]\ncost: mse\n"
    with pytest.raises(SpecError, match=re.escape(words)):
        list(session.train(load_text(text)))
