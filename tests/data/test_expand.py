"""Training sets made larger, and parts held out in turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.data.dataset import Dataset, load_dataset
from nnctl.data.splits import Sampler, fold
from nnctl.errors import DataError
from nnctl.spec.load import load_text

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"


def load(data: str) -> Dataset:
    loaded = load_text(f"data: {data}\nlayers: [flatten, {{type: dense, units: 10}}]\ncost: mse\n")
    return load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed)


def test_originals_then_a_block_a_direction() -> None:
    plain, larger = load("{type: digits}"), load("{type: digits, expand: [shift]}")
    n = len(plain.train)
    assert larger.train.inputs.dtype == np.uint8
    assert len(larger.train) == 5 * n
    np.testing.assert_array_equal(larger.train.inputs[:n], plain.train.inputs)
    np.testing.assert_array_equal(larger.train.targets, np.tile(plain.train.targets, 5))
    padded = np.pad(plain.train.inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    ways = [padded[:, 2:, 1:-1], padded[:, :-2, 1:-1], padded[:, 1:-1, 2:], padded[:, 1:-1, :-2]]
    np.testing.assert_array_equal(larger.train.inputs[n:], np.concatenate(ways))
    assert plain.validation is not None
    assert larger.validation is not None
    np.testing.assert_array_equal(larger.validation.inputs, plain.validation.inputs)
    assert larger.fingerprint != plain.fingerprint


def test_shifted_out_of_sight() -> None:
    larger = load("{type: digits, expand: [{type: shift, pixels: 9, directions: [left]}]}")
    assert not larger.train.inputs[len(larger.train) // 2 :].any()


def test_random_copies_differ_and_come_again() -> None:
    data = "{type: digits, subset: 50, expand: [{type: augmented, copies: 2, augment: [{type: rotate, degrees: 30}]}]}"
    first, again = load(data), load(data)
    assert first.fingerprint == again.fingerprint
    original, one, two = np.split(first.train.inputs, 3)
    assert not np.array_equal(original, one)
    assert not np.array_equal(one, two)


def test_values_are_copied_too() -> None:
    larger = load("{type: sine, examples: 20, expand: [{type: augmented, copies: 3, augment: [noise]}]}")
    np.testing.assert_array_equal(larger.train.targets, np.tile(larger.train.targets[:20], (4, 1)))


@pytest.mark.parametrize("part", ["shift", "{type: augmented, augment: [noise, rotate]}"])
def test_points_are_no_images(part: str) -> None:
    with pytest.raises(DataError, match=r"expand: \w+ needs images"):
        load(f"{{type: moons, expand: [{part}]}}")


def test_the_book_s_training_set() -> None:
    if not MNIST.is_dir():
        pytest.skip("MNIST is not beside this checkout")
    larger = load(f"{{type: mnist, path: '{MNIST}', validation: 10000, expand: [shift]}}")
    assert len(larger.train) == 250_000
    assert larger.train.inputs.nbytes == 196_000_000


# -- folds ---------------------------------------------------------------------


@given(st.integers(2, 9), st.integers(0, 60), st.sampled_from(["stratified", "random", "ordered"]), st.integers(0, 99))
def test_folds_divide_what_there_is(folds: int, extra: int, rule: Any, seed: int) -> None:
    n = folds + extra
    labels = (np.arange(n) ** 2) % 3
    rest = np.arange(n, dtype=np.int64) * 2
    parts = [fold(labels, rest, k, folds, Sampler(rule, seed)) for k in range(folds)]
    np.testing.assert_array_equal(np.sort(np.concatenate([held for _, held in parts])), rest)
    for train, held in parts:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held])), rest)
        assert n // folds <= len(held) <= -(-n // folds)
        if rule == "stratified":
            for label in range(3):
                share = (labels == label).sum() / folds
                assert abs((labels[held // 2] == label).sum() - share) < 2


def test_a_fold_takes_the_place_of_validation_and_leaves_the_test_alone() -> None:
    plain, folded = load("{type: digits, validation: 200}"), load("{type: digits, validation: 200, fold: [1, 4]}")
    assert folded.validation is not None
    assert plain.test is not None
    assert folded.test is not None
    rest = 1797 - len(plain.test)
    assert len(folded.validation) in (rest // 4, rest // 4 + 1)
    np.testing.assert_array_equal(plain.test.inputs, folded.test.inputs)


@pytest.mark.parametrize("fields", ["fold: [3, 3]", "fold: [0, 1]", "examples: 4, fold: [0, 5]"])
def test_folds_that_cannot_be(fields: str) -> None:
    with pytest.raises(DataError, match="fold"):
        load(f"{{type: blobs, {fields}}}")
