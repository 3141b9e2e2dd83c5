"""Commands that take a run take a sweep for its best trial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SPEC = """\
name: blobs
data: {type: blobs, examples: 82, centers: 3, validation: 20, test: 12, seed: 0}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2, batch_size: 10}
backend: numpy
sweep: {grid: {optimizer.learning_rate: [1e-6, 0.1, 1e-5]}, monitor: validation_cost}
"""


def nnctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "nnctl", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_best_trial_is_taken_and_said_wherever_a_run_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    rows = [json.loads(line) for line in nnctl("sweep", "net.yaml", "--out", "found").stdout.splitlines()]
    best = min(rows, key=lambda row: row["value"])
    assert best["trial"] == 1
    said = f"found: the best of 3 trials: trial 1, validation_cost {best['value']:.4g}\n"

    evaluated = nnctl("evaluate", "found")
    assert json.loads(evaluated.stdout)["run"] == "found/0001"
    assert evaluated.stderr == said
    Path("inputs.csv").write_text("x0,x1\n0.5,1\n")
    predicted, of_the_trial = nnctl("predict", "found", "inputs.csv"), nnctl("predict", "found/0001", "inputs.csv")
    assert predicted.returncode == 0
    assert (predicted.stdout, predicted.stderr) == (of_the_trial.stdout, said)
    started = nnctl("train", "net.yaml", "--set", "from={run: found}")
    assert started.returncode == 0
    assert said in started.stderr

    for refused in (("train", "net.yaml", "--out", "found"), ("train", "net.yaml", "--out", "found", "--resume")):
        done = nnctl(*refused)
        assert done.returncode == 2
        assert "is a sweep's folder; nothing is written between its trials" in done.stderr
    as_spec = nnctl("train", "found")
    assert as_spec.returncode == 2
    assert "is a sweep's folder, and not a spec" in as_spec.stderr
    Path("found/results.json").unlink()
    for command in (("evaluate", "found"), ("predict", "found", "inputs.csv"), ("evaluate", "found", "--best", "1")):
        done = nnctl(*command)
        assert done.returncode == 2
        assert "the sweep is not finished" in done.stderr


@pytest.mark.slow
def test_where_no_trial_has_a_number_none_is_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One example to validate on has one class, and no area under a curve."""
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(
        SPEC.replace("validation: 20", "validation: 1").replace("cost, ", "") + "metrics: [roc_auc]\n"
    )
    done = nnctl("sweep", "net.yaml", "--monitor", "validation_roc_auc", "--out", "found")
    assert done.returncode == 2
    assert "found: no trial has a number in validation_roc_auc, so none is the best" in done.stderr
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["finished"] * 3
    evaluated = nnctl("evaluate", "found")
    assert evaluated.returncode == 2
    assert "none of the sweep's 3 trials finished with a validation_roc_auc" in evaluated.stderr


@pytest.mark.slow
def test_more_processes_than_can_be_under_way_are_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    learns = ("--set", "sweep.grid={}", "--space", "optimizer.learning_rate=1e-3:1:log", "--trials", "3", "--sampler")
    said = nnctl("sweep", "net.yaml", *learns, "tpe", "--set", "sweep.lag=0", "-j", "2").stderr
    assert "-j 2: at most 1 trial is under way at a time, for each waits for the results" in said
    assert "under way" not in nnctl("sweep", "net.yaml", *learns, "tpe", "-j", "2").stderr
    assert "under way" not in nnctl("sweep", "net.yaml", *learns, "random", "-j", "2").stderr
