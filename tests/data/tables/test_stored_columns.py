"""Columns on disk are those that were written, whole, in parts and by rows."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nnctl.data.tables import stored
from nnctl.data.tables.stored import StoredColumns, write_columns

N = 1000
RNG = np.random.default_rng(3)
TABLE = pa.table(
    {
        "x": pa.array(RNG.normal(size=N), mask=RNG.random(N) < 0.1),
        "n": pa.array(RNG.integers(-(2**62), 2**62, N)),
        "word": pa.array([None if i % 7 == 0 else f"wörd {i % 13}" for i in range(N)]),
        "flag": pa.array(RNG.random(N) < 0.5),
        "day": pa.array([date(2024, 1, 1 + i % 28) for i in range(N)]),
    }
)


@pytest.fixture(params=[1, 64, 999, 1000, 1001], ids="blocks of {}".format)
def columns(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredColumns:
    monkeypatch.setattr(stored, "_BLOCK", request.param)
    cuts = [0, 1, 1, 300, 301, 999, N]
    parts = (TABLE.slice(first, stop - first) for first, stop in pairwise(cuts))
    write_columns(tmp_path, ({name: part[name] for name in part.column_names} for part in parts))
    return StoredColumns(tmp_path)


def test_columns_are_whole(columns: StoredColumns) -> None:
    assert (list(columns), len(columns), columns.rows) == (TABLE.column_names, 5, N)
    for name in TABLE.column_names:
        assert columns[name].type == TABLE[name].type
        assert columns[name].to_pylist() == TABLE[name].to_pylist()
    assert "x" in columns
    assert "y" not in columns
    with pytest.raises(KeyError):
        columns["y"]


@pytest.mark.parametrize(("first", "stop"), [(0, 0), (0, 1), (63, 65), (128, 640), (999, 1000)])
def test_some_neighbours(columns: StoredColumns, first: int, stop: int) -> None:
    part = columns.part(first, stop, ["word", "x"])
    assert list(part) == ["word", "x"]
    assert part["word"].to_pylist() == TABLE["word"].to_pylist()[first:stop]


def test_some_rows(columns: StoredColumns) -> None:
    rows = np.flatnonzero(RNG.random(N) < 0.3)
    some = columns.take(rows)
    assert some.rows == len(rows)
    assert some["n"].to_pylist() == TABLE["n"].take(pa.array(rows)).to_pylist()
    assert some.part(5, 40, ["n"])["n"].to_pylist() == TABLE["n"].take(pa.array(rows[5:40])).to_pylist()
    again = some.take(np.array([0, 2, 3]))
    assert again["day"].to_pylist() == TABLE["day"].take(pa.array(rows[[0, 2, 3]])).to_pylist()
    assert len({columns.digest, some.digest, again.digest}) == 3


def test_a_table_of_no_rows(tmp_path: Path) -> None:
    write_columns(tmp_path, [{name: TABLE.slice(0, 0)[name] for name in TABLE.column_names}])
    empty = StoredColumns(tmp_path)
    assert empty.rows == 0
    assert empty["word"].to_pylist() == []
