"""Delimited text as people have it: typed columns over the whole file, and errors at their line and column."""

from __future__ import annotations

import bz2
import gzip
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from nnctl.data.sources.table import TableSource
from nnctl.data.tables import text_files
from nnctl.data.tables.layout import Layout
from nnctl.data.tables.reading import read_table
from nnctl.errors import DataError


@pytest.fixture
def read(tmp_path):
    def read(text, name="t.csv", **layout):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(data)
        table = read_table(tmp_path / name, Layout(**layout))
        return {name: column.to_pylist() for name, column in table.columns.items()}

    return read


@pytest.fixture
def refused(read, tmp_path):
    def refused(text, name="t.csv", **layout):
        with pytest.raises(DataError) as caught:
            read(text, name, **layout)
        return str(caught.value).replace(f"{tmp_path}/", "")

    return refused


COLUMNS = {
    "whole": ("1,-2,,0", [1, -2, None, 0]),
    "leading zeros are digits": ("1,007,NA", ["1", "007", None]),
    "beyond 2^53": ("9007199254740993,1", [9007199254740993, 1]),
    "beyond 64 bits": ("12345678901234567890,1", ["12345678901234567890", "1"]),
    "one real makes numbers": ("1,007,0.5", [1.0, 7.0, 0.5]),
    "exponents and signs": ("+1.5,1e3,-inf", [1.5, 1000.0, -float("inf")]),
    "hexadecimal is text": ("0x1F,2", ["0x1F", "2"]),
    "thousands, currency and per cent are text": ("1.000.000,$5,3%", ["1.000.000", "$5", "3%"]),
    "truth": ("true,FALSE,?", [True, False, None]),
    "truth and 1 are text": ("true,1", ["true", "1"]),
    "0 and 1 are numbers": ("0,1", [0, 1]),
    "dates": ("2024-01-31,null", [date(2024, 1, 31), None]),
    "times": ("2024-01-31,2024-01-31 12:30:00", [datetime(2024, 1, 31), datetime(2024, 1, 31, 12, 30)]),
    "nanoseconds are cut": ("2024-01-31 12:30:00.123456789", [datetime(2024, 1, 31, 12, 30, 0, 123456)]),
    "other notations are text": ("31.01.2024,01/02/2024", ["31.01.2024", "01/02/2024"]),
    "hours are text": ("12:30,13:00", ["12:30", "13:00"]),
    "nothing": ("NA,,?", [None, None, None]),
    "a quoted mark is text": ('"NA",NA,"x"', ["NA", None, "x"]),
    "a quoted number is a number": ('"1","2.5",""', [1.0, 2.5, None]),
    "quoted zeros are digits": ('"01","2"', ["01", "2"]),
    "quotes within": ('"a ""b""",5" pipe', ['a "b"', '5" pipe']),
    "blanks around": (" a , b,NA ", ["a", "b", None]),
    "an accent": ("é,ü", ["é", "ü"]),
}


@pytest.mark.parametrize("block", [7, 1 << 19])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("case", COLUMNS)
def test_one_kind_a_column_in_whatever_order_and_blocks(case, turned, block, read, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", block)
    cells, expected = COLUMNS[case]
    rows = cells.split(",")
    if turned:
        rows, expected = rows[::-1], expected[::-1]
    text = "x,y\n" + "".join(f"{cell},z\n" for cell in rows)
    assert read(text, header=True) == {"x": expected, "y": ["z"] * len(rows)}


def test_an_instant_has_its_zone(read, tmp_path):
    found = read("x,y\n2024-01-31T12:30:00Z,1\n2024-01-31T14:30:00+02:00,2\n")
    assert [value.isoformat() for value in found["x"]] == ["2024-01-31T12:30:00+00:00"] * 2


def test_text_after_row_100_000(read):
    rows = "".join(f"{i},{i}.5,2024-01-01,true\n" for i in range(100_001))
    found = read("a,b,c,d\n" + rows + "x,y,z,w\n")
    assert {column[0] for column in found.values()} == {"0", "0.5", "2024-01-01", "true"}
    assert [column[-1] for column in found.values()] == ["x", "y", "z", "w"]
    assert len(found["a"]) == 100_002


LAYOUTS = {
    "tabs": ("t.tsv", "a\tb\n1\tx, y\n", {}),
    "semicolons and a decimal comma": ("t.csv", "a;b\n1;x, y\n", {"decimal": ","}),
    "sep=": ("t.csv", "sep=;\na;b\n1;x, y\n", {}),
    "a mark of UTF-8": ("t.csv", '\ufeffa,b\n1,"x, y"\n', {}),
    "a mark of UTF-16": ("t.csv", 'a,b\n1,"x, y"\n'.encode("utf-16"), {}),
    "comments": ("t.csv", '# it\'s "x\n#\na,b\n  # no, "row\n1,"x, y"\n#', {"comment": "#"}),
    "blanks": ("t.txt", '  a   b\n 1\t "x, y"  \n\n', {"delimiter": " "}),
    "a delimiter at each end": ("t.csv", 'a,b,\n1,"x, y",\n', {}),
    "a delimiter at each end but the first": ("t.csv", 'a,b\n1,"x, y",\n', {}),
    "row names": ("t.csv", '"a","b"\n"one",1,"x, y"\n', {}),
    "rows with numbers": ("t.csv", ',a,b\n0,1,"x, y"\n', {}),
    "CRLF": ("t.csv", '\r\na,b\r\n\r\n1,"x, y"\r\n', {}),
    "CR": ("t.csv", 'a,b\r1,"x, y"\r', {}),
    "no end of the last line": ("t.csv", 'a,b\n1,"x, y"', {}),
    "lines of blanks": ("t.csv", 'a,b\n  \n1,"x, y"\n \t\n', {}),
    "a blank before quotes": ("t.csv", 'a, b\n1, "x, y"\n', {}),
    "a blank in names": ("t.csv", ' a , b \n1,"x, y"\n', {}),
}


@pytest.mark.parametrize("block", [5, 1 << 19])
@pytest.mark.parametrize("case", LAYOUTS)
def test_layouts(case, block, read, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", block)
    name, text, layout = LAYOUTS[case]
    assert read(text, name, **layout) == {"a": [1], "b": ["x, y"]}


def test_packed(read):
    for pack, ending in ((gzip.compress, ".gz"), (bz2.compress, ".bz2"), (_zstd, ".zst")):
        assert read(pack(b"a,b\n1,x\n"), f"t.csv{ending}") == {"a": [1], "b": ["x"]}
        assert read(pack(b"a\tb\n1\tx\n"), f"t.tsv{ending}") == {"a": [1], "b": ["x"]}
    assert read(gzip.compress(b"a,b\n1,x\n") + gzip.compress(b"2,y\n"), "t.csv.gz")["a"] == [1, 2]


def _zstd(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


def test_encodings(read):
    assert read("a,b\nMünchen,1\n".encode("latin-1"), encoding="latin-1")["a"] == ["München"]
    assert read("a,b\n“€”,1\n".encode("cp1252"), encoding="cp1252")["a"] == ["“€”"]
    assert read("a,b\né,1\n".encode("utf-16-le"), encoding="utf-16-le")["a"] == ["é"]
    for marked in ("utf-16", "utf-32", "utf-8-sig"):
        assert read("a,b\né,1\n".encode(marked), encoding="cp1252")["a"] == ["é"]
    # A header may begin as a comment does.
    assert read("#a,b\né,1\n") == {"#a": ["é"], "b": [1]}


def test_lines_within_quotes_and_long_cells(read, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", 1000)
    long = "x" * 200_000
    text = "a,b\n" + '"one\n\ntwo, ""three""\n",1\n' * 500 + f'" {long}\n",2\n"p\nq",3\n'
    found = read(text)
    assert found["b"] == [1] * 500 + [2, 3]
    assert found["a"][0] == 'one\n\ntwo, "three"'
    assert found["a"][-2:] == [long, "p\nq"]


def test_a_decimal_comma(read):
    assert read("a;b\n1,5;1\n-2;1.5\n", decimal=",") == {"a": [1.5, -2.0], "b": ["1", "1.5"]}
    assert read("a;b\n1;x\n-2,25;y\n", decimal=",")["a"] == [1.0, -2.25]


def test_missing_values_of_the_spec(read):
    assert read("a,b\n-999,NA\n1,x\n", missing=("-999",)) == {"a": [None, 1], "b": ["NA", "x"]}
    assert read("a,b\nnone,\n1,x\n", missing=("None",)) == {"a": [None, 1], "b": ["", "x"]}


def test_a_table_without_a_header(read):
    assert read("1,x\n2,y\n") == {"0": [1, 2], "1": ["x", "y"]}
    assert read("x\ny\n", header=False) == {"0": ["x", "y"]}


BROKEN = {
    "empty": ("", {}, "t.csv is empty"),
    "blank": (" \n\n", {}, "t.csv is empty"),
    "a header alone": ("a,b\n", {}, "t.csv holds no rows below its header"),
    "twins": (
        "a,b,a\n1,2,3\n",
        {},
        "t.csv: two columns are named 'a', the 1st and the 3rd\n  give each a name of its own",
    ),
    "no name": ("a,,c\n1,2,3\n", {}, "t.csv: the 2nd column has no name\n  give it one in the header"),
    "a title above the header": (
        "Sales of May,,\n,,\na,b,c\n1,2,3\n",
        {},
        "t.csv: its first row has one cell, 'Sales of May', and 3 columns lie below it\n"
        "  remove the title above the header, or give each column a name",
    ),
    "no name at the end": ("a,b,\n1,2,3\n", {}, "t.csv: the 3rd column has no name\n  give it one in the header"),
    "semicolons": ("a;b\n1;2\n", {}, "t.csv has one column only, by the delimiter ','\n  say delimiter: ';'"),
    "blanks": ("a b\n1 2\n", {}, "t.csv has one column only, by the delimiter ','\n  say delimiter: ' '"),
    "a short row": (
        "a,b\n1,2\n\n3\n",
        {},
        "t.csv:4:1: error: 1 cell in a table of 2 columns\n  4 | 3\n    | ^\n"
        "  fill the row up, or remove it; a line that is no row may begin with what `comment:` says",
    ),
    "a long row": (
        'a,b\n"1\n",2\n3,4,5\n',
        {},
        "t.csv:4:1: error: 3 cells in a table of 2 columns\n  4 | 3,4,5\n    | ^^^^^\n"
        "  quote a cell that holds the delimiter",
    ),
    "something behind the last delimiter": (
        "a,b,\n" + "1,2,\n" * 200 + "3,4,5\n",
        {},
        "t.csv:202:1: error: 3 cells in a table of 2 columns\n  202 | 3,4,5\n      | ^^^^^\n"
        "  quote a cell that holds the delimiter",
    ),
    "a comment above the header": (
        "# of 2024\na,b\n1,2\n",
        {},
        "t.csv:1:1: error: this line has other cells than the rows\n  1 | # of 2024\n    | ^^^^^^^^^\n"
        "  if it is a comment, say comment: '#'",
    ),
    "a comment below": (
        "a,b\n1,2\n# end\n",
        {},
        "t.csv:3:1: error: 1 cell in a table of 2 columns\n  3 | # end\n    | ^^^^^\n"
        "  if it is a comment, say comment: '#'",
    ),
    "UTF-8 that is said to be cp1252": (
        "a,b\n1,Mü\n",
        {"encoding": "cp1252"},
        "t.csv: the encoding is said to be cp1252, and the text is UTF-8\n  say encoding: utf-8",
    ),
    "latin-1": (
        "a,b\n1,x\n2,Mü\n".encode("latin-1"),
        {},
        "t.csv:3:4: error: the file is not UTF-8: invalid start byte\n  say encoding: cp1252",
    ),
    "UTF-8 that is said to be UTF-16": (
        "a,b\n1,x\n\n".encode("utf-16-le") + b"\x00\xd8\x00\x00",
        {"encoding": "utf-16-le"},
        "t.csv:4:1: error: the file is not utf-16-le: illegal UTF-16 surrogate\n"
        "  say its encoding, such as encoding: utf-8",
    ),
    "UTF-16 without a mark": (
        "a,b\n1,x\n".encode("utf-16-le"),
        {},
        "t.csv:1:2: error: there is a NUL character\n  say encoding: utf-16-le",
    ),
    "a NUL": (
        "a,b\n1,x\n2,\0\n",
        {},
        "t.csv:3:3: error: there is a NUL character\n  is it a table? save it as text, in UTF-8",
    ),
    "an open quote": (
        'a,b\n1,x\n2,"y\n3,z\n',
        {},
        "t.csv:3:1: error: a quote in the row that begins here is left open",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken(case, refused):
    text, layout, message = BROKEN[case]
    assert refused(text, **layout) == message


def test_packed_and_cut_short(refused):
    data = gzip.compress(b"".join(b"%d,%d\n" % (i * 7919 % 1000, i) for i in range(5000)))
    assert "t.csv.gz is cut short or broken: Truncated" in refused(data[:-9], "t.csv.gz")
    assert "t.csv.gz is cut short or broken: " in refused(data[:100] + b"\0" * 100, "t.csv.gz")


def test_other_paths(tmp_path):
    with pytest.raises(DataError, match=r"t\.dat: is no table that can be read\n  expected one of \.csv"):
        read_table(tmp_path / "t.dat", Layout())
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match="is a folder, and a file is expected"):
        read_table(tmp_path / "t.csv", Layout())


PLACES = {
    "plain": ("a,b\n1,x\n\n2,y\n", {}, 1, "t.csv:4:3: error: m\n  4 | 2,y\n    |   ^"),
    "quoted lines": ('a,b\n"1\n2",x\n"3\n4","yy"\n', {}, 1, 't.csv:5:4: error: m\n  5 | 4","yy"\n    |    ^^^^'),
    "comments": ("#\na,b\n1,x\n# z\n2,y\n", {"comment": "#"}, 1, "t.csv:5:3: error: m\n  5 | 2,y\n    |   ^"),
    "sep": ("sep=;\na;b\n1;x\n2;y\n", {}, 1, "t.csv:4:3: error: m\n  4 | 2;y\n    |   ^"),
    "blanks": (" a  b\n 1  x\n 2  y\n", {"delimiter": " "}, 1, "t.csv:3:5: error: m\n  3 |  2  y\n    |     ^"),
    "row names": ("a,b\nr,1,x\ns,2,y\n", {}, 1, "t.csv:3:5: error: m\n  3 | s,2,y\n    |     ^"),
    "latin-1": (
        "a,b\nä,x\nä,y\n".encode("latin-1"),
        {"encoding": "latin-1"},
        1,
        "t.csv:3:3: error: m\n  3 | ä,y\n    |   ^",
    ),
    "CR": ("a,b\r1,x\r2,y\r", {}, 1, "t.csv:3:3: error: m\n  3 | 2,y\n    |   ^"),
}


@pytest.mark.parametrize("block", [4, 1 << 19])
@pytest.mark.parametrize("case", PLACES)
def test_places(case, block, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(text_files, "BLOCK", block)
    text, layout, row, message = PLACES[case]
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    table = read_table(tmp_path / "t.csv", Layout(**layout))
    assert str(table.cells("b").error(row, "m")).replace(f"{tmp_path}/", "") == message


def test_names_that_are_not_there(tmp_path: Path):
    def asked(text, name, **layout):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(DataError) as caught:
            read_table(tmp_path / "t.csv", Layout(**layout)).require(name)
        return str(caught.value).split("/")[-1]

    assert asked("age,b\n1,2\n", "agee") == "t.csv: there is no column 'agee'\n  did you mean 'age'?"
    assert "\n  say header: true if it has one" in asked("a,2019\n1,2\n", "a")
    assert "\n  say header: false" in asked("1,2\n3,4\n", "0", header=True)


def test_fields_that_no_text_can_have():
    def found(**fields):
        return [problem.field for problem in TableSource(path="t.csv", target="y", **fields).problems()]

    assert found(encoding="cp1252") == found(encoding="utf-16") == found(delimiter=" ") == []
    assert found(encoding="latin-9x") == found(encoding="hex") == ["encoding"]
    assert found(delimiter=",", decimal=",") == found(delimiter="\n") == found(delimiter="é") == ["delimiter"]
