"""Kernels that work row by row, on rows of any length and number, with values that are no numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret

from backends.cuda.agreement import compare
from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.builder import GraphBuilder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

LENGTHS = [1, 2, 3, 31, 32, 33, 255, 256, 257, 1000]
SMOOTHED = {"label_smoothing": 0.1, "class_weights": None}


def scores(rows: int, columns: int) -> Any:
    return 3.0 * np.random.default_rng([rows, columns]).standard_normal((rows, columns))


def labels(rows: int, columns: int) -> Any:
    return np.random.default_rng(rows).integers(0, columns, size=rows)


@pytest.mark.parametrize("columns", LENGTHS)
@pytest.mark.parametrize("rows", [1, 9])
def test_rows_of_any_length(rows: int, columns: int) -> None:
    z, y = scores(rows, columns), labels(rows, columns)
    likelihoods = np.abs(z) + 0.1
    for order, attributes in enumerate(({}, SMOOTHED)):
        compare("softmax_log_likelihood", [z, y], attributes, order)
        compare("log_likelihood", [likelihoods, y], attributes, order)
    compare("softmax", [z], {}, 5)
    compare("argmax", [np.round(z)], {}, 1)
    compare("in_top_k", [np.round(z), y], {"k": min(3, columns)}, 0)


def test_more_rows_than_a_block_has() -> None:
    z, y = scores(300, 10), labels(300, 10)
    for name in ("softmax", "argmax"):
        compare(name, [z], {}, 2)
    for name in ("softmax_log_likelihood", "log_likelihood"):
        compare(name, [np.abs(z), y], {}, 2)
    compare("target_distribution", [y], {"classes": 10, **SMOOTHED}, 2)
    compare("label_weight", [y], {"weights": tuple(np.arange(10.0))}, 2)
    compare("same", [y, labels(300, 9)], {}, 2)


def test_rows_of_sequences() -> None:
    z, y = scores(35, 6).reshape(5, 7, 6), labels(35, 6).reshape(5, 7)
    compare("softmax", [z], {}, 0)
    compare("argmax", [z], {}, 0)
    compare("softmax_log_likelihood", [z, y], {}, 0)


@pytest.mark.parametrize("columns", [4, 40, 400])
def test_the_first_of_several_and_what_is_no_number_are_found(columns: int) -> None:
    x = np.zeros((5, columns))
    x[1, columns // 2 :] = math.nan
    x[2, -1] = math.nan
    x[3] = -math.inf
    x[4, [1, -1]] = 7.0
    compare("argmax", [x], {}, 0)
    compare("argmax", [x], {}, 1)


def test_a_class_without_weight_costs_nothing_where_its_output_is_zero() -> None:
    a = np.array([[0.0, 0.25, 0.75], [0.5, 0.0, 0.5]])
    compare("log_likelihood", [a, np.array([1, 2])], {"class_weights": (0.0, 1.0, 2.0)}, 0)
    compare("log_likelihood", [a, np.array([1, 1])], {}, 0)


def test_logits_far_apart_cost_what_they_are_apart() -> None:
    z = np.array([[1e4, -1e4, 0.0], [math.nan, 0.0, 1.0], [80.0, 90.0, 100.0]])
    compare("softmax_log_likelihood", [z, np.array([1, 1, 2])], {}, 0)
    compare("softmax_log_likelihood", [z, np.array([1, 1, 2])], SMOOTHED, 0)
    compare("softmax", [z], {}, 0)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (9, 10), (20, 33), (3, 300)])
def test_softmax_and_its_cost_are_one_call_that_gives_the_same(rows: int, columns: int) -> None:
    builder = GraphBuilder("softmax and cost")
    z = builder.input("z", (rows, columns), role="optimizer state")
    y = builder.input("y", (rows,), "index", "data")
    made = {"a": builder.apply("softmax", z), "cost": builder.apply("softmax_log_likelihood", z, y)}
    graph = builder.graph(made)
    calls = calls_of(lowered(graph, {}))
    assert [[c.function.name for c in of_launch or ()] for of_launch in calls] == [[], ["softmax_and_log_likelihood"]]
    storage = {"z": scores(rows, columns).astype(np.float32), "y": labels(rows, columns)}
    expected = interpret(graph, storage, {}, np.float64).outputs
    for order in (0, 1, 5):
        backend = CudaBackend(EmulatedDevice(order))
        placed = {key: backend.to_device(array) for key, array in storage.items()}
        found = backend.load(backend.plan(graph, {}), placed).start({}, 1).result().outputs
        for name, array in expected.items():
            np.testing.assert_allclose(found[name][0], array, rtol=2e-5, atol=2e-6, err_msg=name)
