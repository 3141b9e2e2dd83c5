"""Tables in parts of bounded size: the types that the whole file has, and places in the whole file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from nnctl.data.tables import reader, text_files
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reader import stream
from nnctl.data.tables.reading import read_table, reader_of
from nnctl.errors import DataError

TEXT = "n,x,name,when,later\n" + "".join(f"{i},{i}.5,a{i % 3},2024-01-{i % 28 + 1:02d},{i}\n" for i in range(300))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", 256)
    monkeypatch.setattr(reader, "_BATCH", 1024)


def test_parts_are_the_whole(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text(TEXT + "300,1,b,2024-02-01,x\n")
    whole = read_table(path, Layout())
    types = reader_of(path, Layout()).types()
    assert types == {name: column.type for name, column in whole.columns.items()}
    assert types["later"] == pa.string()
    parts = list(stream(reader_of(path, Layout()), types))
    assert len(parts) > 5
    assert np.concatenate([part.rows for part in parts]).tolist() == list(range(301))
    for name in types:
        assert [v for part in parts for v in part.columns[name].to_pylist()] == whole.columns[name].to_pylist()
    assert len({part.columns[name].type for part in parts for name in ["when"]}) == 1
    assert str(parts[-1].cells("name").error(len(parts[-1]) - 1, "m")).startswith(f"{path}:302:7: error: m\n")


def test_types_are_those_that_are_wanted(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("name,n,more\n007,1,z\n8,2.5,z\n")
    parts = list(stream(reader_of(path, Layout()), {"n": pa.float64(), "name": pa.string(), "absent": pa.int64()}))
    assert {name: column.to_pylist() for name, column in parts[0].columns.items()} == {
        "name": ["007", "8"],
        "n": [1.0, 2.5],
    }
    path.write_text("n\n1\n2\n")
    assert next(stream(reader_of(path, Layout()), {"n": pa.float64()})).columns["n"].type == pa.float64()


MISFITS = {
    "number": (pa.float64(), "n", "'x3' is no number", "a number in column 'n'"),
    "whole": (pa.int64(), "n", "'x3' does not fit the column", "a whole number in column 'n'"),
    "truth": (pa.bool_(), "n", "'0' does not fit the column", "true or false in column 'n'"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_cell_that_does_not_fit(case, tmp_path: Path):
    type_, name, message, expected = MISFITS[case]
    path = tmp_path / "t.csv"
    path.write_text("m,n\n" + "".join(f"0,{i}\n" for i in range(300)) + "0,x3\n0,4\n")
    with pytest.raises(DataError) as caught:
        list(stream(reader_of(path, Layout()), {name: type_}))
    line = 2 if case == "truth" else 302
    assert str(caught.value).startswith(f"{path}:{line}:3: error: {message}\n")
    assert f"\n  expected {expected}" in str(caught.value)


def test_parts_of_other_formats(tmp_path: Path):
    table = pa.table({"n": pa.array(range(100_000), pa.int32()), "name": ["a"] * 100_000})
    parquet.write_table(table, tmp_path / "t.parquet")
    parts = list(stream(reader_of(tmp_path / "t.parquet", Layout()), {"n": pa.float64(), "name": pa.string()}))
    assert len(parts) > 2
    assert parts[1].rows[0] == len(parts[0]) == parts[1].columns["n"][0].as_py()
    assert reader_of(tmp_path / "t.parquet", Layout()).types() == {"n": pa.int64(), "name": pa.string()}
    assert parts[0].columns["n"].type == pa.float64()
    with pytest.raises(DataError, match=r"t\.parquet: row 1, column 'name': 'a' is no number"):
        list(stream(reader_of(tmp_path / "t.parquet", Layout()), {"name": pa.float64()}))
    (tmp_path / "t.jsonl").write_text("".join(f'{{"n": {i}}}\n' for i in range(300)) + '{"later": "x"}\n')
    types = reader_of(tmp_path / "t.jsonl", Layout()).types()
    assert types == {"n": pa.int64(), "later": pa.string()}
    parts = list(stream(reader_of(tmp_path / "t.jsonl", Layout()), types))
    assert sum(map(len, parts)) == 301
    assert parts[0].columns["n"].type == pa.int64()
