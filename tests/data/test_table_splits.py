"""Splits of tables: by groups, by a column, in time, and by files."""

from __future__ import annotations

import numpy as np
import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.grouping import Groups, latest
from nnctl.data.splits import Sampler
from nnctl.data.streams import Purpose
from nnctl.errors import DataError
from nnctl.spec.load import load_text


@pytest.fixture
def load(tmp_path):
    """The data set of a spec's data, in a folder with these files."""

    def read(said, **files):
        for name, text in files.items():
            (tmp_path / f"{name}.csv").write_text(text)
        spec = (
            f"data: {{type: table, target: y, {said}}}\n"
            "layers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood\n"
        )
        return load_dataset(load_text(spec, folder=tmp_path).spec.data, tmp_path, 0)

    return read


def rows_of(data):
    """The first input of each split's rows, as it stands in the file."""
    return {name: split.inputs[:][:, 0].astype(int).tolist() for name, split in data.splits.items()}


NUMBERED = "columns: {x: {type: number, scale: none}}"
"""The first input is the number of the row."""


# -- groups -------------------------------------------------------------------


def test_groups_never_stand_on_two_sides_and_sizes_are_near():
    rng = np.random.Generator(np.random.Philox(3))
    for trial in range(20):
        groups = rng.integers(0, 60, 500)
        labels = (groups % 4 == 0).astype(np.int64)
        found = Groups.among(groups, labels, Sampler("stratified", trial))
        mask = found.draw(100, trial, Purpose.TEST_SPLIT)
        assert not set(groups[mask]) & set(groups[~mask])
        # The smallest group has three rows or so: nearer is seldom possible.
        assert abs(mask.sum() - 100) <= 2
        # Stratified by the class of most rows, which here is that of all: a quarter of each.
        assert abs(labels[mask].sum() - labels.sum() / 5) <= found.sizes.max()
        folds = found.deal(5, trial)
        assert np.array_equal(np.unique(folds), range(5))
        assert len({(g, f) for g, f in zip(groups.tolist(), folds.tolist())}) == len(set(groups.tolist()))
        assert np.ptp(np.bincount(folds)) <= found.sizes.max()


def test_groups_larger_than_what_is_asked_for():
    groups = np.repeat([0, 1, 2], [50, 30, 40])
    mask = Groups.among(groups, None, Sampler("random", 0)).draw(5, 0, Purpose.TEST_SPLIT)
    assert groups[mask].tolist() == [1] * 30
    # Most of a group's rows decide its class, the first class where two are equal.
    labels = np.repeat([0, 1, 1, 0], [10, 40, 30, 40])
    assert Groups.among(groups, labels, Sampler("stratified", 0)).kinds.tolist() == [1, 1, 0]


def test_split_by_a_column_that_is_no_input(load):
    text = "x,who,y\n" + "".join(f"{i},c{i // 4},{i % 2}\n" for i in range(40))
    data = load(f"path: t.csv, {NUMBERED}, split: {{by: who}}, validation: 8, test: 8", t=text)
    sides = {name: {i // 4 for i in rows} for name, rows in rows_of(data).items()}
    assert {name: len(side) for name, side in sides.items()} == {"train": 6, "validation": 2, "test": 2}
    assert len(set.union(*sides.values())) == 10
    assert data.train.inputs.shape == (24, 1)
    parts = [load(f"path: t.csv, {NUMBERED}, split: {{by: who}}, fold: [{k}, 5]", t=text) for k in range(5)]
    held_out = [row for part in parts for row in rows_of(part)["validation"]]
    assert sorted(held_out) == list(range(40))
    assert all(
        {i // 4 for i in rows_of(p)["train"]}.isdisjoint(i // 4 for i in rows_of(p)["validation"]) for p in parts
    )


def test_groups_that_leave_too_little(load):
    text = "x,who,y\n" + "".join(f"{i},{'a' if i < 8 else 'b' if i < 16 else 'c'},{i % 2}\n" for i in range(18))
    with pytest.raises(DataError, match="held out for the test leaves 8 examples, and 10 are asked for validation"):
        load("path: t.csv, split: {by: who}, test: 7, validation: 10", t=text)
    # Of two groups that are left, one trains.
    data = load("path: t.csv, split: {by: who}, test: 8, validation: 9", t=text)
    assert len(data.train) in (2, 8)


def test_groups_that_cannot_be_held_out(load):
    text = "x,who,y\n1,a,0\n2,a,1\n3,a,0\n"
    with pytest.raises(DataError, match="all examples left are of one group: none can be held out for validation"):
        load("path: t.csv, split: {by: who}, validation: 1", t=text)
    with pytest.raises(DataError, match="2 parts are asked for of 1 groups"):
        load("path: t.csv, split: {by: who}, fold: [0, 2]", t=text)
    with pytest.raises(DataError, match=r"t\.csv:3:3: error: missing value in column 'who', by which rows are split"):
        load("path: t.csv, split: {by: who}, validation: 1", t="x,who,y\n1,a,0\n2,,1\n3,b,0\n")
    with pytest.raises(DataError, match="there is no column 'whom'\n  did you mean 'who'"):
        load("path: t.csv, split: {by: whom}, validation: 1", t=text)


# -- a column that says it ----------------------------------------------------


def test_split_by_names(load):
    text = "x,part,y\n0,train,0\n1,Test,1\n2,train,1\n3,val,0\n4,train,1\n5,test,0\n"
    data = load(f"path: t.csv, {NUMBERED}, split: {{column: part}}", t=text)
    assert rows_of(data) == {"train": [0, 2, 4], "validation": [3], "test": [1, 5]}
    with pytest.raises(DataError, match="the data says which examples are for validation: remove validation"):
        load("path: t.csv, split: {column: part}, validation: 1", t=text)
    # What the column does not hold out is drawn of the training rows.
    text = "x,part,y\n" + "".join(f"{i},{'test' if i < 3 else 'train'},{i % 2}\n" for i in range(9))
    data = load(f"path: t.csv, {NUMBERED}, split: {{column: part}}, validation: 2", t=text)
    assert rows_of(data)["test"] == [0, 1, 2]
    assert len(data.validation) == 2
    # Folds are of all rows but those of the test.
    parts = [load(f"path: t.csv, {NUMBERED}, split: {{column: part}}, fold: [{k}, 3]", t=text) for k in range(3)]
    assert sorted(i for part in parts for i in rows_of(part)["validation"]) == [3, 4, 5, 6, 7, 8]


def test_a_split_that_is_none_is_named_with_its_line(load):
    with pytest.raises(
        DataError, match=r"t\.csv:3:3: error: 'tset' names no split\n(.*\n)*  expected train, validation or"
    ):
        load("path: t.csv, split: {column: part}", t="x,part,y\n1,train,0\n2,tset,1\n3,train,1\n")
    with pytest.raises(DataError, match=r"t\.csv:3:3: error: a missing cell names no split"):
        load("path: t.csv, split: {column: part}", t="x,part,y\n1,train,0\n2,,1\n3,train,1\n")
    with pytest.raises(DataError, match="the data assigns no example to training"):
        load("path: t.csv, split: {column: part}", t="x,part,y\n1,test,0\n2,test,1\n")


def test_folds_by_number(load):
    text = "x,k,y\n" + "".join(f"{i},{i % 3},{i % 2}\n" for i in range(12))
    data = load(f"path: t.csv, {NUMBERED}, split: {{column: k}}, fold: [1, 3]", t=text)
    assert rows_of(data) == {"train": [0, 2, 3, 5, 6, 8, 9, 11], "validation": [1, 4, 7, 10]}
    with pytest.raises(DataError, match=r"column 'k' numbers folds, and no fold is asked for\n  say fold: \[0, 3\]"):
        load("path: t.csv, split: {column: k}", t=text)
    with pytest.raises(DataError, match="the data has the folds 0 to 2"):
        load("path: t.csv, split: {column: k}, fold: [0, 5]", t=text)


# -- time ---------------------------------------------------------------------


def test_the_latest_rows_are_held_out(load):
    days = [5, 1, 9, 3, 3, 7, 8, 2, 6, 4]
    text = "x,day,y\n" + "".join(f"{i},2021-03-{day:02},{i % 2}\n" for i, day in enumerate(days))
    data = load(f"path: t.csv, {NUMBERED}, split: {{time: day}}, validation: 2, test: 0.2", t=text)
    assert rows_of(data) == {"train": [0, 1, 3, 4, 7, 9], "validation": [5, 8], "test": [2, 6]}
    # As an input, where columns name it.
    said = "columns: {x: {type: number, scale: none}, day: {type: date, parts: [weekday]}}"
    assert load(f"path: t.csv, {said}, split: {{time: day}}, test: 2", t=text).train.inputs.shape == (8, 3)


def test_times_that_no_double_tells_apart(load):
    text = "x,ns,y\n" + "".join(f"{i},{1_700_000_000_000_000_000 + 9 - i},{i % 2}\n" for i in range(10))
    assert rows_of(load(f"path: t.csv, {NUMBERED}, split: {{time: ns}}, test: 3", t=text))["test"] == [0, 1, 2]


def test_equal_times_stay_on_one_side(load):
    assert latest(np.array([1.0, 2, 2, 2, 3]), 2).tolist() == [False, False, False, False, True]
    assert latest(np.array([1.0, 2, 2, 2, 3]), 3).tolist() == [False, True, True, True, True]
    with pytest.raises(DataError, match="all examples are of one time"):
        latest(np.array([2.0, 2]), 1)
    with pytest.raises(DataError, match=r"t\.csv:3:3: error: missing value in column 'day', by which rows are split"):
        load("path: t.csv, split: {time: day}, test: 1", t="x,day,y\n1,2021-01-01,0\n2,,1\n3,2021-01-02,1\n")


# -- files ----------------------------------------------------------------------

TRAIN = "x,c,y\n0,a,no\n1,b,yes\n2,a,no\n3,b,yes\n"


def test_files_of_splits_by_name_of_their_columns(load):
    data = load(
        f"train: t.csv, validation: v.csv, test: s.csv, {NUMBERED}",
        t=TRAIN, v="c,more,y,x\na,1,yes,4\nb,2,no,5\n", s="y,x,c\nno,6,a\n",
    )  # fmt: skip
    assert rows_of(data) == {"train": [0, 1, 2, 3], "validation": [4, 5], "test": [6]}
    assert data.validation.inputs[:, 1:].tolist() == [[1, 0], [0, 1]]
    assert data.validation.targets.tolist() == [1, 0]
    assert len(data.advice) == 1
    assert data.advice[0].endswith("v.csv has columns that the training rows lack, and they are left out: more")
    # One file for the test, and a share of the other for validation.
    drawn = load(f"path: t.csv, validation: 0.5, test: s.csv, {NUMBERED}", t=TRAIN, s="y,x,c\nno,6,a\n")
    assert {name: len(rows) for name, rows in rows_of(drawn).items()} == {"train": 2, "validation": 2, "test": 1}


@pytest.mark.parametrize("in_memory", ["true", "false"])
def test_what_is_left_out_need_be_in_the_first_file_alone(in_memory, load):
    said = (
        f"train: t.csv, test: s.csv, in_memory: {in_memory}, columns: {{x: {{type: number, scale: none}}, c: ignore}}"
    )
    data = load(said, t=TRAIN, s="y,x\nno,6\n")
    assert rows_of(data) == {"train": [0, 1, 2, 3], "test": [6]}
    assert data.advice == ()
    with pytest.raises(DataError, match=r"t\.csv: there is no column 'cc'\n  did you mean 'c'\?"):
        load(said.replace("c: ignore", "cc: ignore"), t=TRAIN, s="y,x,c\nno,6,a\n")


def test_files_that_do_not_match(load):
    with pytest.raises(DataError, match=r"s\.csv: there is no column 'c', as in .*t\.csv\n  its columns are y, x"):
        load("train: t.csv, test: s.csv", t=TRAIN, s="y,x\nno,6\n")
    with pytest.raises(DataError, match=r"s\.csv:3:6: error: 'z' is no category of the training rows"):
        load("train: t.csv, test: s.csv", t=TRAIN, s="y,x,c\nno,6,a\nno,7,z\n")
    with pytest.raises(DataError, match=r"s\.csv:2:4: error: missing value in column 'x'"):
        load("train: t.csv, test: s.csv", t=TRAIN, s="y,x,c\nno,,a\n")
    with pytest.raises(DataError, match=r"s\.csv:2:1: error: class 'maybe' has no training example"):
        load("train: t.csv, test: s.csv", t=TRAIN, s="y,x,c\nmaybe,6,a\n")


def test_a_kind_is_decided_over_all_files(load):
    # The digits of the first file alone are numbers; with those of the other they are names.
    numbers, names = "z,y\n10,0\n20,1\n10,1\n20,0\n", "z,y\n010,1\n20,0\n10,0\n"
    data = load("train: t.csv, test: s.csv, columns: {z: {type: category, unseen: other}}", t=numbers, s=names)
    assert data.test.inputs.tolist() == [[0, 0], [0, 1], [1, 0]]
    with pytest.raises(DataError, match=r"s\.csv:2:1: error: '010' is no category"):
        load("train: t.csv, test: s.csv", t=numbers, s=names)
    numbers = "z,y\n" + "".join(f"{i},{i % 2}\n" for i in range(20))
    with pytest.raises(
        DataError, match=r"s\.csv:3:1: error: 'nine' is no number, as 95\.\d+ % of the cells of column 'z'"
    ):
        load("train: t.csv, test: s.csv", t=numbers, s="z,y\n1,0\nnine,1\n")
    assert load("train: t.csv, test: s.csv", t=numbers, s="z,y\n1.5,0\n2,1\n").test.inputs.shape == (2, 1)


# -- classes --------------------------------------------------------------------


def test_classes_that_splits_lack(load):
    text = "x,y\n" + "".join(f"{i},{'ab'[i % 2]}\n" for i in range(20))
    last = load("path: t.csv, split: ordered, test: 2", t=f"{text}20,c\n21,c\n")
    assert last.advice == ("no training example is of class 'c': the net cannot learn what it is never shown",)
    rare = load("path: t.csv, validation: 0.2, test: 0.2", t=f"{text}20,c\n")
    assert rare.advice == ("class 'c' has fewer examples than there are splits: some split is measured without",)
    assert load("path: t.csv, validation: 0.2, test: 0.2", t=text).advice == ()


@pytest.mark.parametrize("names", [("yes", "Yes"), ("no call", "no  call"), ("STRASSE", "straße")])
def test_classes_that_are_written_alike_are_doubted(load, names):
    text = "x,y\n" + "".join(f"{i % 4},{(*names, 'other')[i % 3]}\n" for i in range(30))
    (advice,) = load("path: t.csv, test: 6", t=text).advice
    first, second = sorted(names)
    assert advice == f"classes {first!r} and {second!r} are two, and differ in blanks or in case alone"
    letters = "x,y\n" + "".join(f"{i % 4},{'aA'[i % 2]}\n" for i in range(30))
    assert load("path: t.csv, test: 6", t=letters).advice == ()


# -- rows that no split has -------------------------------------------------------


def test_rows_without_a_split_are_nobodys_concern(load):
    """A category, or a gap, of rows that the class filter or the subset leaves out, is no error."""
    text = "x,c,y\n" + "".join(f"{i},{'uv'[i % 3 % 2]},{'ab'[i % 2]}\n" for i in range(20)) + ",w,c\n"
    data = load("path: t.csv, classes: [b, a], validation: 4", t=text)
    assert data.signature.classes == ("b", "a")
    assert sorted({*data.train.inputs[:, 1], *data.validation.inputs[:, 1]}) == [0, 1]
    assert len(data.train) == 16
    assert np.isclose(data.train.inputs[:, 0].mean(), 0, atol=1e-6)
    ordered = load("path: t.csv, split: ordered, subset: 10, validation: 4", t=text.replace(",w,c\n", "20,u,a\n"))
    assert (len(ordered.train), len(ordered.validation)) == (10, 4)
    assert np.isclose(ordered.train.inputs[:, 0].mean(), 0, atol=1e-6)


def test_what_else_is_done_with_inputs_of_tables(load):
    text = "x,c,y\n" + "".join(f"{i},{'uv'[i % 3 % 2]},{'ab'[i % 2]}\n" for i in range(20))
    more = load("path: t.csv, expand: [{type: augmented, copies: 2, augment: [{type: noise, std: 0.1}]}]", t=text)
    assert more.train.inputs.shape == (60, 3)
    assert load("path: t.csv, reconstruct: true", t=text).train.targets.shape == (20, 3)
    with pytest.raises(DataError, match=r"flip needs images .*\n  noise and mixup work on inputs of any shape"):
        load("path: t.csv, augment: [flip]", t=text)
    twice = load("path: t.csv, transforms: [min_max]", t=text)
    assert twice.signature.statistics_shape == (3,)


def test_numbers_as_texts_in_one_file_and_as_numbers_in_another(load, tmp_path):
    (tmp_path / "s.jsonl").write_text('{"x": 1.234, "y": 0}\n{"x": 2.345, "y": 1}\n')
    said = "train: t.csv, test: s.jsonl, columns: {x: {type: number, thousands: .}}"
    with pytest.raises(
        DataError, match="column 'x' holds texts that are to be read as numbers in one of the files, and n"
    ):
        load(said, t="x,y\n1.234,0\n2.345,1\n")
