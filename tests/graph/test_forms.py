"""Forms: what nodes of equal layers share; and what is made of a graph once."""

from __future__ import annotations

import pytest

from graph.nets import net
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph, Node, Value, form_of
from nnctl.graph.network import Network
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import StructuredOp

SAME = StructuredOp("same", lambda x, **_: x, lambda xp, x, **_: x, None, None, lambda rng: ([], {}))


def test_nodes_of_equal_layers_share_a_form() -> None:
    layers = "layers: [{type: repeat, times: 20, layers: [{type: dense, units: 4, activation: tanh}]}]\n"
    graph = Network(net(f"{layers}cost: quadratic\n"), DataSignature((4,), "real", None, (4,))).training_step
    assert len(graph.nodes) > 140
    assert len({node.form for node in graph.nodes}) < 30


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (1, True), (1, 1.0), ((2,), (3,))])
def test_forms_tell_attributes_apart(one: object, other: object) -> None:
    types = (TensorType((3,)),)
    assert form_of(SAME, types, {"value": one}) is form_of(SAME, types, {"value": one})
    assert form_of(SAME, types, {"value": one}) is not form_of(SAME, types, {"value": other})


def test_a_node_of_a_form_is_looked_at_for_itself() -> None:
    builder = GraphBuilder("small")
    x = builder.input("x", (3,), role="feed")
    (y,) = builder.emit(SAME, [x])
    other = Node(SAME, (x.value,), (Value("z", TensorType((4,))),))
    assert other.form is builder.nodes[0].form
    assert builder.nodes[0].defect() is None
    assert "the graph says" in str(other.defect())
    assert y.shape == (3,)


def test_what_is_made_of_a_graph_is_made_once() -> None:
    graph, made = Graph("small", (), {}), []

    def make() -> list[int]:
        made.append(1)
        return made

    assert graph.once("a", make) is graph.once("a", make)
    assert made == [1]
    graph.once("b", make)
    assert made == [1, 1]
