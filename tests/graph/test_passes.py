"""Passes: each alone on small graphs, and none of them changes what a net computes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings

from graph.interpretation import assert_same, interpret
from graph.nets import Case, cases, net, untouched
from nnctl.components.activations import Sigmoid
from nnctl.components.costs import CrossEntropy
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.fusion import fuse_elementwise
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.passes import (
    FINAL_PASSES,
    FORWARD_PASSES,
    drop_dead,
    merge_equal,
    pair_output_with_cost,
    run_passes,
)
from nnctl.graph.selection import look_rows_up
from nnctl.graph.simplify import fold_constants, read_scalars
from nnctl.graph.verify import GraphError, verify
from nnctl.ops.notation import render
from nnctl.ops.shapes import BATCH

SIZES = {"batch": 5}
PASSES = FORWARD_PASSES + FINAL_PASSES

relaxed = settings(max_examples=60)


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def unsaturated(cost: object) -> bool:
    """Where an output saturates, cost and activation apart lose the digits that the pair keeps."""
    return float(np.asarray(cost)) < 10.0


@pytest.mark.slow
@relaxed
@given(cases())
def test_no_pass_changes_what_a_training_step_computes(case: Case):
    graph = untouched(case.spec, case.signature)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    expected = interpret(graph, inputs, case.sizes()).by_name()
    assert all(np.all(np.isfinite(array)) for array in expected.values())
    assume(unsaturated(expected["cost"]))
    for one in PASSES:
        alone = run_passes(graph, [one])
        assert_same(interpret(alone, inputs, case.sizes()).by_name(), expected)
    assert_same(interpret(run_passes(graph, PASSES), inputs, case.sizes()).by_name(), expected)
    whole = Network(case.spec, case.signature).training_step
    assert_same(interpret(whole, inputs, case.sizes()).by_name(), expected)


@pytest.mark.slow
@relaxed
@given(cases())
def test_no_pass_changes_the_gradients(case: Case):
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    plain = interpret(untouched(case.spec, case.signature, "objective"), inputs, case.sizes())
    assume(unsaturated(plain.outputs["objective"]))
    passed = interpret(Network(case.spec, case.signature).objective, inputs, case.sizes())
    assert_same(passed.outputs, plain.outputs, 1e-9)


@pytest.mark.slow
@relaxed
@given(cases())
def test_passes_find_nothing_more_the_second_time(case: Case):
    once = Network(case.spec, case.signature).training_step
    again = run_passes(once, PASSES)
    assert len(again.nodes) == len(once.nodes)


# -- pairs -----------------------------------------------------------------------


def _cost_graph(layer: str, cost: str, *, read_again: bool = False, labels: bool = True) -> Graph:
    builder = GraphBuilder("cost")
    z = builder.input("z", (BATCH, 3), role="parameter")
    a = builder.apply("softmax", z) if layer == "softmax" else builder.elementwise(Sigmoid(), z)
    if cost == "log_likelihood":
        c = builder.apply(cost, a, builder.input("y", (BATCH,), "index"), label_smoothing=0.1)
    else:
        c = builder.elementwise(CrossEntropy(), a, builder.input("y", (BATCH, 3)))
    outputs = {"c": c} | ({"a": a} if read_again else {})
    return builder.graph(outputs)


@pytest.mark.parametrize(("layer", "cost"), [("softmax", "log_likelihood"), ("sigmoid", "cross_entropy")])
def test_output_and_cost_become_a_pair(layer, cost):
    graph = _cost_graph(layer, cost)
    paired = drop_dead(pair_output_with_cost(graph))
    assert names(paired) == [f"{layer}_{cost}"]
    verify(paired)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 5) if cost == "log_likelihood" else rng.uniform(size=(5, 3))
    inputs = {"z": rng.standard_normal((5, 3)), "y": y}
    assert_same(interpret(paired, inputs, SIZES).outputs, interpret(graph, inputs, SIZES).outputs, 1e-12)
    assert paired.nodes[0].attributes == graph.nodes[-1].attributes


@pytest.mark.parametrize(("layer", "cost"), [("softmax", "cross_entropy"), ("sigmoid", "log_likelihood")])
def test_what_does_not_belong_together_stays_apart(layer, cost):
    graph = _cost_graph(layer, cost)
    assert names(pair_output_with_cost(graph)) == names(graph)


def test_the_activation_stays_for_its_other_readers():
    paired = drop_dead(pair_output_with_cost(_cost_graph("softmax", "log_likelihood", read_again=True)))
    assert names(paired) == ["softmax", "softmax_log_likelihood"]


@pytest.mark.parametrize(("activation", "cost"), [("softmax", "log_likelihood"), ("sigmoid", "cross_entropy")])
def test_a_saturated_output_costs_a_finite_amount(activation, cost):
    """With its parts −ln a is infinite; the pair's gradient is a − y."""
    spec = net(f"layers: [flatten, {{type: dense, units: 3, activation: {activation}}}]\ncost: {cost}")
    case = Case(spec, DataSignature((2, 3), "real", ("a", "b", "c")), 2, 0)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    inputs["dense1.weight"] = np.full((6, 3), 1e3) * [1.0, -1.0, 3.0]
    inputs["data.targets"] = np.ones(7, np.int64)
    outputs = interpret(Network(spec, case.signature).objective, inputs, case.sizes()).outputs
    assert all(np.all(np.isfinite(array)) for array in outputs.values())
    assert float(outputs["objective"]) > 100.0
    assert np.any(outputs["dense1.weight"])


# -- the others, alone ---------------------------------------------------------------


def test_drop_dead_keeps_what_results_need():
    builder = GraphBuilder("dead")
    x = builder.input("x", (4,), role="parameter")
    unused = builder.formula("unused", lambda xp, x: xp.exp(x), x)
    builder.formula("unused_too", lambda xp, x: xp.tanh(x), unused)
    kept = builder.formula("kept", lambda xp, x: xp.square(x), x)
    new = builder.formula("new", lambda xp, x: x - 1.0, x)
    guard = builder.apply("sum", x, axes=(0,))
    graph = drop_dead(builder.graph({"y": kept}, {x.value: new}, guard))
    assert names(graph) == ["kept", "new", "sum"]


def test_merge_equal_computes_once():
    builder = GraphBuilder("twice")
    x, y = builder.input("x", (4, 4)), builder.input("y", (4, 4))
    first, second = builder.apply("matmul", x, y), builder.apply("matmul", x, y)
    other = builder.apply("matmul", x, y, transpose_a=True)
    total = builder.formula("add", lambda xp, *v: v[0] + v[1] * v[2], first, second, other)
    graph = merge_equal(builder.graph({"second": second, "total": total}))
    assert names(graph) == ["matmul", "matmul", "add"]
    assert graph.outputs["second"] is graph.nodes[0].outputs[0]
    assert graph.nodes[2].inputs == (graph.nodes[0].outputs[0],) * 2 + (graph.nodes[1].outputs[0],)


def test_merge_equal_tells_a_value_from_a_constant():
    """x + e^x and x + 1, written behind equal lines: the reference 1 is not the number 1.0."""
    builder = GraphBuilder("alike")
    x = builder.input("x", (4,))
    outputs = {
        "value": builder.formula("f", lambda xp, x: xp.exp(x) * (x + xp.exp(x)), x),
        "constant": builder.formula("f", lambda xp, x: xp.exp(x) * (x + 1.0), x),
    }
    graph = merge_equal(builder.graph(outputs))
    assert len(graph.nodes) == 2


def test_merge_equal_draws_each_random_number_anew():
    builder = GraphBuilder("random")
    outputs = {name: builder.uniform(name, (3,)) for name in ("first", "second")}
    assert len(merge_equal(builder.graph(outputs)).nodes) == 2


def test_fold_constants_writes_numbers_into_formulas():
    builder = GraphBuilder("fold")
    x = builder.input("x", (4,))
    one = builder.apply("size", shape=())
    three = builder.apply("size", shape=(3,))
    ratio = builder.formula("divide", lambda xp, a, b: a / b, one, three)
    y = builder.formula("scale", lambda xp, r, x: r * x, ratio, x)
    graph = drop_dead(fold_constants(builder.graph({"y": y})))
    assert names(graph) == ["scale"]
    assert render(graph.nodes[0].op.expression, ["x"]) == f"{1 / 3:.10g} * x"
    assert_same(interpret(graph, {"x": np.arange(4.0)}, {}).outputs, {"y": np.arange(4.0) / 3}, 1e-15)


def test_fold_constants_leaves_what_depends_on_the_batch():
    builder = GraphBuilder("batch")
    x = builder.input("x", (BATCH,))
    graph = builder.graph({"y": x / builder.apply("size", shape=(BATCH,))})
    assert names(drop_dead(fold_constants(graph))) == ["size", "divide"]


def test_fold_constants_keeps_shapes():
    """0·x + 2 is a constant, but an array of them."""
    builder = GraphBuilder("shape")
    two = builder.apply("size", shape=(2,))
    spread = builder.apply("broadcast_to", two, shape=(4,))
    graph = builder.graph({"y": builder.formula("negative", lambda xp, x: -x, spread)})
    folded = drop_dead(fold_constants(graph))
    verify(folded)
    np.testing.assert_array_equal(interpret(folded, {}, {}).outputs["y"], [-2.0] * 4)


def test_read_scalars_reads_no_copies():
    builder = GraphBuilder("scalars")
    x, s = builder.input("x", (3, 4)), builder.input("s", ())
    copies = builder.apply("broadcast_to", builder.apply("reshape", s, shape=(1, 1)), shape=(3, 4))
    graph = drop_dead(read_scalars(builder.graph({"y": x * copies})))
    assert names(graph) == ["multiply"]
    assert [v.name for v in graph.nodes[0].inputs] == ["x", "s"]


def test_read_scalars_keeps_shapes():
    builder = GraphBuilder("scalars")
    copies = builder.apply("broadcast_to", builder.input("s", ()), shape=(3, 4))
    graph = read_scalars(builder.graph({"y": builder.formula("exp", lambda xp, x: xp.exp(x), copies)}))
    assert names(graph) == ["broadcast_to", "exp"]
    assert graph.nodes[1].inputs == graph.nodes[0].outputs


def _chain(builder: GraphBuilder, x, count: int):
    for i in range(count):
        x = builder.formula(f"f{i}", lambda xp, x: xp.tanh(x), x)
    return x


@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_one_hot_rows_are_looked_up_and_not_multiplied(shape):
    builder = GraphBuilder("rows")
    index, w = builder.input("index", shape, "index", "data"), builder.input("w", (4, 5))
    g = builder.input("g", (6, 5))
    rows = builder.apply("reshape", builder.apply("one_hot", index, classes=4), shape=(6, 4))
    graph = builder.graph({
        "read": builder.apply("matmul", rows, w),
        "added": builder.apply("matmul", rows, g, transpose_a=True),
    })  # fmt: skip
    passed = run_passes(graph, [look_rows_up, drop_dead])
    assert sorted(set(names(passed)) - {"reshape"}) == ["add_rows", "lookup"]
    rng = np.random.default_rng(4)
    inputs = {"index": rng.integers(0, 4, shape), "w": rng.normal(size=(4, 5)), "g": rng.normal(size=(6, 5))}
    assert_same(interpret(passed, inputs, {}).outputs, interpret(graph, inputs, {}).outputs)


def test_rows_of_rows_are_looked_up():
    builder = GraphBuilder("rows")
    outer, inner = builder.input("outer", (6,), "index", "data"), builder.input("inner", (4,), "index", "data")
    w = builder.input("w", (3, 5))
    chosen = builder.apply("matmul", builder.apply("one_hot", inner, classes=3), w)
    graph = builder.graph({"y": builder.apply("matmul", builder.apply("one_hot", outer, classes=4), chosen)})
    passed = run_passes(graph, [look_rows_up, drop_dead])
    assert names(passed) == ["lookup", "lookup"]
    rng = np.random.default_rng(4)
    inputs = {"outer": rng.integers(0, 4, 6), "inner": rng.integers(0, 3, 4), "w": rng.normal(size=(3, 5))}
    assert_same(interpret(passed, inputs, {}).outputs, interpret(graph, inputs, {}).outputs)


def test_several_one_hot_rows_side_by_side_are_no_row():
    builder = GraphBuilder("rows")
    index, w = builder.input("index", (2, 3), "index", "data"), builder.input("w", (12, 5))
    side_by_side = builder.apply("reshape", builder.apply("one_hot", index, classes=4), shape=(2, 12))
    graph = builder.graph({"y": builder.apply("matmul", side_by_side, w)})
    assert "lookup" not in names(run_passes(graph, [look_rows_up]))


def test_fusion_makes_a_chain_one_node():
    builder = GraphBuilder("chain")
    x, y = builder.input("x", (3, 4)), builder.input("y", (4,))
    result = _chain(builder, x, 3) * y
    graph = builder.graph({"result": result})
    fused = fuse_elementwise(graph)
    assert names(fused) == ["f0+f1+f2+multiply"]
    inputs = {"x": np.random.default_rng(0).standard_normal((3, 4)), "y": np.arange(4.0)}
    assert_same(interpret(fused, inputs, {}).outputs, interpret(graph, inputs, {}).outputs, 1e-14)


def test_fusion_spares_what_others_read_and_results_and_other_shapes():
    builder = GraphBuilder("bounds")
    x = builder.input("x", (3, 4))
    shared = builder.formula("shared", lambda xp, x: xp.exp(x), x)
    shown = builder.formula("shown", lambda xp, x: xp.square(x), shared)
    row = builder.formula("row", lambda xp, r: xp.tanh(r), builder.input("r", (4,)))
    end = builder.formula("end", lambda xp, a, b, r: a + b + r, shared, shown, row)
    fused = fuse_elementwise(builder.graph({"shown": shown, "end": end}))
    assert names(fused) == ["shared", "shown", "row", "end"]


def test_fusion_does_not_cross_the_guard():
    builder = GraphBuilder("guarded")
    x = builder.input("x", (4,), role="parameter")
    before = builder.formula("before", lambda xp, x: xp.exp(x), x)
    guard = builder.apply("sum", x, axes=(0,))
    after = builder.formula("after", lambda xp, b: xp.tanh(b), before)
    graph = builder.graph({}, {x.value: after}, guard)
    assert names(fuse_elementwise(graph)) == ["before", "sum", "after"]
    without = builder.graph({}, {x.value: after})
    assert names(fuse_elementwise(without)) == ["sum", "before+after"]


def test_a_pass_that_finds_nothing_gives_the_graph_that_it_was_given():
    builder = GraphBuilder("plain")
    x = builder.input("x", (4,))
    graph = builder.graph({"y": builder.apply("sum", builder.formula("exp", lambda xp, x: xp.exp(x), x), axes=(0,))})
    for one in PASSES:
        assert one(graph) is graph, one.__name__


def test_a_fused_node_reads_nothing_twice_and_nothing_inside():
    builder = GraphBuilder("diamond")
    x = builder.input("x", (4,))
    both = builder.formula("both", lambda xp, x: (xp.exp(x), -x), x)
    fused = fuse_elementwise(builder.graph({"y": both[0] * both[1] + x}))
    assert len(fused.nodes) == 1
    assert [v.name for v in fused.nodes[0].inputs] == ["x"]


def test_a_pass_that_breaks_the_graph_is_named():
    builder = GraphBuilder("broken")
    x = builder.input("x", (4,))
    graph = builder.graph({"y": _chain(builder, x, 2)})

    def lose_the_first(graph: Graph) -> Graph:
        return graph.rebuilt(graph.nodes[1:])

    with pytest.raises(GraphError, match="graph 'broken' after lose_the_first: f1 reads f0"):
        run_passes(graph, [lose_the_first])


def test_a_fused_loop_costs_what_its_formulas_cost():
    builder = GraphBuilder("flops")
    fused = fuse_elementwise(builder.graph({"y": _chain(builder, builder.input("x", (3, 4)), 5)}))
    node = fused.nodes[0]
    types = [v.type for v in node.inputs], [v.type for v in node.outputs]
    assert node.op.flops(*types, {}) == 5 * math.prod((3, 4))
