"""Sequences of unequal length from tables: filled up, and never worse for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.sources.steps import SequenceSource
from nnctl.errors import DataError

Load = Callable[..., Dataset]
LINES = ["who,t,x,kind", "u,1,1,up", "v,2,6,down", "v,1,8,down", "u,2,2,up", "u,3,3,up", "w,1,5,up", "w,2,5,up"]
STEPS = ["who,x,tag", "u,1,a", "u,2,b", "u,3,a", "v,4,b", "v,5,-100"]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def write(lines: list[str], **fields: Any) -> Dataset:
        (tmp_path / "sequences.csv").write_text("\n".join(lines) + "\n")
        return load_dataset(SequenceSource(path="sequences.csv", group="who", **fields), tmp_path, 0)

    return write


def test_sequences_are_filled_up_behind_their_end(load: Load) -> None:
    data = load(LINES, time="t", target="kind", scale="none")
    assert data.train.inputs[:].tolist() == [
        [[1, 1], [2, 1], [3, 1]],
        [[8, 1], [6, 1], [0, 0]],
        [[5, 1], [5, 1], [0, 0]],
    ]
    assert data.signature.classes == ("down", "up")
    assert data.train.targets.tolist() == [1, 0, 1]


def test_scaling_is_that_of_the_training_sequences_alone_and_leaves_what_is_filled_up(load: Load) -> None:
    data = load(LINES, time="t", target="kind", test=1, split="ordered", length=4)
    # u and v train: 1, 2, 3, 8 and 6 have the mean 4 and the variance 34/5.
    np.testing.assert_allclose(data.train.inputs[0, :3, 0], (np.array([1, 2, 3]) - 4) / np.sqrt(6.8), rtol=1e-6)
    assert data.test is not None
    assert data.test.inputs[0, 2:].tolist() == [[0, 0], [0, 0]]
    assert data.fitted["sequences"]["x"]["shift"] == 4.0


def test_labels_of_steps_are_left_out_behind_the_end(load: Load) -> None:
    data = load(STEPS, target="tag", per="step")
    assert data.signature.classes == ("a", "b")
    assert data.signature.ignores
    assert data.train.targets.tolist() == [[0, 1, 0], [1, -1, -1]]
    other = load([line.replace("-100", "-1") for line in STEPS], target="tag", per="step", ignore=-1)
    assert other.train.targets.tolist() == data.train.targets.tolist()


def test_values_of_sequences(load: Load) -> None:
    lines = ["who,x,amount", "u,1,2.5", "u,2,2.5", "v,3,7.5"]
    assert load(lines, target="amount").train.targets.tolist() == [[2.5], [7.5]]


@pytest.mark.parametrize(
    ("lines", "fields", "words"),
    [
        ([*LINES[:4], "u,2,2,down"], {"target": "kind"}, r"sequences\.csv:5:.*another target .* of 'u'.*per: step"),
        (LINES, {"target": "kind", "length": 2}, "sequence 'u' has 3 steps, and at most 2 are read: length says it"),
        (["who,x,y", "u,a,1", "v,b,2"], {"target": "y"}, "column 'x' holds no numbers"),
        (["who,x,y", "u,1,1.5", "u,2,2.5"], {"target": "y", "per": "step"}, "column 'y' holds values, and those"),
        (["who,x,y", "u,1,a", ",2,b"], {"target": "y"}, r"sequences\.csv:3:.*which says whose series it is"),
    ],
)  # fmt: skip
def test_tables_that_are_no_sequences(lines: list[str], fields: dict[str, Any], words: str, load: Load) -> None:
    with pytest.raises(DataError, match=f"(?s){words}"):
        load(lines, **fields)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"columns": ("x", "who")}, "column who orders the sequences"),
        ({"columns": ("y",)}, "column y is the target, too"),
        ({"per": "step", "target_type": "values"}, "a step has one label"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], words: str) -> None:
    problems = SequenceSource(path="s.csv", group="who", target="y", **fields).problems()
    assert any(words in problem.message for problem in problems)


def test_the_signature_is_that_of_the_loaded_set(load: Load, tmp_path: Path) -> None:
    for lines, fields in ((LINES, {"time": "t", "target": "kind"}), (STEPS, {"target": "tag", "per": "step"})):
        data = load(lines, **fields)
        source = SequenceSource(path="sequences.csv", group="who", **fields)
        assert source.signature(tmp_path) == data.signature


def test_the_class_filter_leaves_sequences_out(load: Load) -> None:
    lines = [*LINES, "z,1,100,odd", "y,1,7,down"]
    data = load(lines, time="t", target="kind", classes=("up", "down"))
    assert data.train.targets.tolist() == [0, 1, 0, 1]
    assert data.train.inputs.shape == (4, 3, 2)
    # The others alone are of influence: 1, 2, 3, 8, 6, 5, 5, 7.
    assert data.fitted["sequences"]["x"]["shift"] == 37 / 8
