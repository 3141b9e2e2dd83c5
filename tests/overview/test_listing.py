"""Lists of runs: conditions, orders, the best, and two beside each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.errors import RunError, UsageError
from nnctl.overview.comparison import compare
from nnctl.overview.fields import at, field_of
from nnctl.overview.listing import best_run, list_runs, ordered, read_condition, rows_of
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.differences import ABSENT
from nnctl.runs.folder import RunFolder
from nnctl.runs.outline import Outline, outline
from nnctl.spec.load import load_text
from nnctl.training.session import train

SPEC = """
data: {type: blobs, examples: 60, validation: 20, test: 20}
layers: [{type: dense, units: 8, activation: relu}, {type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
backend: numpy
"""
SETTINGS = {
    "a": ("optimizer={type: sgd, learning_rate: 0.001}",),
    "b": ("optimizer={type: adam, learning_rate: 0.05}", "layers.0.units=40"),
    "c": ("optimizer={type: adam, learning_rate: 0.002}", "schedule.early_stopping={patience: 3}"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, one of them cut off, and what is left of one."""
    path = tmp_path_factory.mktemp("runs")
    for name, settings in SETTINGS.items():
        follow(train(load_text(SPEC, "n.yaml", settings, path), out=path / name), [RunSink()])
    (path / "c" / "summary.json").unlink()
    (path / "d").mkdir()
    (path / "d" / "spec.yaml").write_text("layers: []")
    (path / "d" / "metrics.jsonl").touch()
    return path


def names(runs: list[Outline]) -> list[str]:
    return [Path(run.name).name for run in runs]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ((), ["a", "b", "c"]),
        (("optimizer.type=adam",), ["b", "c"]),
        (("optimizer=adam", "layers.0.units>=30"), ["b"]),
        (("layers.-1.activation = softmax",), ["a", "b", "c"]),
        (("optimizer.learning_rate=0.002",), ["c"]),
        (("state == 'finished' and layers.0.units < 10",), ["a"]),
        (("schedule.early_stopping.patience=3",), ["c"]),
        (("best.epoch > 0",), ["a", "b"]),
        (("layers.0.bias=true",), ["a", "b", "c"]),
        (("layers.0.bias=1",), []),
        (("layers.0.name=null",), ["a", "b", "c"]),
        (("layers.0.name > 3",), []),
        (("started != 'x'",), ["a", "b", "c"]),
    ],
)
def test_runs_that_meet_conditions(where: tuple[str, ...], found: list[str], folder: Path) -> None:
    listing = list_runs(folder, where)
    assert names(listing.runs) == found
    assert [str(folder / "d") in str(error) for error in listing.broken] == [True]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("optimizer.tipe=adam", "did you mean optimizer.type"),
        ("validation_acuracy > 0.5", "did you mean validation_accuracy"),
        ("units = 30", "did you mean layers.0.units"),
        ("units >", "cannot be read"),
        ("a=[1", "--where:1:"),
    ],
)
def test_what_no_run_has_is_an_error_with_near_names(where: str, words: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=words):
        list_runs(folder, [where])


def test_the_best_comes_first_in_what_was_measured_and_the_least_in_all_else(folder: Path) -> None:
    runs = list_runs(folder).runs
    values = {Path(run.name).name: field_of(run, "validation_accuracy") for run in runs}
    assert names(ordered(runs, "validation_accuracy"))[0] == max(values, key=lambda name: values[name]) == "b"
    costs = [field_of(run, "train_cost") for run in ordered(runs, "train_cost")]
    assert costs == sorted(costs)
    assert names(ordered(runs, "layers.0.units"))[-1] == "b"
    assert names(ordered(runs, "layers.0.units", backwards=True))[0] == "b"
    assert names(ordered(runs, "optimizer.type")) == ["b", "c", "a"]
    # A run without a test row comes last, whichever way.
    assert names(ordered(runs, "test_accuracy"))[-1] == "c"
    assert names(ordered(runs, "test_accuracy", backwards=True))[-1] == "c"


def test_the_best_of_those_that_finished(folder: Path) -> None:
    runs = list_runs(folder).runs
    assert Path(best_run(runs).name).name == "b"
    assert Path(best_run(runs, "layers.0.units").name).name == "a"
    with pytest.raises(RunError, match="no finished run"):
        best_run([run for run in runs if run.state != "finished"])
    with pytest.raises(UsageError, match="did you mean"):
        best_run(runs, "validation_acuracy")


def test_rows_have_equal_keys(folder: Path) -> None:
    rows = rows_of(list_runs(folder).runs, ["best.epoch"], ["optimizer.type"])
    assert [list(row) for row in rows] == [["run", "best.epoch", "optimizer.type"]] * 3
    assert rows[2]["best.epoch"] is None


def test_a_folder_of_broken_runs_alone_is_an_error(folder: Path) -> None:
    with pytest.raises(RunError, match="origin"):
        list_runs(folder / "d")
    with pytest.raises(RunError, match="no such folder"):
        list_runs(folder / "nowhere")


def test_two_runs_beside_each_other(folder: Path) -> None:
    a, b = (outline(RunFolder(folder / name)) for name in "ab")
    rows = {(row["part"], row["name"]): row for row in compare(a, b)}
    specs = {name: (row["a"], row["b"]) for (part, name), row in rows.items() if part == "spec"}
    assert specs["layers.0.units"] == (8, 40)
    assert specs["optimizer.type"] == ("sgd", "adam")
    assert "layers.1.units" not in specs
    units = rows["spec", "layers.0.units"]
    assert units["difference"] == 32
    cost = rows["result", "train_cost"]
    assert cost["difference"] == pytest.approx(cost["b"] - cost["a"])
    assert not {part for part, _ in rows} & {"version", "data"}
    assert [row for row in compare(a, a) if row["part"] != "result"] == []


def test_values_at_paths() -> None:
    tree = {"layers": [{"units": 3}, {"units": 5}], "a.b": 1}
    assert at(tree, "layers.-1.units") == 5
    assert at(tree, "a.b") == 1
    assert at(tree, "layers.2.units") is at(tree, "layers.x") is at(tree, "layers.0.units.x") is ABSENT
    assert read_condition("a == 1").names == ("a",)
