"""CSV files: columns and their kinds, and every complaint with file, line and column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.csv import Csv
from nnctl.errors import DataError

IRIS = "length,width,colour,species\n5.1,3.5,red,setosa\n4.9,3.0,blue,virginica\n6.2,3.4,red,virginica\n"


@pytest.fixture
def table(tmp_path):
    def write(text, **fields):
        if isinstance(text, bytes):
            (tmp_path / "t.csv").write_bytes(text)
        else:
            (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        return load_dataset(Csv(path="t.csv", **fields), tmp_path, 0)

    return write


def test_text_columns_are_categories(table):
    dataset = table(IRIS, target="species")
    assert dataset.signature.classes == ("setosa", "virginica")
    assert dataset.train.targets.tolist() == [0, 1, 1]
    # length, width, colour=blue, colour=red
    assert np.allclose(dataset.train.inputs, [[5.1, 3.5, 0, 1], [4.9, 3.0, 1, 0], [6.2, 3.4, 0, 1]])


def test_signature_equals_that_of_the_loaded_set(tmp_path):
    (tmp_path / "t.csv").write_text(IRIS)
    source = Csv(path="t.csv", target=-1)
    assert source.signature(tmp_path) == load_dataset(source, tmp_path, 0).signature


def test_columns_by_number_and_no_header(table):
    dataset = table("1,2,0\n3,4,1\n", target=-1)
    assert dataset.train.inputs.tolist() == [[1, 2], [3, 4]]
    assert dataset.signature.classes == ("0", "1")


def test_several_targets_are_values(table):
    dataset = table("a,b,c\n1,2,3\n4,5,6\n", target=("b", "c"))
    assert dataset.train.targets.tolist() == [[2, 3], [5, 6]]
    assert dataset.signature.target_shape == (2,)


def test_decimal_targets_are_values_and_integers_labels(table):
    assert table("1,0.5\n2,1.5\n", target=1).signature.classes is None
    assert table("1,10\n2,9\n", target=1).signature.classes == ("9", "10")
    assert table("1,10\n2,9\n", target=1, target_type="values").train.targets.tolist() == [[10], [9]]


def test_labels_asked_for_keep_their_text(table):
    dataset = table("1,01\n2,x\n", target=1, target_type="labels")
    assert dataset.signature.classes == ("01", "x")


def test_ignore_and_categorical(table):
    dataset = table("id,zone,y\na17,3,0.5\nb2,7,1.5\n", target="y", ignore=("id",), categorical=("zone",))
    assert dataset.train.inputs.tolist() == [[1, 0], [0, 1]]


def test_tabs_quotes_blank_lines_and_byte_order_mark(tmp_path):
    (tmp_path / "t.tsv").write_bytes(b'\xef\xbb\xbfx\ty\n\n1\t"a\tb"\n2\tc\n\n')
    dataset = load_dataset(Csv(path="t.tsv", target="y"), tmp_path, 0)
    assert dataset.signature.classes == ("a\tb", "c")


def test_rows_beyond_a_block(table):
    rows = "".join(f"{i},{i % 3}\n" for i in range(2500))
    dataset = table(rows, target=1)
    assert dataset.train.inputs[:, 0].tolist() == list(range(2500))


def test_a_time_in_seconds_is_told_of(table):
    """Seconds since 1970, a minute apart: single precision knows every 128th."""
    (advice,) = table("".join(f"{1_700_000_000 + 60 * i},{i},{i % 2}\n" for i in range(50)), target=2).advice
    assert advice.startswith("column '0' has numbers that differ and are equal in single precision, to which csv")
    # Their neighbours merge, whatever the spread; days are apart.
    assert len(table("1,0\n1700000000,1\n1700000001,1\n", target=1).advice) == 1
    assert table("".join(f"{1_700_000_000 + 86_400 * i},{i % 2}\n" for i in range(50)), target=1).advice == ()
    assert table("5.1,0\n4.9,1\n16777216,1\n", target=1).advice == ()


BROKEN = {
    "no number": (
        "a,b,y\n1,2,0\n3,4x,1\n",
        {"target": "y"},
        "t.csv:3:3: error: '4x' is no number\n"
        "  3 | 3,4x,1\n"
        "    |   ^^\n"
        "  expected a number in column 'b'\n"
        "  if the column holds names, say categorical: [b]",
    ),
    "missing": (
        "a,b,y\n1,2,0\n3,,1\n",
        {"target": "y"},
        "t.csv:3:3: error: missing value in column 'b'\n"
        "  3 | 3,,1\n"
        "    |   ^\n"
        "  remove the row, fill the gap, or leave the column out with ignore: [b]",
    ),
    "missing label": (
        'a,y\n1,red\n"2",NA\n',
        {"target": "y"},
        "t.csv:3:5: error: missing value in column 'y'\n"
        '  3 | "2",NA\n'
        "    |     ^^\n"
        "  remove the row, fill the gap, or leave the column out with ignore: [y]",
    ),
    "too large": (
        "1,0\n2e39,1\n",
        {"target": 1},
        "t.csv:2:1: error: 2e39 does not fit single precision\n"
        "  2 | 2e39,1\n"
        "    | ^^^^\n"
        "  expected a magnitude below 3.4e38",
    ),
    "short row": (
        "a,b,y\n1,2,0\n3,4\n",
        {"target": "y"},
        "t.csv:3:1: error: 2 cells in a table of 3 columns\n"
        "  3 | 3,4\n"
        "    | ^^^\n"
        "  quote a cell that holds the delimiter",
    ),
    "text as value": (
        "a,y\n1,red\n",
        {"target": "y", "target_type": "values"},
        "t.csv:2:3: error: 'red' is no number\n"
        "  2 | 1,red\n"
        "    |   ^^^\n"
        "  expected a number, for target values are numbers",
    ),
    "empty": ("", {"target": 0}, "t.csv is empty"),
    "header alone": ("a,b\n", {"target": 0}, "t.csv holds a header and no examples"),
    "twins": ("a,a\n1,2\n", {"target": 0}, "t.csv:1:1: error: two columns are named 'a'"),
    "delimiter": (
        "a;b\n1;2\n",
        {"target": "b"},
        "t.csv has one column only, and inputs and a target are needed\n  say delimiter: ';'",
    ),
    "unknown column": (
        "length,species\n1,2\n",
        {"target": "specie"},
        "t.csv: target: there is no column 'specie'\n  did you mean 'species'?",
    ),
    "column number": ("1,2\n", {"target": 2}, "t.csv: target is column 2, and there are 2, numbered from 0"),
    "name without header": (
        "1,2\n",
        {"target": "y"},
        "t.csv: target names the column 'y', and the file has no header\n  give its number from 0, or say header: true",
    ),
    "no inputs": ("a,b\n1,2\n", {"target": "b", "ignore": ("a",)}, "t.csv: no column is left for the inputs"),
    "classes or amounts": (
        "".join(f"{i},{i * 1000}\n" for i in range(101)),
        {"target": 1},
        "t.csv, column 1: 101 different integers, which may be classes or amounts\n"
        "  say target_type: labels, or target_type: values",
    ),
    "identifier": (
        "".join(f"id{i},{i % 2}\n" for i in range(300)),
        {"target": 1},
        "t.csv: column '0' holds 300 different texts, and at most 256 categories are made into inputs\n  ignore: [0]",
    ),
    "not UTF-8": (
        b"a,y\n1,caf\xe9\n",
        {"target": "y"},
        "t.csv:2:6: error: the file is not UTF-8: invalid continuation",
    ),
    "open quote": ('a,y\n1,"red\n', {"target": "y"}, "t.csv:2:1: error: unexpected end of data"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_file(name, table, tmp_path):
    text, fields, message = BROKEN[name]
    with pytest.raises(DataError) as caught:
        table(text, **fields)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(message)


def test_missing_file_and_folder(tmp_path):
    (tmp_path / "iris.csv").write_text(IRIS)
    with pytest.raises(DataError, match=r"there is no file .*iri\.csv\n  did you mean 'iris\.csv'\?"):
        Csv(path="iri.csv", target=0).signature(tmp_path)
    with pytest.raises(DataError, match="is a folder, and a file is expected"):
        Csv(path=".", target=0).signature(tmp_path)
    with pytest.raises(DataError, match="nor a folder"):
        Csv(path="no/iris.csv", target=0).signature(Path(tmp_path))


def test_target_that_is_ignored():
    (problem,) = Csv(path="x", target="y", ignore=("y",)).problems()
    assert problem.field == "ignore"
