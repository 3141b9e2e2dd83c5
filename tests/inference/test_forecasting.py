"""Forecasts in closed loop: a linear recurrence goes on as it must; what the future lacks is named."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.errors import DataError, UsageError
from nnctl.inference.answers import Answers
from nnctl.inference.evaluation import evaluate
from nnctl.inference.forecasting import forecast
from nnctl.inference.opened import read_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

LINEAR = """
layers: [flatten, {type: dense, units: UNITS}]
cost: mse
optimizer: {type: ridge, strength: 1.0e-12}
schedule: {epochs: 1, batch_size: full}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, *rows: tuple[Any, ...]) -> Path:
    Path(name).write_text("".join(",".join(map(str, row)) + "\n" for row in rows))
    return Path(name)


def train(data: str, units: int) -> Path:
    text = f"data: {{type: series, {data}}}\n{LINEAR.replace('UNITS', str(units))}"
    follow(session.train(load_text(text, "s.yaml", ("backend=numpy",)), out=Path("run")), [RunSink()])
    return Path("run")


def forecasts(steps: int, path: Path | None = None) -> Answers:
    return forecast(read_run(Path("run")), steps, path)


def wave(t: int) -> float:
    """x_t = 2cos(0.3)·x_{t−1} − x_{t−2} + c: what a linear net of two steps learns exactly."""
    return 500.0 + 100.0 * math.sin(0.3 * t)


@pytest.mark.parametrize("horizon", [1, 4])
def test_a_linear_recurrence_goes_on(horizon: int) -> None:
    write("t.csv", ("x",), *((wave(t),) for t in range(60)))
    train(f"path: t.csv, window: 2, horizon: {horizon}", horizon)
    answers = forecasts(30)
    assert answers.values == ("x",)
    assert answers.places["step"] == [*range(1, 31)]
    np.testing.assert_allclose(answers.scores[:, 0], [wave(t) for t in range(60, 90)], atol=0.5)


def test_two_columns_read_each_other() -> None:
    # x_t = y_{t−1}, y_t = −x_{t−1} + 10: a turn of four steps.
    steps = [(3.0, 4.0)]
    while len(steps) < 30:
        x, y = steps[-1]
        steps.append((y, 10.0 - x + 0.1 * (len(steps) % 7)))
    write("t.csv", ("x", "y"), *steps)
    train("path: t.csv, window: 1", 2)
    # Another table, its columns in another order, with one that is none of the run's.
    write("other.csv", ("z", "y", "x"), ("a", 1, 1), ("b", 7, 2))
    x, y = forecasts(1, Path("other.csv")).scores[0]
    answers = forecasts(2, Path("other.csv"))
    assert answers.scores[0].tolist() == [x, y]
    assert x == pytest.approx(7.0, abs=0.05)
    write("next.csv", ("x", "y"), (x, y))
    np.testing.assert_allclose(forecasts(1, Path("next.csv")).scores[0], answers.scores[1], rtol=1e-5)


def test_each_group_goes_on_by_itself_with_its_times(caplog: pytest.LogCaptureFixture) -> None:
    rows = [(g, f"2024-01-{day:02d}", wave(day + shift)) for day in range(1, 30) for g, shift in (("b", 0), ("a", 9))]
    write("t.csv", ("g", "day", "x"), *rows, ("c", "2024-01-01", 1))
    train("path: t.csv, group: g, time: day, window: 2", 1)
    answers = forecasts(3)
    assert answers.places["g"] == ["b"] * 3 + ["a"] * 3
    assert answers.places["day"] == ["2024-01-30", "2024-01-31", "2024-02-01"] * 2
    expected = [wave(day + shift) for shift in (0, 9) for day in range(30, 33)]
    np.testing.assert_allclose(answers.scores[:, 0], expected, atol=0.05)
    assert "1 of 3 series are shorter than the 2 steps that the net reads, and left out: c" in caplog.text


def test_known_columns_are_read_from_rows_to_come() -> None:
    # x_t = x_{t−1} + u_{t−1}.
    u = [t % 3 for t in range(40)]
    x = np.cumsum([0, *u]).tolist()
    rows = [(t, x[t] if t < 30 else "", u[t]) for t in range(36)]
    write("t.csv", ("t", "x", "u"), *rows)
    train("path: t.csv, time: t, columns: [x, u], target: x, known: [u], window: 1", 1)
    answers = forecasts(7)
    np.testing.assert_allclose(answers.scores[:, 0], x[30:37], atol=1e-3)
    assert answers.places["t"] == [*range(30, 37)]
    with pytest.raises(DataError, match="6 rows lie behind the last with a target, and 7 are needed, for u\n  append"):
        forecasts(8)


def test_inputs_that_nobody_foresees_are_named() -> None:
    write("t.csv", ("x", "u", "v"), *((wave(t), t % 3, t % 5) for t in range(40)))
    train("path: t.csv, target: x, window: 2, horizon: 2", 2)
    assert len(forecasts(2)) == 2
    with pytest.raises(UsageError, match=r"beyond the horizon of 2 the net reads u, v, which it does not forecast"):
        forecasts(3)


def test_tables_that_do_not_fit() -> None:
    write("t.csv", ("x",), *((wave(t),) for t in range(20)))
    train("path: t.csv, window: 3", 1)
    with pytest.raises(DataError, match=r"short\.csv: the longest series has 2 steps, and the net reads 3"):
        forecasts(1, write("short.csv", ("x",), (1,), (2,)))
    with pytest.raises(DataError, match=r"other\.csv: there is no column 'x'"):
        forecasts(1, write("other.csv", ("y",), (1,), (2,), (3,)))
    with pytest.raises(DataError, match=r"(?s)gap\.csv:3:.*missing value in column 'x'"):
        forecasts(1, write("gap.csv", ("x", "y"), (1, 1), ("", 1), (3, 1)))
    with pytest.raises(DataError, match=r"(?s)large\.csv:4:.*1e\+300 does not fit single precision"):
        forecasts(1, write("large.csv", ("x",), (1,), (2,), (1e300,)))


def test_a_forecast_that_runs_away_is_named() -> None:
    write("t.csv", ("x",), *((2.0**t,) for t in range(12)))
    train("path: t.csv, window: 1", 1)
    with pytest.raises(DataError, match=r"t\.csv: the forecast of column 'x' for step \d+ is inf, no finite number"):
        forecasts(200)


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", ("t", "x"), *((t, wave(t)) for t in range(40)))
    train("path: t.csv, time: t, columns: [x], window: 2", 1)
    assert main(["predict", "run", "--forecast", "2"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(line) for line in lines] == [["step", "t", "values"]] * 2
    assert lines[1]["t"] == 41
    assert main(["predict", "run", "--forecast", "2", "t.csv", "--out", "f.csv"]) == 0
    with Path("f.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["x"]) for row in rows] == [line["values"]["x"] for line in lines]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["t.csv"], "say --forecast N, with a table that ends where the forecast is to begin"),
        ([], "--forecast N for a net of series"),
        (
            ["--forecast", "2", "t.csv", "t.csv"],
            "--forecast goes on from one table, or from the run's own, and there are 2",
        ),
        (["--forecast", "2", "--top-k", "1"], "--top-k: says nothing to --forecast\n  it goes with INPUT, "),
        (["--forecast", "2", "--sample", "3"], "--forecast: says nothing to --sample\n  it goes with --gibbs-steps, "),
    ],
)
def test_what_does_not_go_together(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    write("t.csv", ("x",), *((wave(t),) for t in range(9)))
    train("path: t.csv, window: 2", 1)
    assert main(["predict", "run", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_steps_of_a_net_on_other_data(capsys: pytest.CaptureFixture[str]) -> None:
    text = "data: {type: xor}\nlayers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood\n"
    loaded = load_text(f"{text}schedule: {{epochs: 1}}", "s.yaml", ("backend=numpy",))
    follow(session.train(loaded, out=Path("run")), [RunSink()])
    assert main(["predict", "run", "--forecast", "2"]) == 2
    assert "only nets trained on data of type series forecast, not on xor" in capsys.readouterr().err


def test_another_table_is_measured_by_what_training_learned() -> None:
    rows = [(t, wave(t) + (t % 5), t % 3) for t in range(60)]
    write("t.csv", ("t", "x", "u"), *rows)
    train("path: t.csv, time: t, target: x, window: 3, horizon: 2", 2)
    run = read_run(Path("run")).start()
    # The same table, its columns in another order, and a series that goes on.
    write("same.csv", ("u", "x", "t"), *((u, x, t) for t, x, u in rows))
    (trained,) = evaluate([run], "train")
    (same,) = evaluate([run], None, data=Path("same.csv"))
    assert same.row["cost"] == pytest.approx(trained.row["cost"], rel=1e-6)
    write("on.csv", ("t", "x", "u"), *((t, wave(t) + t % 5, t % 3) for t in range(60, 90)))
    (on,) = evaluate([run], None, data=Path("on.csv"))
    assert on.row["examples"] == 30 - 4
    assert on.row["cost"] < 10 * trained.row["cost"]
