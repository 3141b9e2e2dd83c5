"""The builder: names, shared inputs, what gives no node, builders that go on."""

from __future__ import annotations

import pytest

from nnctl.components.layers.dense import Dense
from nnctl.errors import ShapeError
from nnctl.graph.builder import GraphBuilder
from nnctl.ops.notation import render
from nnctl.ops.shapes import BATCH


def test_inputs_and_parameters_are_the_same_each_time():
    builder = GraphBuilder("shared")
    assert builder.input("x", (3,)).value is builder.input("x", (3,)).value
    for _ in range(2):
        with builder.scope("dense1"):
            builder.build_here(Dense(units=2), builder.input("rows", (BATCH, 3)))
    assert list(builder.parameters) == ["dense1.weight", "dense1.bias"]
    with pytest.raises(ValueError, match=r"the input x real\(3,\) is asked for as real\(4,\)"):
        builder.input("x", (4,))


def test_names_are_never_given_twice():
    builder = GraphBuilder("names")
    x = builder.input("x", (3,))
    names = [builder.formula("f", lambda xp, x: xp.exp(x), x).value.name for _ in range(3)]
    assert names == ["f", "f_2", "f_3"]
    assert builder.emit(builder.nodes[0].op, [x], name="f_2")[0].value.name == "f_2_2"


def test_an_extended_builder_goes_on_with_names_and_random_streams():
    builder = GraphBuilder("random")
    drawn = [builder.uniform("mask", (3,)), builder.normal("noise", (3,))]
    graph = builder.graph({str(i): t for i, t in enumerate(drawn)})
    extended = GraphBuilder.extending(graph)
    extended.uniform("mask", (3,))
    assert [node.attributes["stream"] for node in extended.nodes] == [0, 1, 2]
    names = [v.name for node in extended.nodes for v in node.outputs]
    assert len(set(names)) == 3
    assert len(extended.inputs) == 2


@pytest.mark.parametrize("op", ["reshape", "broadcast_to", "sum_to"])
def test_what_changes_nothing_gives_no_node(op):
    builder = GraphBuilder("nothing")
    x = builder.input("x", (3,))
    assert builder.apply(op, x, shape=[3]).value is x.value
    assert builder.formula("same", lambda xp, a, b: a * 1.0 + 0.0 * b, x, x).value is x.value
    assert builder.formula("zero", lambda xp, a: a * 0.0, x) is None
    assert builder.nodes == []


def test_arithmetic_on_both_sides():
    builder = GraphBuilder("arithmetic")
    x = builder.input("x", (3,))
    for tensor in (1.0 + x, x + 2.0, 1.0 - x, x - 1.0, 2.0 * x, x / 2.0, 1.0 / x, -x):
        assert tensor.shape == (3,)
    texts = [render(node.op.expression, ["x"]) for node in builder.nodes]
    assert texts == ["1 + x", "x + 2", "1 - x", "x - 1", "2 * x", "x / 2", "1 / x", "-x"]


def test_an_op_takes_tensors_alone():
    with pytest.raises(TypeError, match="takes tensors, got 3"):
        GraphBuilder("wrong").apply("softmax", 3)


def test_shapes_that_do_not_fit_are_shape_errors():
    builder = GraphBuilder("wrong")
    with pytest.raises(ShapeError, match=r"\(3,\) and \(batch, 4\) do not broadcast"):
        _ = builder.input("x", (3,)) + builder.input("y", (BATCH, 4))
