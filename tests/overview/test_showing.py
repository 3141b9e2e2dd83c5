"""Runs shown on a terminal: what is drawn, at every size, and while rows come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnctl.errors import UsageError
from nnctl.figures.figure import Curve
from nnctl.overview.panels import panel_lines, panels
from nnctl.overview.showing import View, rows_of
from nnctl.overview.state import Directions, best_row, seconds_left, sentences
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.folder import RunFolder
from nnctl.runs.following import Followed
from nnctl.runs.history import History, read_history
from nnctl.spec.load import load_text
from nnctl.training.events import Event
from nnctl.training.session import train

SPEC = """
data: {type: blobs, examples: 60, validation: 20, test: 20}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1}
schedule: {epochs: 4, learning_rate: {type: exponential, gamma: 0.9}}
backend: numpy
"""


def events(folder: Path, *settings: str) -> Iterator[Event]:
    return train(load_text(SPEC, "n.yaml", settings, folder.parent), out=folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[History]:
    path = tmp_path_factory.mktemp("runs")
    for name, rate in (("a", "0.1"), ("b", "0.01")):
        follow(events(path / name, f"optimizer.learning_rate={rate}"), [RunSink()])
    return [read_history(RunFolder(path / name)) for name in "ab"]


def test_one_run_has_its_splits_in_a_chart_and_several_have_a_chart_a_column(runs: list[History]) -> None:
    charts = panels(runs[:1])
    assert [chart.title for chart in charts] == ["cost", "accuracy", "learning rate"]
    assert [layer.name for layer in charts[0].layers] == ["train", "validation"]
    first = charts[0].layers[1]
    assert isinstance(first, Curve)
    assert first.y.tolist() == [row["validation_cost"] for row in runs[0].rows]
    assert first.x.tolist() == [1, 2, 3, 4]
    charts = panels(runs)
    titles = ["train cost", "validation cost", "train accuracy", "validation accuracy", "learning rate"]
    assert [chart.title for chart in charts] == titles
    assert [layer.name for layer in charts[0].layers] == [run.name for run in runs]


def test_a_rate_that_stays_the_same_is_not_drawn_and_columns_can_be_chosen(runs: list[History]) -> None:
    same = replace(runs[0], rows=[{**row, "learning_rate": 0.1} for row in runs[0].rows])
    assert "learning rate" not in [chart.title for chart in panels([same])]
    assert [chart.title for chart in panels(runs[:1], columns=["learning_rate"])] == ["learning rate"]
    assert panels(runs[:1], log=True)[0].y.log
    assert not panels(runs[:1], log=True)[1].y.log
    steps = panels(runs[:1], by="step")[0].layers[0]
    assert isinstance(steps, Curve)
    assert steps.x.tolist() == [row["step"] for row in runs[0].rows]
    with pytest.raises(UsageError, match="validation_accuracy"):
        panels(runs, columns=["validation_acuracy"])


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 50), (20, 5), (5, 1), (300, 8)])
def test_a_view_fits_every_screen(size: tuple[int, int], plain: bool, runs: list[History]) -> None:
    width, height = size
    for shown in (runs[:1], runs, runs * 20):
        lines = View().lines(shown, width, height, plain=plain)
        assert len(lines) <= height
        assert max(line.cell_len for line in lines) <= width


def test_charts_stand_beside_one_another_where_there_is_room(runs: list[History]) -> None:
    charts = panels(runs[:1])
    assert len(panel_lines(charts, 200, None, plain=True)) == 16
    assert len(panel_lines(charts, 80, None, plain=True)) == 48
    wide = panel_lines(charts, 200, None, plain=True)[0].plain
    assert wide.split("  ") != ["cost"]
    assert [title in wide for title in ("cost", "accuracy", "learning rate")] == [True] * 3


def test_the_state_of_a_finished_run(runs: list[History]) -> None:
    said = list(sentences(runs[0], Directions()))
    assert "finished, 4 epochs" in said[0]
    assert said[1].startswith(
        f"best: epoch {runs[0].summary and runs[0].summary['best']['epoch']:g}, validation accuracy"
    )
    assert "learning rate" in said[2]
    assert said[3].startswith("test: with the weights of epoch 4, test cost")


def test_the_best_row_of_an_unfinished_run_is_that_of_the_finished_one(runs: list[History]) -> None:
    for run in runs:
        assert run.summary is not None
        assert best_row(replace(run, summary=None, state="unfinished"), Directions()) == run.summary["best"]


def test_the_time_that_is_left_goes_on_between_rows(runs: list[History]) -> None:
    rows = [{**row, "seconds": 10.0 + 2 * i} for i, row in enumerate(runs[0].rows[:2])]
    run = replace(runs[0], rows=rows, summary=None, state="training")
    written = run.run.metrics.stat().st_mtime
    assert seconds_left(run, written) == 4.0  # two more epochs of two seconds; the first took ten
    assert seconds_left(run, written + 3) == 1.0
    assert seconds_left(run, written + 30) == 0.0
    assert seconds_left(replace(run, rows=[]), written) is None
    assert "training, 2 of 4 epochs, at most 4.0 s left" in next(sentences(run, Directions(), lambda: written))
    assert "--resume" in next(sentences(replace(run, state="unfinished"), Directions()))


def test_rows_come_as_they_are_written_until_the_run_ends(tmp_path: Path) -> None:
    training, sink = events(tmp_path / "a"), RunSink()
    kept: list[dict[str, object]] = []

    def go_on(seconds: float) -> None:
        for event in training:
            sink.handle(event)
            if (record := getattr(event, "record", None)) is not None:
                kept.append(dict(record))
                return
        sink.close()

    go_on(0)
    given = []
    for row in rows_of([Followed(RunFolder(tmp_path / "a"))], until_end=True, pause=go_on):
        assert row == {"run": str(tmp_path / "a"), **kept[len(given)]}
        given.append(row)
    assert [row["event"] for row in given] == ["evaluation"] * 4 + ["test"]
    again = list(rows_of([Followed(RunFolder(tmp_path / "a"))], until_end=False))
    assert again == given
    some = list(rows_of([Followed(RunFolder(tmp_path / "a"))], ["train_cost"], until_end=False))
    assert [*some[0]] == ["run", "event", "epoch", "step", "seconds", "train_cost"]
    assert some == [{name: row[name] for name in some[0]} for row in given]
    with pytest.raises(UsageError, match="--columns train_cots: no row has it\n  did you mean one of train_cost"):
        list(rows_of([Followed(RunFolder(tmp_path / "a"))], ["train_cots"], until_end=False))


def test_what_was_not_measured_is_no_curve(runs: list[History]) -> None:
    empty = replace(runs[0], rows=[], summary=None)
    assert panels([empty]) == []
    both = panels([runs[0], empty])
    assert [len(chart.layers) for chart in both] == [1] * 5
    nothing = replace(runs[0], rows=[{**row, "validation_cost": None} for row in runs[0].rows])
    assert np.isnan(panels([nothing])[0].layers[1].y).all()
