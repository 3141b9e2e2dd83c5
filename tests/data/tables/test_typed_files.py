"""Files of typed columns, JSON Lines and workbooks as tables."""

from __future__ import annotations

import builtins
import gzip
import json
import zipfile
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet
import pytest

from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reader import stream
from nnctl.data.tables.reading import read_table, reader_of
from nnctl.errors import DataError
from tests.workbooks import number_cell, text_cell, workbook


def columns(path: Path, **layout):
    table = read_table(path, Layout(**layout))
    return {name: column.to_pylist() for name, column in table.columns.items()}


def refusal(path: Path, **layout):
    with pytest.raises(DataError) as caught:
        read_table(path, Layout(**layout))
    return str(caught.value).replace(f"{path.parent}/", "")


ARROW = {
    "int8": (pa.array([1, None], pa.int8()), [1, None]),
    "uint64": (pa.array([1, 2**63 - 1], pa.uint64()), [1, 2**63 - 1]),
    "uint64 beyond": (pa.array([1, 2**64 - 1], pa.uint64()), ["1", str(2**64 - 1)]),
    "half": (pa.array([np.float16(0.5), None], pa.float16()), [0.5, None]),
    "decimal": (pa.array([Decimal("1.25"), None], pa.decimal128(20, 2)), [1.25, None]),
    "whole decimal": (pa.array([Decimal(9007199254740993), None], pa.decimal128(20, 0)), [9007199254740993, None]),
    "long decimal": (pa.array([Decimal(10**30), None], pa.decimal128(38, 0)), [str(10**30), None]),
    "truth": (pa.array([True, None]), [True, None]),
    "date": (pa.array([date(2024, 1, 31), None]), [date(2024, 1, 31), None]),
    "date64": (pa.array([date(2024, 1, 31), None], pa.date64()), [date(2024, 1, 31), None]),
    "time": (pa.array([datetime(2024, 1, 31, 12), None], pa.timestamp("ns")), [datetime(2024, 1, 31, 12), None]),
    "hour": (pa.array([time(12, 30), None]), ["12:30:00.000000", None]),
    "text": (pa.array(["NA", None]), ["NA", None]),
    "large text": (pa.array(["é", None], pa.large_string()), ["é", None]),
    "dictionary": (pa.array(["a", None]).dictionary_encode(), ["a", None]),
    "dictionary of numbers": (pa.array([5, None]).dictionary_encode(), [5, None]),
    "nothing": (pa.nulls(2), [None, None]),
}


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow"])
@pytest.mark.parametrize("case", ARROW)
def test_types_of_arrow(case, ending, tmp_path: Path):
    array, expected = ARROW[case]
    if ending == "parquet" and case == "date64":
        pytest.skip("Parquet has one type of dates")
    path = tmp_path / f"t.{ending}"
    _write(pa.table({" x ": array}), path)
    assert columns(path) == {"x": expected}


def _write(table: pa.Table, path: Path) -> None:
    if path.suffix == ".parquet":
        parquet.write_table(table, path)
    elif path.suffix == ".feather":
        feather.write_feather(table, path)
    else:
        with ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table)


def test_an_instant_keeps_its_time(tmp_path: Path):
    zoned = pa.array([datetime(2024, 1, 31, 12)], pa.timestamp("ms")).cast(pa.timestamp("ms", "Europe/Berlin"))
    _write(pa.table({"x": zoned}), tmp_path / "t.parquet")
    assert [value.isoformat() for value in columns(tmp_path / "t.parquet")["x"]] == ["2024-01-31T12:00:00+00:00"]


def test_marks_of_the_spec_count_in_typed_files(tmp_path: Path):
    _write(pa.table({"x": [-999, 1], "y": [-999.0, 1.0], "z": ["?", "-999"]}), tmp_path / "t.parquet")
    found = columns(tmp_path / "t.parquet", missing=("-999", "?"))
    assert found == {"x": [None, 1], "y": [None, 1.0], "z": [None, None]}


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow"])
def test_broken_files_of_arrow(ending, tmp_path: Path):
    path = tmp_path / f"t.{ending}"
    for type_, words in (
        (pa.list_(pa.int64()), "list<"),
        (pa.struct({"a": pa.int64()}), "struct<"),
        (pa.binary(), "binary"),
    ):
        _write(pa.table({"x": pa.nulls(2, type_)}), path)
        assert f"t.{ending}: column 'x' holds {words}" in refusal(path)
    _write(pa.table({"x": pa.array([], pa.int64())}), path)
    assert refusal(path) == f"t.{ending} holds no rows"
    _write(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    assert "two columns are named 'x', the 1st and the 2nd" in refusal(path)
    _write(pa.table([pa.array([1])], names=[""]), path)
    assert "the 1st column has no name" in refusal(path)
    _write(pa.table({"x": list(range(10000))}), path)
    path.write_bytes(path.read_bytes()[:3000])
    assert refusal(path).startswith(f"t.{ending} is cut short or broken: ")
    path.write_bytes(b"")
    assert refusal(path) == f"t.{ending} is empty"
    path.write_bytes(b"a,b\n1,2\n")
    assert refusal(path).startswith(f"t.{ending} is cut short or broken: ")
    path.unlink()
    path.mkdir()
    assert refusal(path) == f"t.{ending} is a folder, and a file is expected"


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow", "jsonl"])
def test_columns_without_cells_are_passed_over_where_they_are_left_out(ending, tmp_path: Path):
    path = tmp_path / f"t.{ending}"
    held = {"list": ("list<", "a list"), "map": ("struct<", "an object")}
    if ending == "jsonl":
        path.write_text('{"x": 1, " list": [1], "map": {"a": 1}}\n{"x": 2, "map": null}\n')
    else:
        columns_ = {"x": [1, 2], " list": [[1], None], "map": [{"a": 1}, None]}
        _write(pa.table(columns_), path)
    for name, words in held.items():
        assert any(f"{name}' holds {word}" in refusal(path, left_out=frozenset(held) - {name}) for word in words)
    assert "list: ignore, map: ignore" in refusal(path).replace('" list"', "list")
    assert columns(path, left_out=frozenset(held)) == {"x": [1, 2], "list": [None, None], "map": [None, None]}
    reader = reader_of(path, Layout(left_out=frozenset(held)))
    assert reader.types() == {"x": pa.int64(), "list": pa.float64(), "map": pa.float64()}
    # What nobody asks for is not looked at.
    (only,) = stream(reader_of(path, Layout()), {"x": pa.int64()})
    assert only.columns["x"].to_pylist() == [1, 2]


def test_a_cell_of_a_typed_file_has_its_row(tmp_path: Path):
    _write(pa.table({"x": ["1", "b"]}), tmp_path / "t.parquet")
    error = read_table(tmp_path / "t.parquet", Layout()).cells("x").error(1, "m", "e", "h")
    assert str(error) == f"{tmp_path}/t.parquet: row 2, column 'x': m\n  expected e\n  h"


def test_records(tmp_path: Path):
    text = (
        '\ufeff{"a": 1, "b": "x", "c": true, "d": 9007199254740993, "e": "2024-01-31"}\n\n'
        '{"b": null, "a": 2.5, "c": null, "d": 12345678901234567890, "f": "5"}\r\n'
        '{"a": 3, "c": 1, "e": "2024-02-01", "f": "6"}'
    )
    expected = {
        "a": [1.0, 2.5, 3.0],
        "b": ["x", None, None],
        "c": ["true", None, "1"],
        "d": ["9007199254740993", "12345678901234567890", None],
        "e": [date(2024, 1, 31), None, date(2024, 2, 1)],
        "f": [None, "5", "6"],
    }
    (tmp_path / "t.jsonl").write_text(text)
    assert columns(tmp_path / "t.jsonl") == expected
    (tmp_path / "t.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    assert columns(tmp_path / "t.ndjson.gz") == expected
    error = read_table(tmp_path / "t.jsonl", Layout()).cells("f").error(1, "m")
    assert str(error).startswith(f"{tmp_path}/t.jsonl:3:61: error: m\n")


RECORDS = {
    "": "t.jsonl is empty",
    "\n": "t.jsonl is empty",
    '{"a": 1}\n{"a": 2': "t.jsonl:2:8: error: this is no JSON: Expecting ',' delimiter",
    '{"a": 1}\n[2]\n': "t.jsonl:2:1: error: the line is no object",
    '{"a": 1}\n{"a": [2]}\n': "t.jsonl:2:2: error: 'a' holds a list, and a cell is a single value",
    '{"a": {"b": 2}}\n': "t.jsonl:1:2: error: 'a' holds an object, and a cell is a single value",
    '{"a": 1, "a": 2}\n': "t.jsonl:1:1: error: two keys of the object are 'a'",
    '[{"a": 1}]\n': "t.jsonl:1:1: error: the line is no object",
}


@pytest.mark.parametrize("text", RECORDS)
def test_broken_records(text, tmp_path: Path):
    (tmp_path / "t.jsonl").write_text(text)
    assert refusal(tmp_path / "t.jsonl").split("\n")[0] == RECORDS[text]


def test_a_column_of_records_that_becomes_text(tmp_path: Path):
    rows = [json.dumps({"a": i, "b": "x" * 50}) for i in range(10_000)]
    (tmp_path / "t.jsonl").write_text("\n".join([*rows, '{"a": "x", "b": null}']))
    assert columns(tmp_path / "t.jsonl")["a"] == [*map(str, range(10_000)), "x"]


SHEET = [
    [text_cell("B2", "n"), text_cell("C2", "code"), text_cell("D2", " real "), text_cell("E2", "truth")],
    [number_cell("B3", 5), text_cell("C3", "007"), number_cell("D3", 0.5), '<c r="E3" t="b"><v>1</v></c>'],
    [number_cell("B4", 6), number_cell("C4", 8), number_cell("D4", 1), '<c r="E4" t="e"><v>#N/A</v></c>'],
    [text_cell("B5", "NA"), text_cell("C5", "x"), "", ""],
]


def test_a_sheet(tmp_path: Path):
    path = tmp_path / "t.xlsx"
    workbook(path, {"one": SHEET})
    assert columns(path) == {
        "n": [5, 6, None],
        "code": ["007", "8", "x"],
        "real": [0.5, 1.0, None],
        "truth": [True, None, None],
    }
    error = read_table(path, Layout()).cells("code").error(1, "m")
    assert str(error) == f"{tmp_path}/t.xlsx: sheet 'one', cell C4: m"


def test_numbers_of_a_sheet_are_names_and_marks(tmp_path: Path):
    path = tmp_path / "t.xlsx"
    rows = [
        [text_cell("B2", "y"), number_cell("C2", 2019)],
        [number_cell("B3", -999), number_cell("C3", 1.5)],
        [number_cell("B4", 1)],
    ]
    workbook(path, {"one": rows})
    assert columns(path, header=True, missing=("", "-999")) == {"y": [None, 1], "2019": [1.5, None]}


def test_a_sheet_of_open_document(tmp_path: Path):
    cells = (
        '<table:table-row><table:table-cell office:value-type="string"><text:p>a</text:p></table:table-cell>'
        '<table:table-cell office:value-type="string"><text:p>b</text:p></table:table-cell></table:table-row>'
        '<table:table-row><table:table-cell office:value-type="float" office:value="5"/>'
        '<table:table-cell office:value-type="date" office:date-value="2024-01-31"/></table:table-row>'
    )
    spaces = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr("META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="{manifest}"/>')
        archive.writestr(
            "content.xml",
            f"<office:document-content {spaces}><office:body><office:spreadsheet>"
            f'<table:table table:name="one">{cells}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    assert columns(tmp_path / "t.ods") == {"a": [5], "b": [date(2024, 1, 31)]}


def test_several_sheets(tmp_path: Path):
    path = tmp_path / "t.xlsx"
    workbook(path, {"one": [], "two": SHEET, "three": SHEET[:1]})
    assert refusal(path) == (
        "t.xlsx has 2 sheets with cells\n  say one: in a spec sheet: two, to nnctl init --sheet two\n"
        "  they are two, three"
    )
    assert refusal(path, sheet="tow") == "t.xlsx: there is no sheet 'tow'\n  did you mean 'two'?"
    assert refusal(path, sheet="one") == "t.xlsx: sheet 'one' is empty"
    assert refusal(path, sheet="three") == "t.xlsx: sheet 'three' holds no rows below its header"
    assert columns(path, sheet="two")["n"] == [5, 6, None]
    workbook(path, {"one": [], "two": SHEET, "three": []})
    assert columns(path)["n"] == [5, 6, None]


def test_a_column_of_a_sheet_without_a_name_and_cells_is_none(tmp_path: Path):
    path = tmp_path / "t.xlsx"
    rows = [
        [text_cell("B2", "n"), "", text_cell("D2", "m"), text_cell("E2", " ")],
        [number_cell("B3", 5), "", number_cell("D3", 1), ""],
        [number_cell("B4", 6), text_cell("C4", " "), number_cell("D4", 2), ""],
    ]
    workbook(path, {"one": rows})
    assert columns(path) == {"n": [5, 6], "m": [1, 2]}
    assert str(read_table(path, Layout()).cells("m").error(1, "!")).endswith("sheet 'one', cell D4: !")
    workbook(path, {"one": [*rows, ["", number_cell("C5", 9), "", ""]]})
    assert refusal(path) == "t.xlsx: sheet 'one': the 2nd column has no name\n  give it one in the header"


def test_broken_workbooks(tmp_path: Path, monkeypatch):
    path = tmp_path / "t.xlsx"
    workbook(path, {"one": SHEET})
    path.write_bytes(path.read_bytes()[:500])
    assert refusal(path).startswith("t.xlsx is cut short or broken, or has a password: ")
    path.write_bytes(b"")
    assert refusal(path) == "t.xlsx is empty"
    imported = builtins.__import__

    def without(name, *arguments, **more):
        if name == "python_calamine":
            raise ModuleNotFoundError(name)
        return imported(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert refusal(path) == (
        "t.xlsx: workbooks are read by python-calamine, which is not installed\n  pip install 'nnctl[xlsx]'"
    )
