"""Sequences of unequal length: what is filled up changes no answer, no cost and no gradient."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.data.dataset import load_dataset
from nnctl.engine.engine import load_engine
from nnctl.errors import DataError, UsageError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

LENGTHS = (1, 4, 2, 7, 3, 7)
NET = """
data: {type: sequences, path: t.csv, group: who, columns: [x, y], DATA}
layers:
  - {type: mask, name: there, inputs: [input]}
  - {type: CELL, inputs: [input, there]}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 4, batch_size: 4}
metrics: [accuracy]
"""
CELLS = [
    "rnn, units: 4",
    "lstm, units: 4",
    "gru, units: 4, bidirectional: true",
]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [
        (f"s{number}", *rng.normal(size=2).round(3).tolist(), "ab"[number % 2], "pq"[int(rng.integers(2))])
        for number, length in enumerate(LENGTHS)
        for _ in range(length)
    ]
    write("t.csv", rows)


def write(name: str, rows: list[tuple[Any, ...]]) -> Path:
    lines = ["who,x,y,kind,tag", *(",".join(map(str, row)) for row in rows)]
    Path(name).write_text("\n".join(lines) + "\n")
    return Path(name)


def train(cell: str, data: str, out: str = "run") -> list[dict[str, Any]]:
    text = NET.replace("CELL", cell).replace("DATA", data)
    follow(session.train(load_text(text, "s.yaml", ("backend=numpy",)), out=Path(out)), [RunSink()])
    return [json.loads(line) for line in (Path(out) / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("cell", CELLS)
def test_each_answer_is_that_to_the_sequence_alone(cell: str) -> None:
    train(cell, "target: kind")
    run = open_run(Path("run"))
    together = list(predict(run, [Path("t.csv")]))
    assert [row["who"] for row in together] == [f"s{number}" for number in range(len(LENGTHS))]
    inputs = load_dataset(run.loaded.spec.data, run.loaded.folder, 0).train.inputs[:]
    for row, length, whole in zip(together, LENGTHS, inputs, strict=True):
        alone = load_engine(
            run.loaded, replace(run.signature, input_shape=(length, 3)), examples=len(LENGTHS), backend="numpy"
        )
        alone.assign(run.engine.state())
        expected = alone.outputs(whole[None, :length])[0]
        np.testing.assert_allclose(list(row["probabilities"].values()), expected, rtol=1e-5)


@pytest.mark.parametrize("data", ["target: kind", "target: tag, per: step"])
def test_more_room_changes_neither_costs_nor_training(data: str) -> None:
    cell = f"gru, units: 4, return_sequence: {str('step' in data).lower()}"
    shorter, longer = train(cell, data, "shorter"), train(cell, f"{data}, length: 12", "longer")
    for one, other in zip(shorter, longer, strict=True):
        for column in ("train_cost", "train_accuracy"):
            assert one[column] == pytest.approx(other[column], rel=1e-4)
    assert shorter[-1]["train_cost"] < shorter[0]["train_cost"]


def test_the_cost_of_labelled_steps_is_the_mean_over_those_that_there_are() -> None:
    train("lstm, units: 4, return_sequence: true", "target: tag, per: step")
    run = open_run(Path("run"))
    answers = list(predict(run, [Path("t.csv")]))
    assert [(row["who"], row["step"]) for row in answers][:6] == [
        ("s0", 0), ("s1", 0), ("s1", 1), ("s1", 2), ("s1", 3), ("s2", 0),
    ]  # fmt: skip
    tags = [line.split(",")[4] for line in Path("t.csv").read_text().splitlines()[1:]]
    assert len(answers) == len(tags) == sum(LENGTHS)
    cost = -np.mean([np.log(row["probabilities"][tag]) for row, tag in zip(answers, tags, strict=True)])
    accuracy = np.mean([row["prediction"] == tag for row, tag in zip(answers, tags, strict=True)])
    (result,) = evaluate([run], "train")
    assert result.row["cost"] == pytest.approx(cost, rel=1e-5)
    assert result.row["accuracy"] == pytest.approx(accuracy)


def test_another_table_is_read_by_what_training_learned() -> None:
    train(CELLS[0], "target: kind")
    run = open_run(Path("run"))
    together = list(predict(run, [Path("t.csv")]))
    lines = Path("t.csv").read_text().splitlines()
    # One of the sequences, its columns in another order, without the target.
    cells = [line.split(",") for line in lines if line.startswith("s4,")]
    Path("other.csv").write_text("y,who,x\n" + "".join(f"{c[2]},{c[0]},{c[1]}\n" for c in cells))
    (answer,) = predict(run, [Path("other.csv")])
    assert answer["who"] == "s4"
    assert answer["probability"] == pytest.approx(together[4]["probability"], rel=1e-6)
    write("long.csv", [("z", 1, 2, "a", "p")] * 8)
    with pytest.raises(DataError, match=r"long\.csv: sequence 'z' has 8 steps, and at most 7 are read"):
        list(predict(run, [Path("long.csv")]))
    with pytest.raises(UsageError, match="--keep kind: an answer is to a sequence"):
        list(predict(run, [Path("t.csv")], keep=["kind"]))


def test_the_command_writes_a_line_a_sequence(capsys: pytest.CaptureFixture[str]) -> None:
    train(CELLS[0], "target: kind")
    assert main(["predict", "run", "t.csv", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "who,prediction,probability,probability.a,probability.b"
    assert len(lines) == 1 + len(LENGTHS)


@pytest.mark.parametrize("data", ["target: kind", "target: tag, per: step"])
def test_another_table_is_measured(data: str) -> None:
    train(f"gru, units: 4, return_sequence: {str('step' in data).lower()}", data)
    run = open_run(Path("run"))
    (trained,) = evaluate([run], "train")
    (same,) = evaluate([run], None, data=Path("t.csv"))
    assert same.row["cost"] == pytest.approx(trained.row["cost"], rel=1e-6)
    # Without the longest there is room that nobody fills.
    header, *lines = Path("t.csv").read_text().splitlines()
    short = [line for line in lines if line.startswith(("s0", "s1"))]
    Path("short.csv").write_text("\n".join([header, *short]) + "\n")
    (other,) = evaluate([run], None, data=Path("short.csv"))
    answers = list(predict(run, [Path("short.csv")]))
    truth = [line.split(",")[4] for line in short] if "step" in data else ["a", "b"]
    cost = -np.mean([np.log(row["probabilities"][each]) for row, each in zip(answers, truth, strict=True)])
    assert other.row["cost"] == pytest.approx(cost, rel=1e-5)
