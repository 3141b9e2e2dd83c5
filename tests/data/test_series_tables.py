"""Series from tables: windows, borders in time, gaps, groups, and what is refused, each by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.series.inputs import WindowRows
from nnctl.data.series.timeline import Timeline
from nnctl.data.sources.steps import SeriesSource
from nnctl.data.stored.arrays import pieces_of
from nnctl.errors import DataError

Load = Callable[..., Dataset]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def write(lines: list[str], **fields: Any) -> Dataset:
        (tmp_path / "series.csv").write_text("\n".join(lines) + "\n")
        return load_dataset(SeriesSource(path="series.csv", **fields), tmp_path, 0)

    return write


def counted(steps: int) -> list[str]:
    """x counts from 0, y is ten times that."""
    return ["x,y", *(f"{i},{10 * i}" for i in range(steps))]


def test_windows_of_a_counted_series(load: Load) -> None:
    data = load(counted(8), columns=("x", "y"), target="y", window=3, horizon=2, scale="none")
    assert data.train.inputs.shape == (4, 3, 2)
    assert data.train.inputs[:][1].tolist() == [[1, 10], [2, 20], [3, 30]]
    assert data.train.targets.tolist() == [[30, 40], [40, 50], [50, 60], [60, 70]]


def test_targets_are_all_inputs_step_after_step(load: Load) -> None:
    data = load(counted(6), window=2, horizon=2, scale="none")
    assert data.train.targets[0].tolist() == [2, 20, 3, 30]
    assert data.signature.target_shape == (4,)
    assert data.signature.target_statistics_shape == (4,)


def test_a_stride_leaves_windows_out(load: Load) -> None:
    data = load(counted(10), columns=("x",), window=2, horizon=1, stride=3, scale="none")
    assert data.train.inputs[:, 0, 0].tolist() == [0, 3, 6]


def test_no_target_lies_on_two_sides_and_inputs_lie_before_their_border(load: Load) -> None:
    fields: dict[str, Any] = {"columns": ("x",), "window": 4, "horizon": 2, "scale": "none"}
    data = load(counted(20), **fields, validation=4, test=0.25)
    assert data.validation is not None
    assert data.test is not None
    assert data.train.targets.tolist() == [[i, i + 1] for i in range(4, 10)]
    assert data.validation.targets.tolist() == [[11, 12], [12, 13], [13, 14]]
    assert data.test.targets.tolist() == [[15, 16], [16, 17], [17, 18], [18, 19]]
    # What is known when the first forecast of a split is made lies before its border.
    assert data.validation.inputs[0, :, 0].tolist() == [7, 8, 9, 10]
    assert data.test.inputs[0, :, 0].tolist() == [11, 12, 13, 14]


def test_scaling_is_that_of_the_steps_that_training_reads(load: Load) -> None:
    # Training reads 0…8, of mean 4 and standard deviation √(60/9); later steps are far away.
    lines = ["x", *map(str, range(10)), *["1000"] * 6]
    data = load(lines, window=4, test=6)
    assert data.test is not None
    np.testing.assert_allclose(data.train.inputs[0, :, 0], (np.arange(4) - 4) / np.sqrt(60 / 9), rtol=1e-6)
    np.testing.assert_allclose(data.test.inputs[-1, :, 0], [996 / np.sqrt(60 / 9)] * 4, rtol=1e-6)
    assert data.fitted["series"]["x"]["shift"] == 4.0


def test_seconds_since_1970_keep_their_meaning(load: Load) -> None:
    data = load(["s", *(str(1_700_000_000 + i) for i in range(12))], window=10)
    np.testing.assert_allclose(np.diff(data.train.inputs[0, :, 0]), 1 / np.sqrt((11**2 - 1) / 12), rtol=1e-5)
    # Targets are in their own units, and these have no room for seconds.
    (doubt,) = data.doubts
    assert doubt.startswith("column 's' has values that differ and are equal in single precision")


def test_groups_are_series_of_their_own_in_the_order_of_time(load: Load) -> None:
    lines = ["station,hour,load", "b,2,22", "a,1,11", "b,1,21", "a,3,13", "b,3,23", "a,2,12", "b,4,24"]
    fields: dict[str, Any] = {"group": "station", "time": "hour", "window": 2, "scale": "none"}
    data = load(lines, **fields)
    assert data.train.inputs[:, :, 0].tolist() == [[21, 22], [22, 23], [11, 12]]
    assert data.train.targets.tolist() == [[23], [24], [13]]
    held = load(lines, **fields, test=1)
    assert held.test is not None
    assert held.test.targets.tolist() == [[24], [13]]
    assert held.train.targets.tolist() == [[23]]


def test_short_series_are_named_and_counted(load: Load) -> None:
    lines = ["g,x", *(f"{g},{i}" for g, n in (("one", 2), ("two", 5), ("three", 3)) for i in range(n))]
    data = load(lines, group="g", window=3, horizon=1)
    assert len(data.train) == 2
    assert data.doubts == ("2 of 3 series are left out, for window 3 and horizon 1 need 4 steps: one, three",)
    with pytest.raises(DataError, match="the longest of 3 series has 5 steps, and window 5 and horizon 1 need 6"):
        load(lines, group="g", window=5, horizon=1)


def test_a_series_shorter_than_a_window(load: Load) -> None:
    with pytest.raises(DataError, match=r"series\.csv: the series has 5 steps, and window 4 and horizon 2 need 6"):
        load(counted(5), window=4, horizon=2)


@pytest.mark.parametrize(
    ("held_out", "words"),
    [
        ({"test": 1}, "test 1 is 1 of 20 steps, and window 4 and horizon 2 leave no target in them"),
        ({"validation": 0.05, "test": 4}, "validation 0.05 is 1 of 20 steps"),
        ({"test": 0.8}, "4 of 20 steps are left to train on, and window 4 and horizon 2 need 6"),
        ({"test": 30}, "0 of 20 steps are left to train on"),
    ],
)
def test_splits_that_hold_no_window(held_out: dict[str, Any], words: str, load: Load) -> None:
    with pytest.raises(DataError, match=words):
        load(counted(20), window=4, horizon=2, **held_out)


def test_equal_times_of_a_series(load: Load) -> None:
    lines = ["g,t,x", "a,1,1", "b,1,1", "a,2,2", "b,1,3"]
    with pytest.raises(DataError, match=r"(?s)series\.csv:5:3.*a second row of 'b' at the same time"):
        load(lines, group="g", time="t", window=1)
    with pytest.raises(DataError, match=r"(?s)series\.csv:3:1.*say group"):
        load(["t,x", "1,1", "1,2", "2,3"], time="t", window=1)


def test_irregular_steps_are_doubted_and_months_are_not(load: Load) -> None:
    lines = ["t,x", *(f"2024-01-{day:02d},{day}" for day in (1, 2, 3, 4, 6, 7))]
    (doubt,) = load(lines, time="t", window=2).doubts
    assert doubt.startswith("1 of 5 steps in column 't' are longer or shorter than the others, the first at 2024-01-06")
    ends = ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]
    assert load(["t,x", *(f"{end},1" for end in ends)], time="t", window=2).doubts == ()
    assert load(["t,x", "0.1,1", "0.2,2", "0.3,3", "0.4,5"], time="t", window=2).doubts == ()


@pytest.mark.parametrize(
    ("times", "following"),
    [
        (["2024-01-30", "2024-01-31"], ["2024-02-01", "2024-02-02"]),
        (["2023-11-30", "2023-12-31", "2024-01-31"], ["2024-02-29", "2024-03-31"]),
        (["2024-01-15", "2024-04-15"], ["2024-07-15", "2024-10-15"]),
        (["2024-01-01T22:00", "2024-01-01T23:30"], ["2024-01-02T01:00", "2024-01-02T02:30"]),
    ],
)
def test_times_beyond_the_last(times: list[str], following: list[str]) -> None:
    given = np.array(times, dtype="datetime64[us]")
    timeline = Timeline(np.arange(len(times)), np.array([0, len(times)]), ("",), given, "t")
    beyond = timeline.after(0, 2)
    assert beyond is not None
    np.testing.assert_array_equal(beyond, np.array(following, dtype="datetime64[us]"))


def test_gaps(load: Load) -> None:
    lines = ["t,x", "0,0", "2,", "4,", "8,8", "9,9", "10,10"]
    fields: dict[str, Any] = {"time": "t", "window": 5, "scale": "none"}
    with pytest.raises(DataError, match=r"(?s)series\.csv:3:.*missing value in column 'x'.*say missing: previous"):
        load(lines, **fields)
    assert load(lines, **fields, missing="previous").train.inputs[0, :, 0].tolist() == [0, 0, 0, 8, 9]
    assert load(lines, **fields, missing="interpolate").train.inputs[0, :, 0].tolist() == [0, 2, 4, 8, 9]


def test_gaps_at_the_ends(load: Load) -> None:
    for missing in ("previous", "interpolate"):
        with pytest.raises(DataError, match=r"(?s)series\.csv:2:.*the series has none before it"):
            load(["t,x", "1,", "2,1", "3,2"], time="t", window=1, missing=missing)
    with pytest.raises(DataError, match=r"(?s)series\.csv:4:.*the series has none behind it.*missing: previous"):
        load(["t,x", "1,1", "2,1", "3,"], time="t", window=1, missing="interpolate")
    # A gap is filled from its own series, never from another's end.
    with pytest.raises(DataError, match=r"(?s)series\.csv:4:.*none before it"):
        load(["g,x", "a,1", "a,2", "b,", "b,4"], group="g", window=1, missing="previous")


def test_columns_without_numbers(load: Load) -> None:
    with pytest.raises(DataError, match=r"column 'name' holds no numbers\n  name the columns of numbers"):
        load(["name,x", "u,1", "v,2", "w,3"], window=1)
    with pytest.raises(DataError, match="there is no column 'z'"):
        load(counted(5), columns=("z",), window=1)
    with pytest.raises(DataError, match="holds no times"):
        load(["t,x", "noon,1", "night,2"], time="t", window=1)


def test_windows_cut_as_they_are_used_are_those_that_are_held(load: Load) -> None:
    fields: dict[str, Any] = {"window": 5, "horizon": 2, "stride": 2, "validation": 0.2, "test": 8}
    held, cut = (load(counted(40), **fields, in_memory=there) for there in (True, False))
    assert isinstance(held.train.inputs, np.ndarray)
    assert isinstance(cut.train.inputs, WindowRows)
    assert held.fingerprint == cut.fingerprint
    for name, split in cut.splits.items():
        np.testing.assert_array_equal(np.concatenate(list(pieces_of(split.inputs))), held.splits[name].inputs)
    np.testing.assert_array_equal(cut.train.inputs[np.array([3, 1])], held.train.inputs[[3, 1]])
    assert cut.train.inputs.nbytes == held.train.inputs.nbytes


def test_the_signature_needs_no_reading_where_columns_are_named(tmp_path: Path) -> None:
    source = SeriesSource(path="absent.csv", columns=("x", "y"), target="y", window=3, horizon=2)
    assert source.signature(tmp_path).input_shape == (3, 2)
    (tmp_path / "series.csv").write_text("\n".join(counted(9)))
    other = SeriesSource(path="series.csv", window=3, horizon=2)
    assert other.signature(tmp_path) == load_dataset(other, tmp_path, 0).signature


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"fold": (0, 3)}, "folds would train on later steps than they validate on"),
        ({"group": "x", "columns": ("x",)}, "column x orders the series"),
        ({"columns": ("x", "x")}, "column x is listed twice"),
        ({"known": ("x",), "target": "x"}, "column x is a target, and its future is asked for"),
        ({"known": ("z",), "columns": ("x",), "target": "y"}, "column z is no input"),
        ({"known": ("x",)}, "every input is a target where none is named"),
    ],
)
def test_fields_that_do_not_go_together(fields: dict[str, Any], words: str) -> None:
    problems = SeriesSource(path="series.csv", window=3, **fields).problems()
    assert any(words in problem.message for problem in problems)


def test_steps_to_come_do_not_train(load: Load) -> None:
    lines = ["x,holiday", "1,0", "2,0", "3,1", "4,0", ",1", ",0"]
    data = load(lines, columns=("x", "holiday"), target="x", known=("holiday",), window=2, scale="none")
    assert data.train.targets.tolist() == [[3], [4]]
