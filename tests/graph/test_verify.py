"""The verifier refuses each kind of broken graph, in words that name the graph, the moment and the culprit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.verify import GraphError, verify
from nnctl.ops import OPS
from nnctl.ops.shapes import TensorType


def sound() -> Graph:
    """w ← exp(w) − x, guarded by Σx."""
    builder = GraphBuilder("sound")
    w, x = builder.input("w", (4,), role="parameter"), builder.input("x", (4,))
    guard = builder.apply("sum", x, axes=(0,))
    new = builder.formula("exp", lambda xp, w: xp.exp(w), w) - x
    return builder.graph({"total": guard}, {w.value: new}, guard)


def test_a_sound_graph_passes():
    verify(sound())


def refused(graph: Graph, words: str) -> None:
    with pytest.raises(GraphError, match=f"graph 'sound' after surgery: {words}"):
        verify(graph, after="surgery")


def test_reading_before_writing():
    graph = sound()
    refused(graph.rebuilt((graph.nodes[0], *graph.nodes[:0:-1])), "subtract reads exp real.* before it is computed")


def test_a_lost_producer():
    graph = sound()
    refused(graph.rebuilt((graph.nodes[0], graph.nodes[2])), "subtract reads exp")


def test_a_result_that_nothing_computes():
    graph = sound()
    refused(graph.rebuilt(graph.nodes[1:]), r"result sum real\(\) is never computed")


def test_a_value_computed_twice():
    graph = sound()
    refused(graph.rebuilt((*graph.nodes, graph.nodes[-1])), "subtract real.* is computed twice")


def test_a_node_that_gives_a_value_twice():
    builder = GraphBuilder("sound")
    x = builder.input("x", (4,))
    once, again = builder.formula("both", lambda xp, x: (xp.exp(x), xp.square(x)), x)
    graph = builder.graph({"once": once, "again": again})
    twice = Node(graph.nodes[0].op, graph.nodes[0].inputs, (once.value, once.value))
    refused(graph.rebuilt([twice]), r"both gives both real\(4,\) twice")


def _retyped(graph: Graph, position: int, output: Value) -> Graph:
    nodes = list(graph.nodes)
    node = nodes[position]
    nodes[position] = Node(node.op, node.inputs, (output,), node.attributes, node.layer)
    return graph.rebuilt(nodes, {graph.nodes[position].outputs[0]: output})


def test_a_wrong_type():
    refused(_retyped(sound(), 2, Value("y", TensorType((5,)))), "subtract of .* gives .* the graph says")


def test_inputs_that_the_op_refuses():
    graph = sound()
    bad = Node(OPS["matmul"], graph.nodes[1].inputs * 2, (Value("y", TensorType((4,))),))
    refused(graph.rebuilt((*graph.nodes, bad)), "matmul of .*two matrices")


def test_writing_to_an_input():
    graph = sound()
    refused(_retyped(graph, 1, next(v for v in graph.inputs if v.name == "x")), "exp writes the feed x")


def test_two_inputs_of_one_name():
    graph = sound()
    twin = Value("x", TensorType((4,)), "feed")
    nodes = [*graph.nodes[:2], graph.nodes[2].with_inputs({graph.nodes[2].inputs[1]: twin})]
    refused(graph.rebuilt(nodes), "two inputs are called 'x'")


def test_updates_of_what_is_not_trained():
    graph = sound()
    x = next(v for v in graph.inputs if v.name == "x")
    refused(replace(graph, updates={x: graph.nodes[2].outputs[0]}), "the feed x .* may not be updated")


def test_updates_of_another_type():
    graph = sound()
    w = next(iter(graph.updates))
    refused(replace(graph, updates={w: graph.nodes[0].outputs[0]}), r"update of w .* has type real\(\)")


def test_updates_that_nothing_computes():
    graph = sound()
    w = next(iter(graph.updates))
    x = next(v for v in graph.inputs if v.name == "x")
    refused(replace(graph, updates={w: x}), "the new w .* is the feed x .*: updates are computed")


def test_a_guard_that_is_no_number():
    graph = sound()
    refused(replace(graph, guard=graph.nodes[1].outputs[0]), r"the guard exp real\(4,\) is no real number")


def test_a_node_is_looked_at_once_and_a_new_one_too(monkeypatch):
    graph = sound()
    verify(graph)
    op = type(graph.nodes[-1].op)
    with monkeypatch.context() as patched:
        patched.setattr(op, "infer", lambda *_: pytest.fail("looked at again"))
        verify(graph.rebuilt(graph.nodes))
    last = graph.nodes[-1]
    broken = Node(last.op, (last.inputs[0], Value("n", TensorType((3,)), "feed")), last.outputs)
    with pytest.raises(GraphError, match="subtract of"):
        verify(graph.rebuilt((*graph.nodes[:-1], broken)))
