"""The sections on a trained net, of every kind of task, and where there is little to tell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import nnctl
from nnctl.figures.figure import Chart, Gallery, HeatMap, Plane
from nnctl.inference.examination import ValuesExamined
from nnctl.inference.opened import open_run
from nnctl.inference.residuals import Residuals
from nnctl.report import page
from nnctl.report.layers import layers_over_time
from nnctl.report.net import trained_net
from nnctl.report.section import Chapter, Drawn, Link, Listed, Part, Place, Prose, Section, Written
from nnctl.report.values import _compared
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.folder import RunFolder
from nnctl.runs.history import History, read_history
from nnctl.runs.records import Row
from nnctl.spec.load import load_text
from nnctl.training.session import train

HEAD = "cost: log_likelihood\nschedule: {epochs: 1, batch_size: 20}\nbackend: numpy\n"
BLOBS = (
    HEAD
    + """
data: {type: blobs, centers: 3, examples: 300, noise: 3.0, validation: 100}
layers: [{type: dense, units: 3, activation: softmax}]
"""
)
HOSTILE = "<script>alert(1)</script>\x1b[31m" + "y" * 10_000


def sections(text: str, folder: Path) -> dict[str, Section]:
    follow(train(load_text(text, "spec.yaml", [], folder), out=folder / "run"), [RunSink()])
    return reported(folder)


def reported(folder: Path) -> dict[str, Section]:
    history = read_history(RunFolder(folder / "run"))
    found = [*layers_over_time(history), *trained_net(open_run(folder / "run"))]
    return {section.title: section for section in found}


def figures(section: Section) -> dict[str, object]:
    return {part.figure.title: part.figure for part in section.parts if isinstance(part, Drawn)}


def table(section: Section, caption: str) -> tuple[tuple[object, ...], ...]:
    return next(p.table.rows for p in section.parts if isinstance(p, Listed) and p.caption.startswith(caption))


def words(parts: tuple[Part, ...]) -> str:
    return " ".join(part.text for part in parts if isinstance(part, Prose))


def test_confusions_lead_to_their_worst_examples(tmp_path: Path) -> None:
    found = sections(BLOBS, tmp_path)
    assert list(found) == ["Confusions", "Each class", "Calibration", "Curves over all thresholds", "Decision boundary"]
    confusions = found["Confusions"]
    rows = table(confusions, "Confusion matrix")
    links = {cell.place: int(cell.text) for row in rows for cell in row if isinstance(cell, Link)}
    places = {part.name: part.parts for part in confusions.parts if isinstance(part, Place)}
    assert links
    assert links.keys() == places.keys()
    shown = {name: parts[0].table.rows for name, parts in places.items() if isinstance(parts[0], Listed)}
    assert sum(len(rows) for rows in shown.values()) <= 24
    assert all(len(rows) <= links[name] for name, rows in shown.items())
    assert isinstance(next(iter(figures(found["Decision boundary"]).values())), Plane)


def test_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "p.npz", inputs=rng.integers(0, 256, (80, 6, 6, 1), dtype=np.uint8), targets=np.arange(80) % 2)
    found = sections(
        HEAD + """
data: {type: npz, path: p.npz, validation: 30}
layers: [{type: conv2d, filters: 3, kernel: 3, activation: relu}, flatten, {type: dense, units: 2, activation: softmax}]
watch: layers
""",
        tmp_path,
    )  # fmt: skip
    worst = [part.parts[0] for part in found["Confusions"].parts if isinstance(part, Place)]
    assert worst
    assert all(isinstance(part, Drawn) and isinstance(part.figure, Gallery) for part in worst)
    assert {"Filters", "An example on its way", "Layers over time"} <= found.keys()
    titles = list(figures(found["Layers over time"]))
    assert titles[0] == "Norm of the weights ‖w‖"
    assert titles[-1] == "Share of dead units"


def test_values(tmp_path: Path) -> None:
    found = sections(
        """
data: {type: sine, examples: 100, validation: 40}
layers: [{type: dense, units: 3, activation: tanh}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 1, batch_size: 20}
backend: numpy
""",
        tmp_path,
    )
    assert list(found) == ["Predicted and true", "Residuals", "Worst examples", "An example on its way"]
    chart = figures(found["Predicted and true"])["Predicted against true"]
    assert isinstance(chart, Chart)
    assert len(chart.layers[0].y) == 40
    worst = table(found["Worst examples"], "The largest errors")
    assert len(worst) == 24
    for row in worst:
        _, error, predicted, true, _ = row
        assert abs(predicted - true) == pytest.approx(error, rel=1e-6)
    assert [row[1] for row in worst] == sorted((row[1] for row in worst), reverse=True)


def test_worst_examples_of_many_values_are_curves(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "p.npz", inputs=rng.random((60, 3), np.float32), targets=rng.random((60, 7), np.float32))
    text = """
data: {type: npz, path: p.npz, validation: 30}
layers: [{type: dense, units: 7}]
cost: mse
schedule: {epochs: 1, batch_size: 20}
backend: numpy
"""
    worst = sections(text, tmp_path)["Worst examples"]
    drawn = list(figures(worst).values())
    assert len(drawn) == 4
    for chart, row in zip(drawn, table(worst, "The largest errors")):
        assert isinstance(chart, Chart)
        predicted, true = (layer.y for layer in chart.layers)
        assert chart.title.startswith(f"Example {row[0]}:")
        assert np.sqrt(np.square(predicted - true).mean()) == pytest.approx(row[1])


def test_worst_forecasts_are_a_curve_a_target() -> None:
    rng = np.random.default_rng(0)
    a, y = rng.random((2, 5, 6))
    found = ValuesExamined(Residuals(y.mean(axis=0)), a, y, tuple((row, 0.1, a[row], y[row]) for row in range(5)))
    drawn = [part.figure for part in _compared(found, ["load", "solar"]) if isinstance(part, Drawn)]
    said = ["Example 0, load", "Example 0, solar", "Example 1, load", "Example 1, solar"]
    assert [figure.title for figure in drawn] == [f"{each}: predicted and true" for each in said]
    assert isinstance(drawn[3], Chart)
    assert np.array_equal(drawn[3].layers[1].y, y[1, 1::2])


@pytest.mark.parametrize("in_memory", ["true", "false"])
def test_worst_examples_of_a_table_are_its_own_rows(tmp_path: Path, in_memory: str) -> None:
    rng = np.random.default_rng(0)
    lines = [
        f"K-{row:03};{row % 50 if row % 7 else ''};{1000 + row},50 €;{('Köln', '<b>Ulm</b>')[row % 2]};"
        f"{1 + row % 28:02}.03.2021;{('bleibt', 'geht')[value]}"
        for row, value in enumerate(rng.integers(0, 2, 90))
    ]
    path = tmp_path / "t.csv"
    path.write_text("Nr.;Alter;Lohn;Ort;seit;was\n" + "\n".join(lines) + "\n", encoding="utf-8")
    found = sections(
        HEAD + f"""
data:
  type: table
  path: t.csv
  delimiter: ";"
  target: was
  in_memory: {in_memory}
  columns:
    Nr.: ignore
    Alter: {{type: number, missing: median, flag: true}}
    Lohn: {{type: number, decimal: ",", unit: €}}
    seit: {{type: date, format: "%d.%m.%Y"}}
  validation: 30
layers: [{{type: dense, units: 2, activation: softmax}}]
""",
        tmp_path,
    )  # fmt: skip
    run = open_run(tmp_path / "run")
    shown = [part.parts[0] for part in found["Confusions"].parts if isinstance(part, Place)]
    assert shown
    for part in shown:
        assert isinstance(part, Listed)
        assert part.table.columns[3:] == ("Nr.", "Alter", "Lohn", "Ort", "seit")
        for _, score, _, *cells in part.table.rows:
            written = [cell.text if isinstance(cell, Written) else cell or "" for cell in cells]
            line = next(line for line in lines if line.startswith(";".join(written) + ";"))
            (tmp_path / "one.csv").write_text(f"Nr.;Alter;Lohn;Ort;seit;was\n{line}\n", encoding="utf-8")
            (answered,) = nnctl.load_run(tmp_path / "run").predict(tmp_path / "one.csv")
            right = line.rpartition(";")[2]
            assert run.classes[int(answered.argmax())] != right
            assert answered.max() == pytest.approx(score, abs=1e-6)


def test_data_that_is_gone_or_changed_is_told_and_the_rest_stays(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "p.npz"
    np.savez(path, inputs=rng.random((60, 4, 4), np.float32), targets=np.arange(60) % 2)
    text = (
        HEAD
        + """
data: {type: npz, path: p.npz, validation: 20}
layers: [flatten, {type: dense, units: 2, activation: softmax}]
"""
    )
    sections(text, tmp_path)
    np.savez(path, inputs=rng.random((60, 4, 4), np.float32), targets=np.arange(60) % 2)
    found = reported(tmp_path)
    assert "the data is not what this run was trained on" in words(found["Answers"].parts)
    assert list(found) == ["Answers", "Filters"]
    path.unlink()
    assert "p.npz" in words(reported(tmp_path)["Answers"].parts)


def test_without_a_validation_split_it_is_said_that_it_was_trained_with(tmp_path: Path) -> None:
    found = sections(BLOBS.replace(", validation: 100", ""), tmp_path)
    assert "that the net was trained with" in words(found["Confusions"].parts)


def test_hostile_names_and_a_split_of_one_class(tmp_path: Path) -> None:
    names = [HOSTILE, "empty\x1b[2J"]
    rows = "\n".join(f'{x},"{names[0]}"' for x in range(40))
    # The second class is in the training rows alone.
    (tmp_path / "t.csv").write_text(f'x,name\n{rows}\n41,"{names[1]}"\n')
    text = (
        HEAD
        + """
data: {type: csv, path: t.csv, target: name, validation: 10, seed: 3}
layers: [{type: dense, units: 2, activation: softmax}]
"""
    )
    found = sections(text, tmp_path)
    whole = page.page("t", "l", [Chapter("c", tuple(found.values()))])
    assert "<script>alert" not in whole
    assert "\x1b" not in whole
    assert max(map(len, re.findall("y+", whole))) < 500
    assert len(whole) < 400_000
    first, second, _ = table(found["Each class"], "Precision")
    assert first[1] == 10
    assert second[1] == 0
    assert second[4] is None
    assert not [part for part in found["Curves over all thresholds"].parts if isinstance(part, Drawn)]


def test_two_hundred_layers_over_a_thousand_epochs_are_rows_of_heat_maps() -> None:
    layers = [f"{HOSTILE}{number}" for number in range(200)]
    measured = {"weight_norm": 1.0, "gradient_norm": None, "dead": 0}
    rows: list[Row] = [
        {"epoch": epoch, "step": 10 * epoch, "layer": layer, **measured} for epoch in range(1000) for layer in layers
    ]

    class Watched(History):
        def layers(self) -> list[Row]:
            return rows

    run = Watched(RunFolder(Path("run")), "training", {}, {}, [], None)
    (section,) = layers_over_time(run)
    drawn = figures(section)
    assert list(drawn) == ["Norm of the weights ‖w‖, as log₁₀", "Share of dead units"]
    norms = drawn["Norm of the weights ‖w‖, as log₁₀"]
    assert isinstance(norms, HeatMap)
    assert norms.values.shape == (200, 320)
    assert (norms.x.categories[0], norms.x.categories[-1]) == ("0", "999")
    assert norms.values[:, -1] == pytest.approx(0.0)
    assert len(page.page("t", "l", [Chapter("c", (section,))])) < 200_000
