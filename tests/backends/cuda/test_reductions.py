"""Reductions of every layout of axes, short and long enough for several blocks and two passes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from backends.cuda.agreement import compare
from backends.cuda.emulator import compiler
from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.builder import GraphBuilder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((1,), (0,)),
    ((31,), (0,)),
    ((257,), (0,)),
    ((9000,), (0,)),
    ((2, 20000), (1,)),
    ((33, 5), (1,)),
    ((300, 40), (1,)),
    ((128, 10), (0,)),
    ((1, 10), (0,)),
    ((1000, 3), (0,)),
    ((700, 65), (0,)),
    ((255, 257), (0,)),
    ((4, 3, 5, 31), (0, 1, 2)),
    ((300, 4, 6), (1,)),
    ((32, 4, 4, 33), (1, 2)),
    ((5, 1, 7), (1,)),
    ((3, 1, 1), (1, 2)),
    ((6, 5, 4, 3, 2), (0, 2, 4)),
    ((3, 70, 2, 40), (1, 3)),
]


def calls(name: str, x: Any, **attributes: Any) -> list[Call]:
    builder = GraphBuilder("one reduction")
    made = builder.apply(name, builder.input("x", x.shape, "real", "optimizer state"), **attributes)
    (found,) = calls_of(lowered(builder.graph({"y": made}), {}), "float32")
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["sum", "mean", "max"])
@pytest.mark.parametrize(("shape", "axes"), SHAPES)
def test_reductions_of_any_layout(name: str, shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    x = np.random.default_rng(len(shape)).standard_normal(shape) + 0.5
    compare(name, [x], {"axes": axes, "keepdims": False}, sum(shape) % 3)


def test_a_sum_of_nothing_is_zero() -> None:
    compare("sum", [np.zeros((0, 4))], {"axes": (0,)}, 0)
    compare("sum", [np.zeros((4, 0))], {"axes": (0,)}, 0)


def test_long_reductions_take_two_passes_and_many_blocks() -> None:
    long = calls("sum", np.zeros((9000, 2)), axes=(0,))
    assert [call.function.name for call in long] == ["sums", "sums"]
    assert long[0].blocks > 1
    assert len(calls("sum", np.zeros((1024, 2)), axes=(0,))) == 1


def test_a_sum_of_many_loses_nothing_to_its_order() -> None:
    x = np.full(2**20, 0.1, np.float32)
    compare("sum", [x], {"axes": (0,)}, 0, reference=np.float64, rtol=2e-7)


@pytest.mark.parametrize("place", [0, 1, 100, 299])
def test_a_maximum_keeps_what_is_no_number(place: int) -> None:
    x = np.zeros((300, 2))
    x[place, 1] = math.nan
    compare("max", [x], {"axes": (0,)}, 0)
    compare("max", [np.where(x == 0.0, -math.inf, x)], {"axes": (0, 1)}, 1)


@pytest.mark.parametrize(("shape", "axes"), [((5, 300), (0,)), ((300, 5), (1,)), ((3, 40, 7), (0, 2)), ((900,), (0,))])
def test_norms_leave_no_range_of_numbers(shape: tuple[int, ...], axes: tuple[int, ...]) -> None:
    for order, scale in enumerate((1.0, 1e-30, 1e30, 0.0, math.inf, math.nan)):
        rng = np.random.default_rng(order)
        x = rng.standard_normal(shape)
        # Most norms are plain, some are scaled.
        scaled = np.where(rng.random(x.sum(axis=axes).shape) < 0.3, scale, 1.0)
        with np.errstate(all="ignore"):
            x = (x * np.expand_dims(scaled, axes)).astype(np.float32)
            squares = (x * x).sum(axis=axes)
        compare("norm", [x, squares], {"axes": axes}, order % 3)
