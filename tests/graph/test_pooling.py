"""Max pooling moved before biases and activations: what moves, and that results keep their bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graph.interpretation import interpret
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.graph.ir import Graph
from nnctl.graph.passes import run_passes
from nnctl.graph.pooling import pool_first
from nnctl.ops.shapes import BATCH

Build = Callable[[Any, Any, Any, Any], Any]
WINDOW = {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}


def relu(builder: Any, z: Any) -> Any:
    return builder.formula("relu", lambda xp, z: xp.maximum(0.0, z), z)


def biased(builder: Any, x: Any, b: Any, scale: Any) -> Any:
    return builder.apply("max_pool", relu(builder, x + b), **WINDOW)


def cut_off(builder: Any, x: Any, b: Any, scale: Any) -> Any:
    cut = builder.formula("cut", lambda xp, z, b: xp.minimum(1.0, xp.maximum(b, z - b)), x, b)
    return builder.apply("max_pool", cut, **WINDOW)


def turned(builder: Any, x: Any, b: Any, scale: Any) -> Any:
    return builder.apply("max_pool", b - x, **WINDOW)


def scaled(builder: Any, x: Any, b: Any, scale: Any) -> Any:
    return builder.apply("max_pool", relu(builder, x * scale), **WINDOW)


def added_up(builder: Any, x: Any, b: Any, scale: Any) -> Any:
    return builder.apply("max_pool", x + relu(builder, x), **WINDOW)


def read_twice(builder: Any, x: Any, b: Any, scale: Any) -> Any:
    z = x + b
    return builder.apply("max_pool", z, **WINDOW) + builder.apply("sum_pool", z, **WINDOW)


def built(build: Build) -> tuple[Graph, dict[str, Any]]:
    builder = GraphBuilder("pooling")
    x = builder.input("x", (BATCH, 4, 6, 3))
    b, scale = (builder.input(name, (3,), role="parameter") for name in ("b", "scale"))
    rng = np.random.default_rng(0)
    arrays = {
        "x": rng.standard_normal((5, 4, 6, 3)), "b": rng.standard_normal(3), "scale": rng.standard_normal(3),
    }  # fmt: skip
    return builder.graph({"y": build(builder, x, b, scale)}), arrays


CASES = {
    biased: "max_pool",
    cut_off: "max_pool",
    turned: "subtract",
    scaled: "multiply",
    added_up: "relu",
    read_twice: "add",
}
"""The first op of each graph when pooling has moved as far as it may."""


@pytest.mark.parametrize(("build", "first"), CASES.items())
def test_what_keeps_order_is_behind_pooling_and_nothing_else_is(build: Build, first: str) -> None:
    graph, arrays = built(build)
    found = run_passes(graph, [pool_first])
    assert found.nodes[0].op.name == first
    narrow = {name: array.astype(np.float32) for name, array in arrays.items()}
    expected, y = (interpret(g, narrow, {"batch": 5}, np.float32).outputs["y"] for g in (graph, found))
    assert y.tobytes() == expected.tobytes()


def test_gradients_stay_what_they_are() -> None:
    graph, arrays = built(biased)
    meanings = []
    for of in (graph, pool_first(graph)):
        builder = GraphBuilder.extending(of)
        y = builder.tensor(of.outputs["y"])
        inputs = [builder.tensor(v) for v in of.inputs]
        gradients = differentiate(builder, builder.apply("sum", y * y, axes=(0, 1, 2, 3)), inputs)
        names = [v.name for v in of.inputs]
        meanings.append(
            interpret(builder.graph(dict(zip(names, gradients, strict=True))), arrays, {"batch": 5}).outputs
        )
    for name, array in meanings[0].items():
        np.testing.assert_allclose(meanings[1][name], array, rtol=1e-12, err_msg=name)
