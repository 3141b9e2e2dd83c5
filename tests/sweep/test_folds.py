"""Cross-validation, and the best runs of a sweep."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
from listing import trials

from nnctl.errors import RunError, UsageError
from nnctl.runs.sweeps import best_runs
from nnctl.spec.document import Sweep

SPEC = """\
name: blobs
data: {type: blobs, examples: 62, centers: 3, noise: 4.0, test: 12}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2, batch_size: 10, early_stopping: {monitor: validation_cost}}
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC.replace("layers", "sweep: {folds: 4}\nlayers"))


def nnctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "nnctl", *arguments], capture_output=True, text=True, check=False)


def test_a_combination_s_folds_come_together() -> None:
    listed = trials(Sweep(grid={"optimizer.learning_rate": (0.1, 1.0)}, seeds=2, folds=3), 7)
    assert [(t.combination, t.seed, t.fold) for t in listed] == [
        (combination, seed, (part, 3)) for combination in range(2) for seed in (7, 8) for part in range(3)
    ]
    assert listed[0].overrides == ("optimizer.learning_rate=0.1", "seed=7", "data.fold=[0, 3]")


def test_folds_alone_are_something_to_do() -> None:
    assert len(trials(Sweep(folds=4), 0)) == 4


@pytest.mark.parametrize("path", ["data", "data.fold", "data.validation"])
def test_what_folds_decide_cannot_be_searched(path: str) -> None:
    with pytest.raises(UsageError, match="holds out parts of its own"):
        trials(Sweep(grid={path: (1, 2)}, folds=3), 0)


@pytest.mark.slow
def test_each_fold_is_a_run_and_together_they_are_a_mean_with_its_error() -> None:
    """The spec has no validation split of its own: what monitors one is right nevertheless."""
    done = nnctl("sweep", "net.yaml", "--folds", "5", "--out", "sweep", "--monitor", "validation_accuracy")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["fold"] for row in rows] == [0, 1, 2, 3, 4]
    sizes = [json.loads(Path(row["folder"], "summary.json").read_text())["examples"] for row in rows]
    assert sizes == [{"train": 40, "validation": 10, "test": 12}] * 5
    (standing,) = json.loads(Path("sweep/results.json").read_text())["ranking"]
    values = [row["value"] for row in rows]
    error = standing["standard_errors"]["validation_accuracy"]
    assert standing["means"] == pytest.approx({"validation_accuracy": statistics.fmean(values)})
    assert error == pytest.approx(statistics.stdev(values) / 5**0.5)
    assert f"± {error:.2g} over 5 runs" in done.stderr

    ranked = sorted(rows, key=lambda row: (-row["value"], row["trial"]))
    assert best_runs(Path("sweep"), 2) == [Path(row["folder"]) for row in ranked[:2]]
    judged = nnctl("evaluate", "sweep", "--best", "2")
    assert judged.returncode == 0, judged.stderr
    names = [json.loads(line)["run"] for line in judged.stdout.splitlines()]
    assert names == [*(row["folder"] for row in ranked[:2]), "vote", "mean"]

    with pytest.raises(UsageError, match="--best 6: 5 trials of sweep finished with a validation_accuracy"):
        best_runs(Path("sweep"), 6)
    Path("sweep/results.json").unlink()
    with pytest.raises(RunError, match="the sweep is not finished"):
        best_runs(Path("sweep"), 1)
    with pytest.raises(RunError, match="is not a sweep's folder"):
        best_runs(Path(), 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", "net.yaml", "--folds", "1"), "of at least 2"),
        (("evaluate", "runs", "--with", "shift"), "--augment 10 makes ten copies"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str) -> None:
    done = nnctl(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "higher"), [("f1", True), ("roc_auc_weighted", True), ("log_loss", False)])
def test_combinations_are_ranked_by_any_metric(metric: str, higher: bool) -> None:
    sweep = f"sweep: {{folds: 2, grid: {{optimizer.learning_rate: [0.0001, 0.3]}}, monitor: validation_{metric}}}"
    metrics = "metrics: [f1, {type: roc_auc, average: weighted}, log_loss]"
    Path("net.yaml").write_text(f"{SPEC.replace('layers', f'{sweep}{chr(10)}layers')}{metrics}\n")
    done = nnctl("sweep", "net.yaml")
    assert done.returncode == 0, done.stderr
    (results,) = Path("runs").rglob("results.json")
    means = [row["means"][f"validation_{metric}"] for row in json.loads(results.read_text())["ranking"]]
    assert len(means) == 2
    assert means == sorted(means, reverse=higher)
    assert means[0] != means[1]


@pytest.mark.slow
def test_a_table_s_own_folds() -> None:
    """The data has no reading without a fold, and each row validates once, in the fold that its column says."""
    Path("t.csv").write_text("x,k,y\n" + "".join(f"{i % 7},{i % 2},{'ab'[i % 3 % 2]}\n" for i in range(30)))
    Path("net.yaml").write_text(
        "data: {type: table, path: t.csv, target: y, split: {column: k}}\n"
        "layers: [{type: dense, units: 2, activation: softmax}]\n"
        "cost: log_likelihood\nschedule: {epochs: 1}\nbackend: numpy\nsweep: {folds: 2}\n"
    )
    swept = nnctl("sweep", "net.yaml", "--quiet")
    assert swept.returncode == 0, swept.stderr
    rows = [json.loads(line) for line in swept.stdout.splitlines()]
    assert sorted((row["fold"], row["status"]) for row in rows) == [(0, "finished"), (1, "finished")]
