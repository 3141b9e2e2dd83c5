"""Clipping of gradients and the projection of weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from graph_bench import Bench

from nnctl.components.base import Clipping
from nnctl.components.clipping import ClipByGlobalNorm, ClipByNorm, ClipByValue
from nnctl.components.regularizers import MaxNorm


def clipped(clipping: Clipping, *gradients: Any) -> list[Any]:
    bench = Bench()
    tensors = [bench.tensor(f"g{i}", g, batched=False) for i, g in enumerate(gradients)]
    return bench.run(*clipping.build(bench.builder, tensors))


def test_value() -> None:
    (g,) = clipped(ClipByValue(limit=0.5), [[-3.0, 0.2], [0.5, 7.0]])
    np.testing.assert_array_equal(g, [[-0.5, 0.2], [0.5, 0.5]])


def test_norm_takes_each_parameter_by_itself() -> None:
    long, short = clipped(ClipByNorm(limit=1.0), [3.0, 4.0], [[0.3], [0.4]])
    np.testing.assert_allclose(long, [0.59999990, 0.79999983], atol=2e-8)
    np.testing.assert_array_equal(short, [[0.3], [0.4]])


def test_global_norm() -> None:
    (g,) = clipped(ClipByGlobalNorm(limit=1.0), [3.0, 4.0])
    np.testing.assert_allclose(g, [0.59999990, 0.79999983], atol=2e-8)
    a, b = clipped(ClipByGlobalNorm(limit=1.0), [3.0], [[4.0]])
    np.testing.assert_allclose([a[0], b[0, 0]], g, rtol=1e-15)


def test_gradients_of_0_stay() -> None:
    for clipping in (ClipByValue(limit=1.0), ClipByNorm(limit=1.0), ClipByGlobalNorm(limit=1.0)):
        (g,) = clipped(clipping, np.zeros(3))
        np.testing.assert_array_equal(g, 0.0)
    assert clipped(ClipByGlobalNorm(limit=1.0)) == []


def projected(limit: float, w: Any) -> Any:
    bench, incoming = Bench(), tuple(range(w.ndim - 1))
    return bench.run(MaxNorm(limit=limit).project(bench.builder, bench.tensor("w", w, batched=False), incoming))[0]


def test_max_norm_bounds_the_weights_into_each_unit() -> None:
    w = np.array([[3.0, 0.3, 0.0], [4.0, 0.4, 0.0]])
    np.testing.assert_allclose(projected(1.0, w), [[0.6, 0.3, 0.0], [0.8, 0.4, 0.0]], rtol=1e-15)


def test_max_norm_leaves_what_is_within_bounds_to_the_bit() -> None:
    w = np.random.default_rng(0).uniform(-0.1, 0.1, (5, 5, 2, 7))
    np.testing.assert_array_equal(projected(3.3, w), w)


def test_max_norm_of_a_kernel_counts_all_axes_but_the_units() -> None:
    w = np.ones((2, 2, 1, 3))
    np.testing.assert_allclose(projected(1.0, w), 0.5)
