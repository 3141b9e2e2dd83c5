"""Splits: disjoint, of exact size, in the classes' proportions, and the same for ever."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.data.splits import Sampler, apportion, partition, size_of, subset
from nnctl.data.streams import Purpose
from nnctl.errors import DataError

RULES = st.sampled_from(["stratified", "random", "ordered"])
LABELS = st.lists(st.integers(0, 4), min_size=3, max_size=120).map(lambda labels: np.array(labels, dtype=np.int64))

GOLDEN_STRATIFIED = ([0, 1, 5, 6, 8, 10], [2, 3, 4], [7, 9, 11])
GOLDEN_RANDOM = ([3, 4, 10], [7, 9, 11])


@given(LABELS, RULES, st.integers(0, 2**64 - 1), st.data())
def test_partition_is_disjoint_complete_and_of_exact_size(labels, rule, seed, data):
    n = len(labels)
    test = data.draw(st.integers(0, n - 1))
    validation = data.draw(st.integers(0, n - 1 - test))
    parts = partition(labels, n, test=test, validation=validation, sampler=Sampler(rule, seed))
    assert [len(part) for part in parts] == [n - test - validation, validation, test]
    assert sorted(np.concatenate(parts)) == list(range(n))
    assert all(np.all(np.diff(part) > 0) for part in parts)


@given(LABELS, st.integers(0, 1000), st.data())
def test_stratified_test_split_is_within_one_of_proportion(labels, seed, data):
    n = len(labels)
    k = data.draw(st.integers(1, n - 1))
    _, _, test = partition(labels, n, test=k, validation=None, sampler=Sampler("stratified", seed))
    exact = np.bincount(labels, minlength=5) * k / n
    assert np.all(np.abs(np.bincount(labels[test], minlength=5) - exact) < 1)


@given(LABELS, st.integers(0, 1000), st.data())
def test_test_split_does_not_depend_on_validation(labels, seed, data):
    n = len(labels)
    validation = data.draw(st.integers(0, n - 2))
    sampler = Sampler("stratified", seed)
    one = partition(labels, n, test=1, validation=0, sampler=sampler)
    other = partition(labels, n, test=1, validation=validation, sampler=sampler)
    assert np.array_equal(one[2], other[2])


@given(st.lists(st.integers(0, 50), min_size=1, max_size=8).filter(lambda s: sum(s) > 0), st.data())
def test_apportion_is_exact_and_never_more_than_there_is(sizes, data):
    sizes = np.array(sizes)
    k = data.draw(st.integers(0, int(sizes.sum())))
    shares = apportion(sizes, k)
    assert shares.sum() == k
    assert np.all(shares <= sizes)
    assert np.all(np.abs(shares - sizes * k / sizes.sum()) < 1)


def test_ordered_holds_out_the_end_and_subsets_the_beginning():
    sampler = Sampler("ordered", 0)
    train, validation, test = partition(None, 10, test=2, validation=3, sampler=sampler)
    assert train.tolist() == [0, 1, 2, 3, 4]
    assert validation.tolist() == [5, 6, 7]
    assert test.tolist() == [8, 9]
    assert subset(None, 5, 2, sampler, Purpose.SUBSET).tolist() == [0, 1]


def test_golden_splits():
    labels = np.arange(12) % 3
    train, validation, test = partition(labels, 12, test=3, validation=3, sampler=Sampler("stratified", 7))
    assert (train.tolist(), validation.tolist(), test.tolist()) == GOLDEN_STRATIFIED
    _, validation, test = partition(None, 12, test=3, validation=3, sampler=Sampler("stratified", 7))
    assert (validation.tolist(), test.tolist()) == GOLDEN_RANDOM


@pytest.mark.parametrize(
    ("portion", "n", "expected"),
    [(None, 10, 0), (0, 10, 0), (4, 10, 4), (0.25, 10, 3), (0.01, 10, 1), (1 / 6, 60_000, 10_000)],
)
def test_size_of(portion, n, expected):
    assert size_of(portion, n) == expected


def test_too_many_held_out():
    with pytest.raises(
        DataError, match=r"^data\.validation: 6 for test and 4 for validation leave nothing to train on: .* 10 examples"
    ):
        partition(None, 10, test=6, validation=4, sampler=Sampler("random", 0))


def test_one_example_trains_alone_and_cannot_be_split():
    train, validation, test = partition(np.array([0]), 1, test=0, validation=None, sampler=Sampler("stratified", 0))
    assert (len(train), len(validation), len(test)) == (1, 0, 0)
    with pytest.raises(DataError, match="1 example in all"):
        partition(None, 1, test=None, validation=0.2, sampler=Sampler("random", 0))


@pytest.mark.parametrize(
    ("portion", "message"),
    [(11, "data.subset: 11 examples are asked for, and there are 10"), (0, "data.subset: 0 examples")],
)
def test_impossible_subset(portion, message):
    with pytest.raises(DataError, match=message):
        subset(None, 10, portion, Sampler("random", 0), Purpose.SUBSET)
