"""Examples on which a net overflows: named with their place, in validation, the test, evaluation and prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.errors import DataError, DivergedError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

NET = """
layers: [{type: dense, units: 2}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 2, batch_size: 4}
backend: numpy
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(data: str, *overrides: str) -> None:
    follow(session.train(load_text(f"data: {data}{NET}", "s.yaml", overrides), out=Path("out")), [RunSink()])


def write_table(row: int, column: int, value: str) -> None:
    """Twelve rows of numbers around 1, one of them another."""
    cells = [[str(1 + (i * 7 + j) % 5 / 10) for j in range(3)] for i in range(12)]
    cells[row][column] = value
    Path("t.csv").write_text("a,b,y\n" + "".join(f"{','.join(each)}\n" for each in cells))


@pytest.mark.parametrize("kind", ["csv", "table"])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_huge_input_of_a_split_is_named_with_its_line(kind: str, split: str) -> None:
    write_table(10, 1, "1e30")
    with pytest.raises(DataError) as caught:
        train(f"{{type: {kind}, path: t.csv, target: y, {split}: 3, split: ordered}}")
    said = str(caught.value)
    assert "t.csv:12:5: error: the input" in said
    assert f"times the largest of training, and the cost on the {split} split is not finite" in said
    assert "rate" not in said


def test_a_huge_target_is_named() -> None:
    write_table(9, 2, "-3e30")
    with pytest.raises(DataError, match=r"t\.csv:11:\d+: error: the target -3e\+30 is 2e\+30 times the largest of"):
        train("{type: csv, path: t.csv, target: y, validation: 3, split: ordered}")


def test_a_huge_number_of_an_array_is_named() -> None:
    inputs = np.ones((12, 4), np.float32)
    inputs[11, 2] = 1e32
    np.savez("t.npz", inputs=inputs, targets=np.linspace(0.0, 1.5, 12))
    with pytest.raises(DataError, match=r"t\.npz: example 11 \(counted from 0\): the input 1e\+32 is 1e\+32 times"):
        train("{type: npz, path: t.npz, validation: 3, split: ordered}")


def test_a_huge_number_of_training_is_named() -> None:
    write_table(3, 0, "1e30")
    with pytest.raises(DataError, match=r"t\.csv:5:1: error: the input 1e\+30 is 7e\+29 times the largest of the"):
        train("{type: csv, path: t.csv, target: y}")


def test_a_rate_that_is_too_high_is_still_the_fault() -> None:
    """Validation of the size of training: a net that overflows there has learned too fast."""
    write_table(0, 0, "1.0")
    with pytest.raises(DivergedError, match="finite"):
        train("{type: csv, path: t.csv, target: y, validation: 3, split: ordered}", "optimizer.learning_rate=1e9")


def test_a_split_is_evaluated_with_it() -> None:
    write_table(0, 0, "1.0")
    data = "{type: npz, path: t.npz, split: ordered, test: 3}"
    inputs = np.ones((12, 4), np.float32)
    np.savez("t.npz", inputs=inputs, targets=np.linspace(0.0, 1.5, 12))
    train(data, "layers.0.initializer={type: constant, value: 100}", "optimizer.learning_rate=1e-9")
    inputs[10, 3] = 3e38
    np.savez("n.npz", inputs=inputs, targets=np.linspace(0.0, 1.5, 12))
    with pytest.raises(
        DataError, match=r"n\.npz: example 10 \(counted from 0\): the net's answer is (-?inf|nan), no finite"
    ):
        evaluate([open_run(Path("out"))], data=Path("n.npz"))
