"""Reports on runs: what is on the page, whatever state the runs are in."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from test_contract import elements

from nnctl.cli import main
from nnctl.errors import RunError
from nnctl.report import gathering
from nnctl.report.groups import grouped
from nnctl.report.report import report_on
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import read_history

pytestmark = pytest.mark.slow  # runs and a sweep are trained


def text_of(page: str) -> str:
    """The words of a page, without its rules and its script."""
    body = re.sub("<(style|script)>.*?</\\1>", "", page, flags=re.S)
    return unescape(re.sub("<[^>]*>", " ", body))


def test_one_run(folder: Path) -> None:
    page = report_on([folder / "a" / "1"])
    text = text_of(page)
    run = read_history(RunFolder(folder / "a" / "1"))
    assert run.summary is not None
    for words in (
        "test accuracy",
        "by epoch",
        "by step",
        "by seconds",
        "learning rate",
        "Parameters over time",
        "Machine and versions",
    ):
        assert words in text
    for value in (run.origin["numpy"], run.origin["platform"], f"nnctl train {run.run.spec}", "learning_rate: 0.1"):
        assert value in text
    assert f"{run.summary['test']['test_f1']:.4g}" in text
    assert elements(page).events == []
    assert len(page) < 400_000


def test_groups_are_named_by_few_digits_where_these_tell_them_apart(folder: Path) -> None:
    run = read_history(RunFolder(folder / "a" / "1"))

    def names(*rates: float) -> list[str]:
        settings = ({"type": "sgd", "learning_rate": rate} for rate in rates)
        return [each.name for each in grouped([replace(run, spec={**run.spec, "optimizer": s}) for s in settings])]

    assert names(0.5835403662365759, 0.1) == ["learning_rate 0.5835", "learning_rate 0.1"]
    assert names(0.58354036, 0.58354037) == ["learning_rate 0.58354036", "learning_rate 0.58354037"]


def test_runs_that_differ_by_their_seed_are_one_curve_with_a_band(folder: Path) -> None:
    page = report_on([folder / "a", folder / "b"])
    runs = [read_history(RunFolder(folder / name)) for name in ("a/1", "a/2", "b/1")]
    assert [group.name for group in grouped(runs)] == ["learning_rate 0.1 · 2 seeds", "learning_rate 0.5"]
    # The mean of the last row's cost over both seeds, and the standard deviation around it, are in the chart's numbers.
    costs = np.array([run.rows[-1]["validation_cost"] for run in runs[:2]], dtype=np.float64)
    name = "learning_rate 0.1 · 2 seeds"
    found = re.search(rf'data-name="{name}" data-x="([^"]*)" data-y="([^"]*)" data-low="([^"]*)"', page)
    assert found is not None
    x, y, low = ([float(value) for value in group.split(",")] for group in found.groups())
    assert x == [1, 2, 3]
    assert y[-1] == pytest.approx(costs.mean(), rel=1e-4)
    assert low[-1] == pytest.approx(costs.mean() - costs.std(ddof=1), rel=1e-3)
    text = text_of(page)
    assert re.search(r"optimizer.learning_rate\s+0.1\s+0.5", text)
    assert "for seed in 1 2; do" in text
    assert "layers.0.units" not in text


def test_a_sweep(folder: Path) -> None:
    page = report_on([folder / "sweep"])
    text = text_of(page)
    for words in (
        "Ranking", "Course of the search", "Pareto set", "Importance of settings", "Parallel coordinates",
        "Objectives along one setting", "Objectives over two settings", "Curves of the best", "The study again",
    ):  # fmt: skip
        assert words in text
    shares = json.loads((folder / "sweep" / "results.json").read_text())["importance"]["validation_cost"]
    assert f"{shares['optimizer.learning_rate']:.4g}" in text
    assert "log_uniform" in text
    assert elements(page).events == []


def test_a_sweep_that_has_begun_and_one_with_a_damaged_trial(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "sweep", tmp_path / "sweep")
    (tmp_path / "sweep" / "results.json").unlink()
    for number in range(1, 10):
        shutil.rmtree(tmp_path / "sweep" / f"{number:04d}")
    text = text_of(report_on([tmp_path / "sweep"]))
    assert "10 trials: 1 finished, 9 waiting" in text
    assert "Importance of settings" not in text
    (tmp_path / "sweep" / "0000" / "summary.json").write_text("{}")
    with pytest.raises(RunError, match="0000/summary"):
        report_on([tmp_path / "sweep"])
    shutil.rmtree(tmp_path / "sweep" / "0000")
    assert "No trial has finished" in text_of(report_on([tmp_path / "sweep"]))


def test_a_folder_with_runs_and_a_sweep_keeps_the_newest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = gathering.gather([folder])
    assert [Path(run.name).parts[-2:] for run in found.runs][:3] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert len(found.sweeps) == 1
    monkeypatch.setattr(gathering, "MOST_RUNS", 2)
    found = gathering.gather([folder])
    assert len(found.runs) == 2
    assert found.left_out == 2
    assert "2 more that began earlier are left out" in text_of(report_on([folder]))


def test_what_is_damaged_of_another_version_or_unfinished_is_said(folder: Path, tmp_path: Path) -> None:
    for name in ("whole", "cut", "old", "edited", "training"):
        shutil.copytree(folder / "a" / "1", tmp_path / name)
    summary = (tmp_path / "cut" / "summary.json").read_bytes()
    (tmp_path / "cut" / "summary.json").write_bytes(summary[:100])
    (tmp_path / "old" / "origin.json").write_text('{"folder": "."}')
    (tmp_path / "edited" / "spec.yaml").write_text("name: <script>alert(3)</script>")
    (tmp_path / "training" / "summary.json").unlink()
    (tmp_path / "empty").mkdir()
    run = RunFolder(tmp_path / "training")
    with run.lock():
        page = report_on([tmp_path])
    text = text_of(page)
    assert "2 runs, 3 damaged folders" in text
    for name, words in (("cut", "is damaged"), ("old", "older version"), ("edited", "is not the spec")):
        assert re.search(rf"{tmp_path / name}/\w+\.\w+:[^\n]*{words}", text), name
    assert "training" in text
    assert "unfinished" in text_of(report_on([tmp_path / "training", tmp_path / "whole"]))


def test_a_run_without_rows_has_a_page(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a" / "1", tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "run" / "metrics.jsonl").write_bytes(b"")
    assert "It has no rows yet" in text_of(report_on([tmp_path / "run"]))


def test_a_net_that_cannot_be_opened_leaves_the_rest_of_the_page(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "a" / "1", tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    text = text_of(report_on([tmp_path / "run"]))
    assert "The net cannot be opened" in text
    assert "the run has no checkpoint 'last'" in text
    assert "Curves" in text
    assert "Confusions" not in text


def test_a_damaged_trial_is_left_out_of_its_sweep(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "sweep", tmp_path / "sweep")
    first = json.loads((tmp_path / "sweep" / "results.json").read_text())["ranking"][0]["trials"][0]
    (tmp_path / "sweep" / f"{first:04d}" / "metrics.jsonl").write_text("{}\n")
    page = report_on([tmp_path / "sweep"])
    assert report_on([folder / "sweep"]).count("<summary>Numbers of ") == 8
    assert page.count("<summary>Numbers of ") == 7
    assert "How it was made" not in page
    assert "Ranking" in page


def test_nothing_to_report_is_an_error(tmp_path: Path, folder: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RunError, match="there is no run"):
            report_on([path])
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="file: is a file, and a run is a folder"):
        report_on([tmp_path / "file"])
    shutil.copytree(folder / "a" / "1", tmp_path / "run")
    (tmp_path / "run" / "origin.json").write_text("{}")
    with pytest.raises(RunError, match="older version"):
        report_on([tmp_path / "run"])


def test_names_of_strangers_are_escaped_and_cut(folder: Path) -> None:
    page = report_on([folder / "hostile"])
    found = elements(page)
    assert found.tags.count("script") == 1
    assert "<title>&lt;/title&gt;" in page
    assert "img" not in found.tags
    assert found.events == []
    assert not {"\x1b", "\u202e"} & set(page)


def test_the_command_writes_one_file_and_overwrites_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = str(folder / "a" / "1")
    assert main(["report", run]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert re.search(r"report.html: \d+ KB", capsys.readouterr().err)
    assert main(["report", run]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err
    assert main(["report", run, "--force", "-q"]) == 0
    assert main(["report", run, "-o", "none/page.html"]) == 2
    assert main(["report", str(tmp_path / "none")]) == 2


def test_a_page_is_the_same_each_time(folder: Path) -> None:
    assert report_on([folder]) == report_on([folder])


def test_long_runs_of_deep_nets_stay_small(folder: Path, tmp_path: Path) -> None:
    """1,000 epochs, 200 layers: rows and layers multiplied; the spec's digest is renewed as `change_spec` does."""
    run = RunFolder(tmp_path / "run")
    shutil.copytree(folder / "a" / "1", run.path)
    (run.path / "summary.json").unlink()
    row = read_history(run).rows[-1]
    rng = np.random.default_rng(0)
    rows = [
        {**row, "epoch": n, "step": 4 * n, "seconds": n * 0.017}
        | {name: float(rng.random()) for name in row if name.startswith(("train_", "validation_"))}
        for n in range(1, 1001)
    ]
    run.metrics.write_text("".join(json.dumps(each) + "\n" for each in rows))
    text = run.read_spec()
    layer = re.search(r"layers:\n(- type: dense.*?)(?=- type: dense)", text, flags=re.S)
    assert layer is not None
    run.change_spec(text.replace(layer[1], layer[1] * 199))
    page = report_on([run.path])
    assert len(page) < 1_000_000
    assert "200 of 1,000 rows" in page
