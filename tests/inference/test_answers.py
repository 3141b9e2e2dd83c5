"""Answers as lines: the same bytes that a writer of rows makes, and numbers that read back equal."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from nnctl.inference.answers import Answers, csv_lines, json_lines
from nnctl.screen.characters import json_line

NAMES = ("a", 'say "no", 100%', "zwei\nZeilen", "\u202eß\\")
CELLS = ["k", 'l "x", y', None, "\x1b[2J", "%s"]


def answers(kind: str) -> Answers:
    rng = np.random.default_rng(0)
    scores = rng.random((5, 4)) * 10.0 ** rng.integers(-20, 20, (5, 4))
    places = {
        "cell": CELLS,
        "index": range(5),
        "flag": [True, False, None, True, False],
        "x": [0.1, 1e-7, None, 2.0, 3],
    }
    if kind == "values":
        return Answers(places, scores)
    if kind == "named":
        return Answers(places, scores, None, ("price", "cell", "b", "%"))
    if kind == "nested":
        return Answers(places, scores.reshape(5, 2, 2, 1))
    ranked = np.argsort(-scores, axis=1)[:, :2] if kind == "ranked" else None
    return Answers(places, scores, NAMES, None, ranked)


KINDS = ["values", "named", "nested", "classes", "ranked"]


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_json_is_that_of_the_rows(kind: str, ascii_only: bool) -> None:
    given = answers(kind)
    expected = "".join(json_line(row, ascii_only=ascii_only) + "\n" for row in given.rows())
    assert "".join(json_lines(iter([given]), ascii_only=ascii_only)) == expected
    for line, row in zip(expected.splitlines(), given.rows(), strict=True):
        assert json.loads(line) == row


@pytest.mark.parametrize("kind", KINDS)
def test_csv_reads_back_equal(kind: str) -> None:
    given = answers(kind)
    text = "".join(csv_lines(iter([given, given])))
    head, *lines = csv.reader(io.StringIO(text, newline=""))
    assert len(lines) == 10
    assert head[:2] == ["cell", "index"]
    for line, row, scores in zip(lines, given.rows(), given.scores):
        cells = dict(zip(head, line, strict=True))
        assert cells["cell"] == (row["cell"] or "")
        if kind == "ranked":
            found = {cells[f"class.{i}"]: float(cells[f"probability.{i}"]) for i in (1, 2)}
            assert found == row["probabilities"]
        elif kind == "classes":
            assert [float(cells[f"probability.{name}"]) for name in NAMES] == scores.tolist()
        elif kind == "named":
            named = ["price", "prediction.cell", "b", "%"]
            assert [float(cells[name]) for name in named] == scores.tolist()
        else:
            assert [float(cells[f"value.{i}"]) for i in range(4)] == scores.ravel().tolist()
        if kind in ("ranked", "classes"):
            assert (cells["prediction"], float(cells["probability"])) == (row["prediction"], row["probability"])


def test_of_equal_outputs_the_first_class_answers() -> None:
    given = Answers({"index": [0]}, np.array([[0.25, 0.375, 0.375]]), ("a", "b", "c"))
    assert next(given.rows())["prediction"] == "b"
    assert "".join(csv_lines(iter([given]))).endswith("\n0,b,0.375,0.25,0.375,0.375\n")


def test_pieces_are_bounded_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    given = answers("ranked")
    whole = "".join(csv_lines(iter([given])))
    monkeypatch.setattr("nnctl.inference.answers._MOST_NUMBERS", 8)
    assert [len(piece) for piece in given.pieces()] == [2, 2, 1]
    assert "".join(csv_lines(iter([given]))) == whole
