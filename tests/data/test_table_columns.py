"""Columns of tables: what kinds there are, what they become, and what is asked for rather than guessed."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.tables.cells import Table
from nnctl.data.tables.columnar import RowPlace
from nnctl.data.tables.encoding import encode
from nnctl.data.tables.fitted import FittedColumns
from nnctl.errors import DataError, SpecError
from nnctl.inference.tables import TableReader
from nnctl.spec.load import load_text

SPEC = """
data: {type: table, path: t.csv, target: y, columns: COLUMNS}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
"""


@pytest.fixture
def table(tmp_path):
    """The data set of a table's text; columns as a spec writes them."""

    def load(text, columns="{}", target="y", **fields):
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        said = "".join(f", {key}: {value}" for key, value in fields.items())
        spec = SPEC.replace("y, columns: COLUMNS", f"{target}, columns: {columns}{said}")
        return load_dataset(load_text(spec, folder=tmp_path).spec.data, tmp_path, 0)

    return load


def rows(name, cells, more=""):
    """A table with one input and a target of two values in turn; cells are quoted."""
    lines = [f'"{cell}",{i % 2}{more}' if cell is not None else f",{i % 2}{more}" for i, cell in enumerate(cells)]
    return "\n".join([f"{name},y", *lines]) + "\n"


# -- numbers ------------------------------------------------------------------

WRITTEN = {
    "comma": ("{type: number, decimal: ','}", ["1,5", "-2,25", "3"], [1.5, -2.25, 3]),
    "comma and points": ("{type: number, thousands: .}", ["1.234,5", "12", "1.234.567"], [1234.5, 12, 1234567]),
    "thousands": ('{type: number, thousands: ","}', ["1,234.50", "-12", "12,34,567"], [1234.5, -12, 1234567]),
    "blanks": ('{type: number, thousands: " "}', ["1 234", "12\u00a0345\u202f678", "5"], [1234, 12345678, 5]),
    "currency": ('{type: number, thousands: ",", unit: $}', ["$1,234.50", "-$3", "7 $", "12"], [1234.5, -3, 7, 12]),
    "euro": ('{type: number, thousands: ".", unit: €}', ["1.234,56 €", "\u22123 €", "+4"], [1234.56, -3, 4]),
    "percent": ('{type: number, unit: "%"}', ["12 %", "3.5%", "-100 %"], [0.12, 0.035, -1]),
    "minus behind": ('{type: number, decimal: "."}', ["12.50-", "3 -", "4\u2212", "5"], [-12.5, -3, -4, 5]),
    "brackets": ('{type: number, thousands: ","}', ["(1,234.50)", "( 3 )", "4"], [-1234.5, -3, 4]),
    "brackets and currency": (
        "{type: number, unit: $}",
        ["($1.5)", "$(2)", "(3 $)", "(4) $", "(5)", "$6-", "7- $", "$ -8", "9"],
        [-1.5, -2, -3, -4, -5, -6, -7, -8, 9],
    ),
    "percent below 0": ('{type: number, unit: "%"}', ["(12 %)", "3.5 %-", "50- %", "1%"], [-0.12, -0.035, -0.5, 0.01]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_numbers_as_people_write_them(table, name):
    column, cells, values = WRITTEN[name]
    data = table(rows("x", cells), f"{{x: {column[:-1]}, scale: none}}}}")
    assert data.train.inputs[:, 0].tolist() == np.float32(values).tolist()


def test_a_number_otherwise_written_is_named(table):
    with pytest.raises(
        DataError, match=r"t\.csv:3:1: error: '1,23' is no number\n(.*\n)*  expected a number written as"
    ):
        table(rows("x", ["1,234", "1,23"]), '{x: {type: number, thousands: ","}}')
    # 12 might be 12 or 0.12.
    with pytest.raises(DataError, match=r"t\.csv:3:1: error: '12' is no number"):
        table(rows("x", ["12 %", "12"]), '{x: {type: number, unit: "%"}}')
    with pytest.raises(DataError, match=r"t\.csv:3:1: error: '£5' is no number"):
        table(rows("x", ["$1", "£5"]), "{x: {type: number, unit: $}}")


def test_standardization_is_of_training_rows_in_double_precision(table):
    # Seconds since 1970, a second apart: in single precision they are 128 apart, or equal.
    data = table("".join(["t,y\n", *(f"{1_700_000_000 + i},{i % 2}\n" for i in range(4)), "1700000009,1\n"]),
                 "{t: number}", validation=1, split="ordered")  # fmt: skip
    assert np.allclose(data.train.inputs[:, 0], (np.arange(4) - 1.5) / math.sqrt(1.25), rtol=1e-6)
    assert np.allclose(data.validation.inputs[:, 0], (9 - 1.5) / math.sqrt(1.25), rtol=1e-6)


def test_numbers_at_the_ends_of_the_range(table):
    data = table(rows("x", ["1e308", "-1e308"]), "{x: number}")
    assert data.train.inputs[:, 0].tolist() == [1, -1]


def test_fills_flags_and_scales(table):
    text = rows("x", ["1", None, "2", "6"])
    assert table(text, "{x: {type: number, missing: median, scale: none}}").train.inputs.tolist() == [
        [1],
        [2],
        [2],
        [6],
    ]
    assert table(text, "{x: {type: number, missing: mean, scale: none}}").train.inputs.tolist() == [[1], [3], [2], [6]]
    flagged = table(text, "{x: {type: number, missing: 0, flag: true, scale: min_max}}").train.inputs
    assert np.allclose(flagged, [[1 / 6, 0], [0, 1], [2 / 6, 0], [1, 0]])
    with pytest.raises(
        DataError, match=r"t\.csv:3:1: error: missing value in column 'x'\n(.*\n)*.*x: \{type: number, mis"
    ):
        table(text)


def test_rows_that_are_dropped_are_left_out_before_the_split_and_counted(table):
    data = table(rows("x", ["1", "3", None, None, "5", "6"]), "{x: {type: number, missing: drop}}",
                 validation=1, split="ordered")  # fmt: skip
    assert (len(data.train), len(data.validation)) == (3, 1)
    assert data.advice == ("2 rows are left out, for cells are missing in column x",)


def test_whole_numbers_beyond_2_53(table):
    text = "x,y\n1,0\n9007199254740993,1\n"
    for columns in ("{}", "{x: number}"):
        with pytest.raises(
            DataError, match=r"t\.csv:3:1: error: 9007199254740993 is beyond 2\^53: .*\n(.*\n)*.*x: category"
        ):
            table(text, columns)
    assert table(text, "{x: category}").train.inputs.tolist() == [[1, 0], [0, 1]]


def test_columns_without_any_number_or_date(table):
    for column, words in (
        ("number", "no training row has a number in column 'x'"),
        ("date", "no training row has a date"),
    ):
        with pytest.raises(DataError, match=words):
            table(rows("x", [None, None]), f"{{x: {{type: {column}, missing: median}}}}")


def test_constant_columns_are_0_and_advised_about(table):
    data = table("x,c,y\n1,0.1,0\n2,0.1,1\n3,0.1,1\n")
    assert data.train.inputs[:, 1].tolist() == [0, 0, 0]
    assert data.advice == (
        "column 'c' is the same in every training row, which teaches nothing: under data.columns, say c: ignore",
    )


def test_identifiers_are_advised_about(table):
    text = "id,day,x,y\n" + "".join(f"{i * 7},202101{1 + i % 28:02},{i % 5},{i % 2}\n" for i in range(40))
    (ids, days) = table(text).advice
    assert ids.startswith("column 'id' holds whole numbers that are all different")
    assert ids.endswith("id: ignore")
    assert days.endswith('say day: {type: date, format: "%Y%m%d"}')


# -- categories ---------------------------------------------------------------


def test_categories_of_training_rows_decide(table):
    text = "c,y\na,0\nb,1\na,1\nb,0\nz,0\n"
    with pytest.raises(
        DataError, match=r"t\.csv:6:1: error: 'z' is no category of the training rows\n(.*\n)*.*unseen: other"
    ):
        table(text, validation=1, split="ordered")
    data = table(text, "{c: {type: category, unseen: other}}", validation=1, split="ordered")
    # No training row is other: the inputs of z are 0.
    assert data.train.inputs.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]
    assert data.validation.inputs.tolist() == [[0, 0]]


def test_rare_categories_are_others_and_missing_ones_a_category(table):
    data = table("c,y\na,0\nb,1\na,1\n,0\nc,1\n", "{c: {type: category, least: 2, missing: category}}")
    assert data.train.inputs.tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    with pytest.raises(DataError, match=r"t\.csv:3:1: error: missing value in column 'c'"):
        table(rows("c", ["a", None]))


def test_leading_zeros_are_names(table):
    assert table(rows("zip", ["01234", "00501", "01234"])).train.inputs.tolist() == [[0, 1], [1, 0], [0, 1]]


def test_mostly_different_texts_are_refused(table):
    with pytest.raises(
        DataError, match=r"column 'c' holds 30 different texts in 30 rows\n  under data\.columns, say c: ig"
    ):
        table(rows("c", [f"text {chr(65 + i)}" for i in range(30)]))


# -- dates --------------------------------------------------------------------


def test_a_unit_of_its_own_behind_different_numbers_is_named(table):
    text = rows("x", [f"{i},5 kg" for i in range(40)])
    with pytest.raises(DataError, match=r"as '0,5 kg'\n.*say x: \{type: number, decimal: \",\", unit: \"kg\"\}$"):
        table(text)
    found = table(text, '{x: {type: number, decimal: ",", unit: "kg", scale: none}}').train.inputs
    assert found.ravel().tolist() == [i + 0.5 for i in range(40)]
    # Few different ones may be kinds of rows, and codes have no blank before their letters.
    assert table(rows("x", ["2 doors", "4 doors"] * 20)).train.inputs.shape == (40, 2)
    with pytest.raises(DataError, match="say x: ignore"):
        table(rows("x", [f"{i}k" for i in range(40)]))


@pytest.mark.parametrize(("cells", "kind"), [(("1", "", "2"), "number"), (("a", "", "b"), "category")])
def test_the_fix_for_a_missing_target_is_of_its_kind(table, cells, kind):
    text = "x,y\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))
    with pytest.raises(DataError, match=rf"say y: \{{type: {kind}, missing: drop\}}"):
        table(text)
    assert len(table(text, f"{{y: {{type: {kind}, missing: drop}}}}").train) == 2


def test_parts_of_dates(table):
    # 4 March 2021 was a Thursday, and day 63; 29 February 2020 a Saturday, and day 60.
    text = "d,y\n2021-03-04 17:30:00,0\n2020-02-29 05:06:00,1\n"
    parts = "year, month, day, weekday, yearday, hour, minute"
    one_hot = table(text, f"{{d: {{type: date, cyclic: one_hot, parts: [{parts}]}}}}").train.inputs
    widths = np.split(one_hot, np.cumsum([1, 12, 31, 7, 366, 24]), axis=1)
    assert widths[0].tolist() == [[1], [-1]]
    assert [part.argmax(axis=1).tolist() for part in widths[1:]] == [
        [2, 1],
        [3, 28],
        [3, 5],
        [62, 59],
        [17, 5],
        [30, 6],
    ]
    circle = table(text, "{d: {type: date, parts: [weekday, hour]}}").train.inputs
    angles = np.array([[3 / 7, 17 / 24], [5 / 7, 5 / 24]]) * 2 * math.pi
    wanted = [[math.sin(a), math.cos(a), math.sin(b), math.cos(b)] for a, b in angles.tolist()]
    assert np.allclose(circle, wanted, atol=1e-6)


def test_dates_are_recognized_and_elapsed_is_exact(table):
    data = table("d,y\n2021-03-04,0\n2021-03-05,1\n2021-03-07,1\n")
    days = np.array([0, 1, 3])
    assert data.fitted["columns"]["d"]["parts"] == ["elapsed", "month", "weekday"]
    assert np.allclose(data.train.inputs[:, 0], (days - days.mean()) / days.std(), rtol=1e-6)
    hours = table("d,y\n2021-03-04T01:00:00,0\n2021-03-04T02:00:00,1\n")
    assert hours.fitted["columns"]["d"]["parts"] == ["elapsed", "month", "weekday", "hour"]


def test_dates_in_a_notation_of_their_own(table):
    columns = '{d: {type: date, format: "%d.%m.%Y", parts: [day], cyclic: one_hot, missing: median, flag: true}}'
    inputs = table("d,y\n04.03.2021,0\n,1\n05.03.2021,0\n31.12.2021,1\n", columns).train.inputs
    assert inputs[:, :-1].argmax(axis=1).tolist() == [3, 4, 4, 30]
    assert inputs[:, -1].tolist() == [0, 1, 0, 0]
    with pytest.raises(
        DataError, match=r"t\.csv:3:1: error: '31\.02\.2021' is no date\n(.*\n)*  expected a date written as"
    ):
        table("d,y\n04.03.2021,0\n31.02.2021,1\n", columns)
    with pytest.raises(DataError, match=r"t\.csv:3:1: error: missing value in column 'd'.*\n(.*\n)*.*missing: median"):
        table("d,y\n2021-01-01,0\n,1\n")


# -- what is asked for ----------------------------------------------------------

ASKED = {
    "another minus": (["\u22124", "7"], r'say x: \{type: number, decimal: "\."\}$'),
    "minus behind": (["12.50-", "7"], r'say x: \{type: number, decimal: "\."\}$'),
    "brackets": (["(1.250,00 €)", "7,10 €"], r'say x: \{type: number, decimal: ",", thousands: "\.", unit: "€"\}$'),
    "decimal comma": (["1,5", "2,25"], r"numbers written as '.*'\n  .*say x: \{type: number, decimal: \",\"\}$"),
    "thousands": (["1,234.5", "7"], r'say x: \{type: number, thousands: ","\}$'),
    "points": (["1.234,5", "7"], r'say x: \{type: number, decimal: ",", thousands: "\."\}$'),
    "currency": (["$5", "$1,000.00"], r'say x: \{type: number, thousands: ",", unit: "\$"\}$'),
    "percent": (["5 %", "7.5 %"], r'say x: \{type: number, unit: "%"\}$'),
    "either": (
        ["1,234", "5,678"],
        r'in 2 readings\n.*x: \{type: number, thousands: ","\} or x: \{type: number, decimal: ","\}$',
    ),
    "dates": (["25.12.2021", "01.02.2021"], r'dates written as .*\n.*say x: \{type: date, format: "%d\.%m\.%Y"\}$'),
    "day or month": (
        ["03/04/2021", "05/06/2021"],
        r'of which day and month may be either.*\n.*format: "%d/%m/%Y"\} or x: \{type: date, format: "%m/%d/%Y"\}$',
    ),
    "dates in several notations": (
        ["25.12.2021", "2021-12-24", "3/17/21"],
        r"holds dates written in several ways, as 25\.12\.2021, 2021-12-24, 3/17/21\n.*say x: ignore, or write all of",
    ),
    "months by name": (["5 Jan 2021 10:30", "17 Mar 2021 09:00"], r'format: "%d %b %Y %H:%M"\}$'),
    "nothing": ([None, None], r"holds nothing but missing cells\n.*say x: ignore$"),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_is_recognized_is_named_with_its_line_of_the_spec(table, name):
    cells, message = ASKED[name]
    with pytest.raises(DataError, match=message):
        table(rows("x", cells))


def test_brackets_around_every_cell_are_no_signs(table):
    assert table(rows("x", ["(1)", "(2)", "(1)", "(2)"])).train.inputs.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1]]


def test_the_line_that_is_named_reads_the_column(table):
    with pytest.raises(DataError) as caught:
        table(rows("x", ["1.234,50 €", "7 €"]))
    line = str(caught.value).rpartition("say ")[2]
    assert table(rows("x", ["1.234,50 €", "7 €"]), f"{{{line}}}").train.inputs[:, 0].tolist() == [1, -1]


def test_the_line_has_a_name_that_yaml_reads(table):
    """Names of columns may be anything; where they need quotes, the line has them."""
    for name in ("price: net", "#1", "2 rooms", "null", "Größe (m²)"):
        with pytest.raises(DataError) as caught:
            table(rows(name, ["1,5", "2,5"]))
        line = str(caught.value).rpartition("say ")[2]
        assert table(rows(name, ["1,5", "2,5"]), f"{{{line}}}").train.inputs[:, 0].tolist() == [-1, 1]


def test_a_word_among_numbers_is_named_with_its_line(table):
    with pytest.raises(
        DataError, match=r"t\.csv:6:1: error: 'none yet' is no number, as 97\.5 % of the cells of column 'x'"
    ):
        table(rows("x", [str(i) for i in range(4)] + ["none yet"] + [str(i) for i in range(35)]))
    # Of the word that stands for nothing, the spec can say so.
    text = rows("x", ["1", "2", "unknown", *"3456789", "10"]).replace('"', "")
    assert len(table(text, "{x: {type: number, missing: drop}}", missing_values="[unknown]").train) == 10


def test_three_decimals_beside_a_decimal_comma(table):
    text = 'a,b,y\n"1,5",1.234,0\n"2,5",12.500,1\n"3,5",999.125,1\n'
    with pytest.raises(
        DataError, match=r"column 'b' may hold 1\.234 or 1234.*\n.*b: number for the one, b: \{type: number, th"
    ):
        table(text, "{a: {type: number, decimal: ','}}")
    said = table(text, "{a: {type: number, decimal: ','}, b: {type: number, thousands: ., scale: none}}")
    assert said.train.inputs[:, 1].tolist() == [1234, 12500, 999125]


# -- targets --------------------------------------------------------------------


def test_targets_as_columns_say(table):
    text = 'x,y\n1,"1.234,5"\n2,"7,0"\n3,"9,5"\n'
    with pytest.raises(
        DataError, match=r'column .y. holds numbers written as .*\n.*y: \{type: number, decimal: ",", thou'
    ):
        table(text)
    data = table(text, "{y: {type: number, thousands: .}}", target_transforms="[standardize]")
    assert data.train.targets.tolist() == [[1234.5], [7], [9.5]]
    assert data.signature.classes is None
    assert np.isclose(data.target_shift[0], (1234.5 + 7 + 9.5) / 3)
    dates = table("x,y\n1,1970-01-03\n2,1971-01-01\n", "{y: date}")
    assert dates.train.targets.tolist() == [[2], [365]]


def test_whole_numbers_as_targets(table):
    text = "x,y\n1,10\n2,9\n3,10\n"
    assert table(text).signature.classes == ("9", "10")
    assert table(text, "{y: number}").train.targets.tolist() == [[10], [9], [10]]
    assert table(text, "{y: category}").signature.classes == ("9", "10")
    assert table("x,y\n1,true\n2,false\n").signature.classes == ("false", "true")


def test_a_linear_unit_with_a_cost_of_numbers_makes_values_of_whole_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("x,y\n1,10\n2,9\n3,10\n")
    spec = "data: {type: table, path: t.csv, target: y}\nlayers: [{type: dense, units: 1}]\ncost: mse\n"
    loaded = load_text(spec, folder=tmp_path)
    assert load_dataset(loaded.spec.data, tmp_path, 0).train.targets.tolist() == [[10], [9], [10]]


def test_targets_that_are_missing(table):
    for columns in ("{}", "{y: category}", "{y: number}"):
        with pytest.raises(DataError, match=r"t\.csv:3:3: error: the target 'y' is missing\n(.*\n)*.*missing: drop"):
            table("x,y\n1,0.5\n2,\n3,1.5\n", columns)
    assert len(table("x,y\n1,a\n2,\n3,b\n", "{y: {type: category, missing: drop}}").train) == 2


def test_a_target_of_many_texts_is_asked_about(table):
    text = "x,y\n" + "".join(f"{i},name {i}\n" for i in range(30))
    with pytest.raises(
        DataError, match="the target 'y' holds 30 different texts in 30 rows\n  if each is a class, say ta"
    ):
        table(text)
    assert len(table(text, target_type="labels").signature.classes) == 30


def test_one_class_only(table):
    with pytest.raises(DataError, match="every example of this table data is of the class 'a'"):
        table("x,y\n1,a\n2,a\n")


# -- the spec, and what a checkpoint keeps ------------------------------------------

PROBLEMS = {
    "columns: {x: {type: number, decimal: '.', thousands: '.'}}": "it is the decimal point, too",
    "columns: {x: {type: number, flag: true}}": "no number is missing where missing is error",
    "columns: {x: {type: date, parts: [day, day]}}": "day is listed twice",
    "columns: {x: {type: category, embedding: 4, unseen: other}}": "its vector would stay random",
    "columns: {y: {type: number, missing: median}}": "what is missing of it is not made up",
    "columns: {y: ignore}": "is the target and is ignored",
    "train: u.csv": "path names the file of all rows",
    "split: {}": "it is by one of by, column and time",
    "split: {by: a, time: b}": "it is by one of by, column and time",
    "split: {column: y}": "column y is the target",
    "split: {time: x}, fold: [0, 2]": "folds would train on later rows",
    "split: {column: x}, validation: v.csv": "files say which rows are held out",
}


@pytest.mark.parametrize("said", PROBLEMS)
def test_problems_of_the_spec(said):
    spec = f"data: {{type: table, path: t.csv, target: y, {said}}}\nlayers: [{{type: dense, units: 1}}]\ncost: mse\n"
    with pytest.raises(SpecError, match=PROBLEMS[said]):
        load_text(spec)


def test_what_is_kept_makes_inputs_of_another_table(table):
    text = "x,c,d,y\n1,a,2021-03-04,0\n2,b,2021-03-05,1\n4,a,2021-03-06,1\n"
    data = table(text, "{d: {type: date, parts: [elapsed, weekday]}}")
    fitted = FittedColumns.of(json.loads(json.dumps(data.fitted)))
    assert list(fitted.kinds) == ["x", "c", "d"]
    columns = {"d": ["2021-03-06", "2021-03-04"], "c": ["a", "a"], "x": [4, 1]}
    other = Table({name: pa.chunked_array([cells]) for name, cells in columns.items()}, place=RowPlace("new"))
    assert np.array_equal(encode(other, fitted.kinds, fitted.fitted), data.train.inputs[[2, 0]])


# -- files that know numbers ---------------------------------------------------------


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_numbers_of_a_file_that_knows_numbers_stay_what_they_are(ending, table, tmp_path):
    """1.234 in a column whose texts have points between thousands: as a text 1234, as a number 1.234."""
    columns = "{x: {type: number, thousands: ., scale: none}}"
    data = table(rows("x", ["1.234", "2.345,5"]), columns)
    assert data.train.inputs.tolist() == [[1234], [2345.5]]
    typed = {"x": [1.234, 2.345], "y": [0, 1]}
    if ending == "parquet":
        pyarrow.parquet.write_table(pa.table(typed), tmp_path / "t.parquet")
    else:
        (tmp_path / "t.jsonl").write_text('{"x": 1.234, "y": 0}\n{"x": 2.345, "y": 1}\n')
    source = replace(load_text(SPEC.replace("COLUMNS", columns), folder=tmp_path).spec.data, path=f"t.{ending}")
    for in_memory in (True, False):
        typed_data = load_dataset(replace(source, in_memory=in_memory), tmp_path, 0)
        assert typed_data.train.inputs[:].tolist() == np.float32([[1.234], [2.345]]).tolist()
    (part,) = TableReader(source, FittedColumns.of(data.fitted)).parts(tmp_path / f"t.{ending}", None)
    assert part.inputs.tolist() == np.float32([[1.234], [2.345]]).tolist()


def test_a_missing_category_that_no_training_row_lacks_is_zero_in_every_input(table):
    data = table(rows("x", ["a", "b", "a", "b"]), "{x: {type: category, missing: category}}")
    fitted = FittedColumns.of(data.fitted)
    there = encode(Table({"x": pa.chunked_array([["a", None]])}, RowPlace("new")), fitted.kinds, fitted.fitted)
    assert there.tolist() == [[1, 0], [0, 0]]
    data = table(rows("x", ["a", "b", None, "b"]), "{x: {type: category, missing: category}}")
    assert data.train.inputs.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]
