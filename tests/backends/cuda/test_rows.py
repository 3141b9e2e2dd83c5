"""Elements moved, and rows of tables: odd lengths, kinds of elements, tables of few rows and of many."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends.cuda.agreement import compare
from backends.cuda.emulator import compiler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]


def numbers(*shape: int) -> Any:
    return np.random.default_rng(math.prod(shape)).standard_normal(shape)


# -- axes cut and joined ---------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
@pytest.mark.parametrize(("shape", "axis", "start", "stop"), [
    ((3, 8, 4), 1, 4, 8), ((3, 9, 5), 1, 2, 9), ((1, 33), 1, 31, 32), ((257, 3), 0, 1, 256), ((2, 8), 1, 3, 3),
])  # fmt: skip
def test_slices_of_any_kind(kind: Any, shape: tuple[int, ...], axis: int, start: int, stop: int) -> None:
    x = (100 * numbers(*shape)).astype(kind)
    compare("slice", [x], {"axis": axis, "start": start, "stop": stop}, 0)


@pytest.mark.parametrize(("shape", "axis", "before", "after"), [
    ((3, 8, 4), 1, 4, 8), ((2, 255), 1, 1, 0), ((2, 255), 1, 0, 1), ((1, 1), 0, 0, 0), ((5, 4), 0, 2, 3),
])  # fmt: skip
def test_zeros_around_an_axis(shape: tuple[int, ...], axis: int, before: int, after: int) -> None:
    compare("pad", [numbers(*shape)], {"axis": axis, "before": before, "after": after}, 1)


@pytest.mark.parametrize("widths", [(4,), (4, 8), (1, 31, 33), (4, 0, 8, 12), (1, 2, 3, 4, 5), (4,) * 9])
def test_any_number_of_arrays_side_by_side(widths: tuple[int, ...]) -> None:
    compare("concatenate", [numbers(3, width, 4) for width in widths], {"axis": 1}, 0)
    compare("concatenate", [numbers(33, 2, width) for width in widths], {"axis": -1}, 1)


# -- casts and repetitions -------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
@pytest.mark.parametrize("count", [1, 33, 256, 1028])
def test_numbers_of_any_kind_as_real_ones(kind: Any, count: int) -> None:
    compare("cast", [(200 * np.random.default_rng(count).random(count)).astype(kind)], {}, 0)


@pytest.mark.parametrize(("shape", "longer"), [
    ((), (3, 4)), ((3, 1), (3, 33)), ((1, 33), (31, 33)), ((8,), (5, 8)), ((2, 1, 1, 8), (2, 3, 5, 8)),
    ((1, 3, 1, 4), (2, 3, 5, 4)), ((3, 1, 2, 1, 3), (3, 2, 2, 4, 3)), ((257, 1), (257, 1)),
    ((2, 1, 3, 1, 2, 1), (2, 2, 3, 3, 2, 4)), ((1, 2, 1, 3, 1, 2, 1, 4, 1, 2), (2, 2, 2, 3, 3, 2, 2, 4, 2, 2)),
    ((1, 0, 1, 3, 1, 2), (2, 0, 2, 3, 3, 2)),
])  # fmt: skip
def test_repetitions_along_any_axes(shape: tuple[int, ...], longer: tuple[int, ...]) -> None:
    compare("broadcast_to", [numbers(*shape)], {"shape": longer}, 1)


# -- tables ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [np.float32, np.int64, np.uint8])
@pytest.mark.parametrize("shape", [(5,), (7, 3), (3, 8), (4, 2, 33), (9, 16)])
def test_rows_of_any_kind(kind: Any, shape: tuple[int, ...]) -> None:
    index = np.random.default_rng(1).integers(0, shape[0], size=257)
    compare("gather", [(50 * abs(numbers(*shape))).astype(kind), index], {}, 0)


@pytest.mark.parametrize(("rows", "entries", "units"), [
    (1, 1, 1), (65, 2048, 16), (3, 300, 33), (2, 257, 128), (4, 31, 132), (1000, 40, 12), (300, 33, 260), (50, 1, 7),
])  # fmt: skip
def test_rows_are_added_where_their_indices_say(rows: int, entries: int, units: int) -> None:
    rng = np.random.default_rng(rows)
    index = rng.integers(0, rows, size=(1, entries))
    index[rng.random((1, entries)) < 0.3] = rows // 2  # one row has many, as the filler of sequences has
    x = rng.standard_normal((1, entries, units))
    for order in (0, 1, 7):
        compare("add_rows", [x, index], {"rows": rows}, order)
    compare("lookup", [numbers(rows, units), index], {}, 0)


def test_rows_keep_what_is_no_number_to_themselves() -> None:
    x = np.ones((40, 4))
    x[7] = math.nan
    index = np.arange(40) % 5
    compare("add_rows", [x, index], {"rows": 5}, 0)
    compare("add_rows", [x, index], {"rows": 90}, 0)


@pytest.mark.parametrize("classes", [1, 10, 257])
def test_one_hot_rows(classes: int) -> None:
    labels = np.random.default_rng(classes).integers(-1, classes, size=33)
    compare("one_hot", [labels], {"classes": classes}, 0)


@pytest.mark.parametrize("features", [1, 31, 33, 100])
def test_steps_that_differ_from_a_value(features: int) -> None:
    rng = np.random.default_rng(features)
    x = rng.integers(0, 2, size=(3, 7, features)) * (rng.random((3, 7, 1)) < 0.5)
    compare("differs", [x.astype(float)], {"value": 0.0}, 1)
    compare("differs", [x], {"value": 1.0}, 0)
    compare("differs", [x], {"value": 0.5}, 0)
    x = x.astype(float)
    x[0, 0, 0] = math.nan
    compare("differs", [x], {"value": 0.0}, 0)


def test_large_indices_differ_from_their_neighbours() -> None:
    x = np.array([[2**24, 2**24 + 1, 2**24 + 2]])
    compare("differs", [x], {"value": float(2**24 + 1)}, 0)
