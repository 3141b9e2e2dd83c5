"""Recomputation: which formulas become parts of those that read them, and that nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret
from graph.nets import net

from nnctl.backends.cuda.recomputation import recomputed
from nnctl.backends.cuda.schedule import lowered
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.verify import verify


def graph_of(build: Callable[[Any, Any, Any], dict[str, Any]], updates: bool = False) -> Graph:
    """A graph of two arrays; the first output may be the new value of the first of them."""
    builder = GraphBuilder("formulas")
    x, y = (builder.input(name, (4, 3), role="optimizer state") for name in "xy")
    made = build(builder, x, y)
    return builder.graph(made, {x.value: next(iter(made.values()))} if updates else {})


def kinds(graph: Graph) -> list[str]:
    """The ops of the recomputed graph, which computes the same."""
    found = recomputed(graph)
    verify(found)
    rng = np.random.default_rng(0)
    inputs = {value.name: rng.standard_normal(value.shape) for value in graph.inputs}
    expected = interpret(graph, inputs, {}).by_name()
    for name, array in interpret(found, inputs, {}).by_name().items():
        np.testing.assert_allclose(array, expected[name], rtol=1e-12)
    return [node.op.name for node in found.nodes]


def test_what_formulas_alone_read_is_computed_in_each_of_them() -> None:
    def build(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        centred = x - 1.0
        return {"a": centred * y, "b": centred + y, "c": builder.apply("sum", centred * centred, axes=(0,))}

    assert kinds(graph_of(build)) == ["subtract+multiply", "subtract+add", "subtract+multiply", "sum"]


def test_what_others_read_is_stored() -> None:
    def build(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        centred = x - 1.0
        return {"a": centred * y, "b": builder.apply("sum", centred, axes=(0,))}

    assert kinds(graph_of(build)) == ["subtract", "multiply", "sum"]


def test_what_takes_long_is_computed_once() -> None:
    def build(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        bent = builder.formula("tanh", lambda xp, x: xp.tanh(x), x)
        return {"a": bent * y, "b": bent + y}

    assert kinds(graph_of(build)) == ["tanh", "multiply", "add"]


def test_what_reads_more_than_it_writes_is_computed_again_for_two_but_not_for_three() -> None:
    def two(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        product = x * y
        return {"a": product + 1.0, "b": product - 2.0}

    def three(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        product = x * y
        return {"a": product + 1.0, "b": product - 2.0, "c": product * 3.0}

    assert kinds(graph_of(two)) == ["multiply+add", "multiply+subtract"]
    assert kinds(graph_of(three)) == ["multiply", "add", "subtract", "multiply"]


def test_results_and_what_updates_read_stay() -> None:
    def build(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        doubled = 2.0 * x
        return {"a": doubled + y, "b": doubled * y, "doubled": doubled}

    def update(builder: Any, x: Any, y: Any) -> dict[str, Any]:
        doubled = 2.0 * x
        return {"a": doubled + y, "b": doubled * y}

    assert kinds(graph_of(build)) == ["multiply", "add", "multiply"]
    assert kinds(graph_of(update, updates=True)) == ["multiply", "add", "multiply"]


@pytest.mark.parametrize("kind", ["batch_norm", "layer_norm"])
def test_normalization_keeps_its_input_and_little_else(kind: str) -> None:
    layers = f"layers: [{{type: dense, units: 6}}, {{type: {kind}}}, {{type: activation, activation: relu}}]"
    graph = Network(net(layers), DataSignature((5,), "real", None, (6,))).training_step
    launches = lowered(graph, {"batch": 8, "rows": 8}).launches
    large = [launch for launch in launches if launch.layer.startswith(kind) and launch.outputs[0].shape == (8, 6)]
    assert [launch.phase for launch in large] == [8]
