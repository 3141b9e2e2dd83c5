"""`nnctl sweep show`: what a sweep's folder knows, without its spec."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import statistics
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from nnctl.cli import main
from nnctl.runs.endings import record_ending
from nnctl.runs.folder import RunFolder
from nnctl.sweep.stored_sweep import read_sweep
from nnctl.sweep.study import read_study

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers:
  - {type: dense, units: 4, activation: relu}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
schedule: {epochs: 2, batch_size: 10}
backend: numpy
sweep:
  space:
    depth: {type: integer, low: 1, high: 2}
    layers.0.units: {type: choice, values: [3, 5]}
    optimizer.learning_rate: {type: log_uniform, low: 1e-3, high: 1}
    layers.0.activation: {type: choice, values: [relu, {type: elu, alpha: 0.5}]}
  only: {layers.0: depth == 2}
  trials: 5
  seeds: 3
  monitor: [validation_cost, parameters]
  constraints: [parameters < 100]
"""


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep that is done, whose spec is gone."""
    path = tmp_path_factory.mktemp("sweeps")
    (path / "net.yaml").write_text(SPEC)
    assert main(("sweep", str(path / "net.yaml"), "--out", str(path / "found"), "-q")) == 0
    (path / "net.yaml").unlink()
    return path / "found"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "found"))


@pytest.fixture
def show(capfd: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> Said:
        capfd.readouterr()
        code = main(("sweep", "show", *map(str, arguments)))
        return Said(code, *capfd.readouterr())

    return run


def test_the_ranking_is_that_of_the_end(folder: Path, show) -> None:
    done = show(folder)
    assert done.code == 0
    results = json.loads((folder / "results.json").read_text())
    rows = [json.loads(line) for line in done.out.splitlines()]
    shown = [row for row in rows if row["event"] == "combination"]
    assert [{key: row[key] for key in results["ranking"][0]} for row in shown] == results["ranking"]
    assert {row["event"] for row in rows} == {"combination", "slice", "contour"}
    assert done.err.startswith("15 trials: 15 finished\n")
    assert "worse than no other in every objective: front 0" in done.err


def test_intervals_are_of_the_t_distribution(folder: Path) -> None:
    standing = read_sweep(folder).ranking[0]
    stored = {result.trial.number: result for result in read_sweep(folder).results}
    values = [stored[number].metrics["validation_cost"] for number in standing.trials]
    assert standing.intervals is not None
    # t of two degrees of freedom, from a table.
    expected = 4.302653 * statistics.stdev(values) / math.sqrt(3)
    assert standing.intervals["validation_cost"] == pytest.approx(expected, rel=1e-6)


def test_every_trial_is_a_row_of_csv(folder: Path, show, tmp_path: Path) -> None:
    done = show(folder, "--csv", "-", "-q")
    assert (done.code, done.err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["trial"] for row in rows] == [str(number) for number in range(15)]
    stored = read_sweep(folder)
    for row, result in zip(rows, stored.results, strict=True):
        assert row["status"] == "finished"
        assert float(row["validation_cost"]) == result.metrics["validation_cost"]
        assert float(row["optimizer.learning_rate"]) == result.trial.settings["optimizer.learning_rate"]
        assert (row["layers.0.units"] == "") == (row["depth"] == "1")
        assert row["seed"] == str(result.trial.seed)
    assert show(folder, "--csv", tmp_path / "trials.csv").code == 0
    assert (tmp_path / "trials.csv").read_text() == done.out
    assert show(folder, "--csv", tmp_path / "trials.csv").code == 2
    assert show(folder, "--csv", tmp_path / "trials.csv", "--force").code == 0


def test_tables(folder: Path, show, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    done = show(folder, "--format", "table", "--limit", "2")
    assert "± 95 % of validation_cost" in done.out
    assert "and 3 more combinations" in done.err
    table = list(csv.DictReader(io.StringIO(show(folder, "--format", "csv").out)))
    assert len(table) == 5
    assert list(csv.DictReader(io.StringIO(show(folder, "--format", "csv", "--limit", "2").out))) == table[:2]
    assert {"validation_cost", "front", "meets constraints", "± 95 % of parameters"} <= set(table[0])
    assert show(folder, "--format", "xml").code == 2


def test_a_sweep_that_was_stopped(copy: Path, show) -> None:
    for name in ("results.json", "0013/summary.json"):
        (copy / name).unlink()
    shutil.rmtree(copy / "0014")
    done = show(copy)
    assert "15 trials: 13 finished, 1 stale, 1 waiting\n" in done.err
    assert len(done.out.splitlines()) >= 5
    run = RunFolder(copy / "0013")
    with run.lock():
        assert read_sweep(copy).counts == {"finished": 13, "running": 1, "waiting": 1}
    record_ending(copy, 13, "diverged", error="the cost is not finite", exit_code=4)
    diverged = read_sweep(copy).results[13]
    assert (diverged.status, diverged.error, diverged.exit_code) == ("diverged", "the cost is not finite", 4)
    assert max(standing.failed for standing in read_sweep(copy).ranking) == 1
    for number in range(13):
        (copy / f"{number:04d}" / "summary.json").unlink()
    done = show(copy)
    assert (done.code, done.out) == (0, "")
    assert "no trial has finished, so there is no ranking yet" in done.err


def test_nothing_in_the_folder_changes(copy: Path, show) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert show(copy).code == 0
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["sweep.json", "asked.json", "0003/summary.json"])
def test_a_damaged_record_is_named(copy: Path, show, name: str) -> None:
    content = (copy / name).read_text()
    (copy / name).write_text(content.replace('"format": 2,', '"format": 2, "x": 1,'))
    done = show(copy)
    assert (done.code, done.out) == (2, "")
    assert f"{copy / name}: is damaged or was edited" in done.err


def test_what_is_no_sweep(tmp_path: Path, show) -> None:
    assert "there is no such folder" in show(tmp_path / "gone").err
    done = show(tmp_path)
    assert (done.code, done.out) == (2, "")
    assert "is not a sweep's folder: it has no sweep.json" in done.err


def test_a_sampler_that_learns_knows_what_it_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nnctl.sweep.search import Search

    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    study = read_study(Path("net.yaml"), ["sweep.sampler=tpe"], Path("found"))
    study.claim()
    search = Search(study)
    trials = list(iter(search.following, None))
    stored = read_sweep(Path("found"))
    assert [result.trial for result in stored.results] == trials
    assert stored.counts == {"waiting": 15}
    assert (stored.objectives, stored.ranking) == ((), ())


def test_export_is_a_study_that_optuna_reads(copy: Path, show, tmp_path: Path) -> None:
    import optuna

    shutil.rmtree(copy / "0014")
    (copy / "0013" / "summary.json").unlink()
    record_ending(copy, 12, "diverged", error="the cost is not finite", exit_code=4)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    for _ in range(2):
        done = show(copy, "--export", url)
        assert done.code == 0
    stored = read_sweep(copy)
    name = f"blobs-{stored.study.key}"
    assert f"exported as the study {name}\n" in done.err
    assert optuna.get_all_study_names(url) == [name]
    study = optuna.load_study(study_name=name, storage=url)
    assert study.metric_names == ["validation_cost", "parameters"]
    states = [trial.state.name for trial in study.trials]
    assert states == ["COMPLETE"] * 12 + ["FAIL", "RUNNING"]
    for trial, result in zip(study.trials, stored.results, strict=False):
        assert (trial.user_attrs["trial"], trial.user_attrs["status"]) == (result.trial.number, result.status)
        assert trial.user_attrs["seed"] == result.trial.seed
        assert set(trial.params) == set(result.trial.settings)
        if result.status == "finished":
            assert trial.values == [result.metrics["validation_cost"], result.metrics["parameters"]]
            assert len(trial.constraints) == 1


def test_the_study_of_a_folder_is_the_one_that_wrote_it(folder: Path) -> None:
    stored = read_sweep(folder)
    stored.study.require_claimed()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nix://a", "no such kind of database is known"),
        ("://", "is no address of a database"),
        ("postgresql+psycopg2://me:secret@host/x", "me:***@host/x: needs the package psycopg2, which is not installed"),
        ("sqlite:////nowhere/at/all.db", "there is no folder /nowhere/at"),
        ("text.db", "cannot be written: file is not a database"),
    ],
)
def test_a_database_that_cannot_be_written(
    folder: Path, show, url: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "psycopg2" in url and find_spec("psycopg2"):
        pytest.skip("the driver is installed")
    monkeypatch.chdir(tmp_path)
    Path("text.db").write_text("no database at all, but a text that is long enough to be looked at" * 20)
    done = show(folder, "--export", url)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


@pytest.mark.parametrize("line", [("sweep", "./show"), ("sweep", "-j", "1", "--", "show")])
def test_a_file_of_the_name_of_the_command(
    line: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("show").write_text("layers: 1\n")
    assert main(line) == 2
    assert "show:1" in capfd.readouterr().err
