"""Answers to tables: columns by name in any order and any kind of file, and what does not fit, named."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from nnctl.cli import main
from nnctl.errors import DataError, UsageError
from nnctl.inference.opened import open_run, read_run
from nnctl.inference.prediction import answer, predict, scores, scores_of
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

ROWS = [
    ("customer", "age", "country", "income", "churned"),
    ("017", "31", "fr", "1200.50", "no"),
    ("018", "45", "de", "900", "yes"),
    ("019", "27", "fr", "3100", "no"),
    ("020", "62", "it", "700", "yes"),
    ("021", "50", "de", "1500.25", "yes"),
    ("022", "19", "it", "2500", "no"),
]
NET = "layers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood\nschedule: {epochs: 3}\n"
CSV = f"data: {{type: csv, path: t.csv, target: churned, ignore: [customer], transforms: [standardize]}}\n{NET}"
TABLE = f"data: {{type: table, path: t.csv, target: churned, columns: {{customer: ignore}}}}\n{NET}"
VALUES = """
data: {type: TYPE, path: t.csv, target: income, target_transforms: [standardize]}
layers: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 1}]
cost: mse
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 300}
"""


def write(name: str, *columns: str, rows: list[tuple[str, ...]] = ROWS, between: str = ",") -> Path:
    """A file of some of the columns; of all, where none is named."""
    places = [rows[0].index(column) for column in columns or rows[0]]
    Path(name).write_text("".join(between.join(row[i] for i in places) + "\n" for row in rows))
    return Path(name)


def train(text: str, out: str, *overrides: str) -> None:
    follow(session.train(load_text(text, "s.yaml", ("backend=numpy", *overrides)), out=Path(out)), [RunSink()])


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write("t.csv")


def probabilities(run: str, path: Path, **options: Any) -> list[dict[str, float]]:
    return [row["probabilities"] for row in predict(open_run(Path(run)), [path], **options)]


@pytest.mark.parametrize("text", [CSV, TABLE], ids=["csv", "table"])
def test_columns_are_found_by_name(text: str) -> None:
    train(text, "out")
    expected = probabilities("out", Path("t.csv"))
    assert len(expected) == 6
    assert len({row["yes"] for row in expected}) == 6
    for columns in (("income", "country", "age"), ("churned", "age", "customer", "income", "country")):
        assert probabilities("out", write("n.csv", *columns)) == expected
    table = pyarrow.csv.read_csv("t.csv").select(["country", "income", "age"])
    pyarrow.parquet.write_table(table, "n.parquet")
    pyarrow.feather.write_feather(table, "n.feather")
    for name in ("n.parquet", "n.feather", write("n.tsv", "age", "country", "income", between="\t")):
        assert probabilities("out", Path(name)) == expected


def test_the_inputs_are_those_of_training() -> None:
    """The answers are the net's own to what its columns were in training, in float64 by hand."""
    write("back.csv", "income", "country", "age", "churned")
    train(TABLE, "out", "data.path=back.csv", "data.columns={}")
    run = open_run(Path("out"))
    numbers = np.array([[float(row[1]), float(row[3])] for row in ROWS[1:]])
    age, income = ((numbers - numbers.mean(0)) / numbers.std(0)).T
    countries = np.array([[row[2] == name for name in ("de", "fr", "it")] for row in ROWS[1:]])
    inputs = np.column_stack([income, countries, age]).astype(np.float32)
    expected = run.scores(inputs)
    found = [list(row.values()) for row in probabilities("out", write("n.csv", "country", "age", "income"))]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_table_of_text_columns_is_answered_though_its_own_cells_tell_no_kind() -> None:
    train(TABLE, "out", "data.columns.age={type: number, missing: 40}")
    (row,) = probabilities("out", write("n.csv", rows=[ROWS[0], ("9", "", "fr", "0100", "")]))
    assert sum(row.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("text", [CSV, TABLE], ids=["csv", "table"])
def test_what_does_not_fit_is_named(text: str) -> None:
    train(text, "out")
    run = open_run(Path("out"))

    def refused(path: Path, **options: Any) -> str:
        with pytest.raises((DataError, UsageError)) as caught:
            list(predict(run, [path], **options))
        return str(caught.value)

    renamed = [("customer", "Age", "country", "income", "churned"), *ROWS[1:]]
    message = refused(write("n.csv", rows=renamed))
    assert message == "n.csv: there is no column age, which the net reads\n  is 'age' called 'Age' there?"
    assert "there are no columns country, income, which the net reads" in refused(write("n.csv", "age", "customer"))
    unseen = [*ROWS[:3], ("1", "20", "jp", "5", "")]
    message = refused(write("n.csv", rows=unseen))
    assert message.startswith("n.csv:4:6: error: 'jp' is no category of the training rows\n  4 | 1,20,jp,5,\n")
    assert refused(write("n.csv", rows=[*ROWS[:3], ("1", "x7", "fr", "5", "")])).startswith("n.csv:4:3: error: 'x7'")
    assert "holds no row" in refused(write("n.csv", rows=ROWS[:1]))
    message = refused(Path("t.csv"), keep=["costumer"])
    assert message == "--keep costumer: t.csv has no such column\n  did you mean 'customer'?"
    assert "answers have a column of that name" in refused(Path("t.csv"), keep=["prediction"])
    np.save("n.npy", np.zeros((1, 5)))
    assert "n.npy is no table" in refused(Path("n.npy"), keep=["customer"])


def test_a_header_that_is_none() -> None:
    """A table's columns have names; those of csv are taken by place, as ever, where there are as many."""
    train(TABLE, "table")
    train(CSV.replace("ignore: [customer]", "ignore: [customer, country]"), "csv")
    bare = write("bare.csv", "age", "income")
    expected = probabilities("csv", bare)
    bare.write_text("".join(bare.read_text().splitlines(keepends=True)[1:]))
    assert probabilities("csv", bare) == expected
    assert probabilities("csv", write("all.csv", rows=ROWS)) == expected
    with pytest.raises(DataError, match="the first row holds no names of columns, and these are found by their names"):
        probabilities("table", bare)
    Path("three.csv").write_text("1,2,3\n")
    with pytest.raises(DataError, match=r"three\.csv has 3 columns, and 2 are wanted\n  give age, income, in"):
        probabilities("csv", Path("three.csv"))


def test_a_csv_without_header_is_matched_by_place() -> None:
    Path("bare.csv").write_text("x1,5,red,0\nx2,6,blue,1\nx3,7,red,1\nx4,8,red,0\n")
    train(f"data: {{type: csv, path: bare.csv, target: -1, ignore: [0]}}\n{NET}", "out")
    expected = probabilities("out", Path("bare.csv"))
    Path("n.csv").write_text("5,red\n6,blue\n7,red\n8,red\n")
    assert probabilities("out", Path("n.csv")) == expected
    assert probabilities("out", write("h.csv", rows=[("n", "c"), ("5", "red")])) == expected[:1]


def test_columns_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    train(TABLE, "out")
    assert main(["predict", "out", "t.csv", "--keep", "customer", "--keep", "churned", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == ["customer", "churned", "prediction", "probability", "probability.no", "probability.yes"]
    assert [(row["customer"], row["churned"]) for row in rows] == [(row[0], row[4]) for row in ROWS[1:]]
    assert main(["predict", "out", "t.csv", "--keep", "customer"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert list(first) == ["customer", "prediction", "probability", "probabilities"]
    assert first["customer"] == "017"


def test_numbers_far_from_those_of_training_are_told(caplog: pytest.LogCaptureFixture) -> None:
    train(TABLE, "out")
    run = open_run(Path("out"))
    list(predict(run, [Path("t.csv")]))
    assert "unit" not in caplog.text
    one = [ROWS[0], ("023", "40", "de", "250000", "no"), ("024", "40", "de", "1500", "no")]
    list(predict(run, [write("one.csv", rows=one)]))
    assert "unit" not in caplog.text
    pence = [ROWS[0], *((*row[:3], f"{100 * float(row[3]):.0f}", row[4]) for row in ROWS[1:])]
    list(predict(run, [write("pence.csv", rows=pence)]))
    told = "pence.csv: column 'income' holds 120,050 and the like in 6 of 6 rows, and training had 1,650.12 ± "
    assert caplog.text.count(told) == 1
    assert "is it the same unit?" in caplog.text
    assert main(["evaluate", "out", "--data", "pence.csv"]) == 0
    assert caplog.text.count(told) == 2


def test_what_is_no_cell_is_not_kept_in_silence() -> None:
    lists = [json.dumps({"tags": ["a"], "age": int(row[1]), "churned": row[4]}) for row in ROWS[1:]]
    Path("t.jsonl").write_text("\n".join(lists))
    train(TABLE.replace("t.csv", "t.jsonl").replace("customer:", "tags:"), "out")
    run = open_run(Path("out"))
    assert len(list(predict(run, [Path("t.jsonl")]))) == len(lists)
    with pytest.raises(UsageError, match="--keep tags: a cell is a single value, and it holds a list in t"):
        list(predict(run, [Path("t.jsonl")], keep=["tags"]))


@pytest.mark.parametrize("kind", ["csv", "table"])
def test_values_have_the_targets_names_and_units(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = VALUES.replace("TYPE", kind)
    left_out = "data.columns.customer=ignore" if kind == "table" else "data.ignore=[customer]"
    train(text, "out", left_out, "data.transforms=[standardize]")
    assert main(["predict", "out", "t.csv", "--keep", "income", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert list(rows[0]) == ["income", "prediction.income"]
    # The net learns them by heart, in their own units.
    for row in rows:
        assert float(row["prediction.income"]) == pytest.approx(float(row["income"]), rel=0.05)
    assert main(["predict", "out", "t.csv"]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert first["values"] == {"income": float(rows[0]["prediction.income"])}


@pytest.mark.slow
def test_a_table_on_stdin_is_one_whose_lines_can_be_told() -> None:
    train(TABLE, "out")
    text = write("n.csv", "country", "age", "income").read_text()
    given = [sys.executable, "-m", "nnctl", "predict", "out", "-", "--keep", "country"]
    done = subprocess.run(given, input=text, capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["country"] for row in rows] == [row[2] for row in ROWS[1:]]
    assert [row["probabilities"] for row in rows] == probabilities("out", Path("n.csv"))
    done = subprocess.run(given, input=text.replace("45", "x"), capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "<stdin>:3:4: error: 'x' is no number" in done.stderr
    text = '{"income": 1200.5, "age": 31, "country": "fr"}\n'
    done = subprocess.run(given, input=text, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"country": "fr", **rows[0]}


def test_parts_of_a_table_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    train(TABLE, "out")
    whole = list(predict(open_run(Path("out")), [Path("t.csv")], keep=["customer"]))
    monkeypatch.setattr("nnctl.inference.inputs._PART_ROWS", 4)
    answers = list(answer(read_run(Path("out")), [Path("t.csv"), Path("t.csv")], keep=["customer"]))
    assert [len(part) for part in answers] == [4, 2, 4, 2]
    rows = [row for part in answers for row in part.rows()]
    assert [row["customer"] for row in rows] == 2 * [row["customer"] for row in whole]
    for row, expected in zip(rows, 2 * whole, strict=True):
        assert row["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)


def test_columns_that_a_run_does_not_know_are_told(caplog: pytest.LogCaptureFixture) -> None:
    train(TABLE, "out")
    more = [(*row, "x") for row in ROWS[1:]]
    list(predict(open_run(Path("out")), [write("n.csv", rows=[(*ROWS[0], "note"), *more])]))
    assert [record.getMessage() for record in caplog.records] == ["n.csv: column note: none of this run's, left out"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age;country;income\n31;fr;1200\n", "n.csv has one column only, by the delimiter ','\n  say delimiter: ';'"),
        ("age,country,income\n31,fr,\n", "under data.columns, say income: {type: number, missing: median}"),
    ],
)
def test_a_field_of_specs_comes_too_late_for_a_run(text: str, message: str) -> None:
    train(TABLE, "out")
    Path("n.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        probabilities("out", Path("n.csv"))
    late = "\n  of a run's own table its spec says that: write this one as that was written, or train anew"
    assert str(caught.value).endswith(message + late)


def test_a_folder_is_no_table() -> None:
    train(TABLE, "out")
    Path("n.csv").mkdir()
    with pytest.raises(DataError, match=r"^n\.csv is a folder, and a file is expected"):
        probabilities("out", Path("n.csv"))


@pytest.mark.parametrize("text", [CSV, TABLE], ids=["csv", "table"])
def test_columns_in_memory_are_answered_as_those_of_a_file(text: str) -> None:
    """Frames and mappings by name, arrays by place; what training taught of the columns is done to all."""
    train(text, "out")
    run = open_run(Path("out"))
    expected = scores(run, Path("t.csv"))
    columns = {name: [row[i] for row in ROWS[1:]] for i, name in enumerate(ROWS[0])}
    typed = {"age": [int(age) for age in columns["age"]], "income": [float(income) for income in columns["income"]]}
    backward = dict(reversed((columns | typed).items()))
    by_place = [list(row) for row in zip(*(columns[name] for name in ("age", "country", "income")), strict=True)]
    for given in (columns, backward, pyarrow.table(backward), by_place, np.array(by_place, object)):
        np.testing.assert_array_equal(scores_of(run, given), expected)
    for wrong, words in (
        ([[1, 2]], r"inputs: an array of shape \(1, 2\), and the net reads \(n, 3\)\n  a column each: age, country"),
        ([[1], [2, 3]], "inputs: is no table: "),
        (None, r"inputs: an array of shape \(\)"),
        ({**columns, "age": ["x"] * 6}, "inputs: row 1, column 'age': 'x' is no number"),
        ({"age": [1]}, "inputs: there are no columns country, income"),
        ({**columns, "age": [3]}, "inputs: is no table: Column 1 named age expected length 6"),
        ([[*by_place[0][:2], float("nan")]], "inputs: row 1, column 'income': missing value"),
    ):
        with pytest.raises(DataError, match=words):
            scores_of(run, wrong)


def test_a_file_of_an_array_has_the_columns_by_place() -> None:
    train(TABLE, "out", "data.columns={customer: ignore, country: ignore}")
    run = open_run(Path("out"))
    np.save("n.npy", [[float(row[1]), float(row[3])] for row in ROWS[1:]])
    expected = [row["probabilities"] for row in predict(run, [Path("t.csv")])]
    rows = list(predict(run, [Path("n.npy")]))
    assert [row["probabilities"] for row in rows] == expected
    assert (rows[1]["input"], rows[1]["index"]) == ("n.npy", 1)
    np.save("n.npy", np.zeros((0, 2)))
    with pytest.raises(DataError, match=r"^n\.npy holds no rows"):
        list(predict(run, [Path("n.npy")]))
