"""The best trials of a sweep, judged together at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.errors import RunError, SpecError
from nnctl.inference.evaluation import data_of
from nnctl.inference.opened import open_run
from nnctl.sweep.ensemble import judged_on, require_one_split
from nnctl.sweep.study import read_study

SPEC = """\
name: blobs
data: {type: blobs, examples: 82, centers: 3, noise: 4.0, validation: 20, test: 12, seed: 0}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.05}
schedule: {epochs: 2, batch_size: 10}
backend: numpy
sweep: {seeds: 4, monitor: validation_accuracy, ensemble: 3}
"""
VALUES = """\
data: {type: sine, examples: 60, validation: 10, seed: 0}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 2}
backend: numpy
sweep: {seeds: 2, monitor: validation_cost, ensemble: 2}
"""


TABLE = """\
data: {type: table, path: houses.csv, target: price, target_transforms: [standardize], test: 16, seed: 0}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
cost: mse
metrics: [rmse]
schedule: {epochs: 2}
backend: numpy
sweep: {folds: 3, ensemble: 3}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


def nnctl(*arguments: str) -> tuple[list[dict[str, Any]], str]:
    done = subprocess.run([sys.executable, "-m", "nnctl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.mark.slow
def test_the_best_by_validation_are_judged_on_the_test_split_as_evaluate_does() -> None:
    (*trials, record), _ = nnctl("sweep", "net.yaml", "--out", "found")
    assert (record["event"], record["split"], record["examples"]) == ("ensemble", "test", 12)
    ranked = sorted(trials, key=lambda row: (-row["metrics"]["validation_accuracy"], row["trial"]))
    assert record["trials"] == [row["trial"] for row in ranked[:3]]
    again, _ = nnctl("evaluate", "found", "--best", "3")
    assert [row["accuracy"] for row in again] == [
        *(member["accuracy"] for member in record["members"]),
        record["vote"]["accuracy"],
        record["mean"]["accuracy"],
    ]
    resumed, _ = nnctl("sweep", "net.yaml", "--out", "found")
    assert resumed == [*trials, record]


@pytest.mark.slow
def test_an_ensemble_may_be_asked_for_when_all_is_trained() -> None:
    """It decides nothing of what a trial is: the folder stays the same."""
    (*trials, _), _ = nnctl("sweep", "net.yaml", "--out", "found")
    (*same, record), _ = nnctl("sweep", "net.yaml", "--out", "found", "--ensemble", "2")
    assert same == trials
    assert len(record["trials"]) == 2


@pytest.mark.slow
def test_where_fewer_finish_they_are_the_ensemble_and_that_is_said() -> None:
    diverging = ("--set", "layers.0.activation=linear", "--set", "cost=quadratic", "--seeds", "1")
    (*_, record), said = nnctl("sweep", "net.yaml", *diverging, "--grid", "optimizer.learning_rate=1e30,0.001,0.0001")
    assert sorted(record["trials"]) == [1, 2]
    assert "an ensemble of 2 trials, not of 3: no more of them finished" in said
    rows, said = nnctl("sweep", "net.yaml", *diverging, "--grid", "optimizer.learning_rate=1e30,2e30,0.001")
    assert [row.get("event") for row in rows] == [None] * 3
    assert "an ensemble of 0 trials, not of 3" in said


@pytest.mark.slow
def test_values_have_a_mean_and_no_vote() -> None:
    Path("net.yaml").write_text(VALUES)
    (*_, record), _ = nnctl("sweep", "net.yaml")
    assert (record["split"], record["vote"], list(record["mean"])) == ("validation", None, ["mse"])


@pytest.mark.slow
def test_folds_of_a_table_are_judged_together_each_by_what_its_own_rows_taught() -> None:
    rows = [f"{n % 7},{'abc'[n % 3]},{100 + 3 * n % 50}" for n in range(60)]
    Path("houses.csv").write_text("\n".join(["rooms,place,price", *rows]))
    Path("net.yaml").write_text(TABLE)
    (*_, record), _ = nnctl("sweep", "net.yaml", "--out", "found")
    assert (record["split"], len(record["members"])) == ("test", 3)
    runs = [open_run(Path("found") / f"{number:04d}") for number in record["trials"]]
    splits = [data_of(run).splits["test"] for run in runs]
    assert not np.array_equal(splits[0].inputs[:], splits[1].inputs[:])
    answers = [run.scores(split.inputs) for run, split in zip(runs, splits, strict=True)]
    error = np.mean(answers, axis=0) - splits[0].targets
    assert record["mean"]["mse"] == pytest.approx(np.mean(error**2), rel=1e-9)
    assert record["mean"]["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-9)


def test_rows_of_a_table_that_differ_are_refused() -> None:
    Path("houses.csv").write_text("\n".join(["rooms,place,price", *(f"{n % 7},a,{n % 2}.5" for n in range(60))]))
    Path("net.yaml").write_text(TABLE)
    require_one_split(read_study(Path("net.yaml"), []))
    with pytest.raises(RunError, match="the test split of trial 3 is not that of trial 0"):
        require_one_split(read_study(Path("net.yaml"), ["data.seed=null", "sweep.seeds=2"]))


def test_without_a_test_split_validation_judges() -> None:
    assert judged_on(read_study(Path("net.yaml"), ["data.test=0"]).base) == "validation"


def test_trials_on_other_examples_are_refused_before_they_train() -> None:
    require_one_split(read_study(Path("net.yaml"), []))
    with pytest.raises(RunError, match="the test split of trial 1 is not that of trial 0"):
        require_one_split(read_study(Path("net.yaml"), ["data.seed=null"]))


def test_an_ensemble_of_more_than_there_are_is_refused() -> None:
    with pytest.raises(SpecError, match="there is no ensemble of the 5 best: the sweep has 4 trials"):
        read_study(Path("net.yaml"), ["sweep.ensemble=5"])
