"""Ends of products: which formulas become parts of the products that they read, and that nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph.interpretation import interpret
from graph.nets import Case, net

from nnctl.backends.cuda.ended_products import masked_by_results, with_ends
from nnctl.backends.cuda.planner import CudaPlanner
from nnctl.backends.cuda.recomputation import recomputed
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.verify import verify
from nnctl.plan.render import render

HIDDEN = "{type: dense, units: 4, activation: relu}"
OUTPUT = "{type: dense, units: 3, activation: softmax}"


def training(*layers: str, shape: tuple[int, ...] = (5,)) -> Case:
    """A small classifier of examples of that shape."""
    signature = DataSignature(shape, "real", ("a", "b", "c"), ())
    return Case(net(f"layers: [{', '.join((*layers, OUTPUT))}]\ncost: log_likelihood"), signature, 3, 1)


def step_of(case: Case) -> Graph:
    return Network(case.spec, case.signature).training_step


def ended(graph: Graph) -> Graph:
    found = with_ends(recomputed(masked_by_results(graph)))
    verify(found)
    return found


def names(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes]


def test_a_net_of_relus_has_no_launch_for_a_bias_or_a_relu() -> None:
    found = names(ended(step_of(training(HIDDEN, HIDDEN))))
    assert found.count("matmul+add+relu") == 2
    assert found.count("matmul+add") == 1
    assert found.count("matmul+relu'") == 2
    assert not {"add", "relu", "add+relu", "relu'", "add+relu'"} & {*found}


def test_plans_and_listings_show_ends() -> None:
    case, planner = training(HIDDEN), CudaPlanner()
    plan = planner.plan(step_of(case), case.sizes())
    assert "matmul+add+relu" in render(plan)
    lines = planner.listing(plan).splitlines()
    (place,) = (
        i for i, line in enumerate(lines) if "= matmul+add+relu(data.gather, dense1.weight, dense1.bias)" in line
    )
    assert lines[place + 1].startswith("product_")
    assert lines[place + 2].startswith("//")


CONVOLUTION = "{type: conv2d, filters: 4, kernel: 3, activation: relu}"


def test_convolutions_have_ends_on_the_way_there() -> None:
    found = names(ended(step_of(training(CONVOLUTION, CONVOLUTION, "flatten", shape=(6, 6, 2)))))
    assert found.count("convolution+add+relu") == 2
    assert found.count("relu'") == 2


@pytest.mark.parametrize("spoilt", [False, True])
def test_steps_are_the_same_to_the_bit(spoilt: bool) -> None:
    for layers, shape in (((HIDDEN, HIDDEN), (5,)), ((CONVOLUTION, CONVOLUTION, "flatten"), (6, 6, 2))):
        case = training(*layers, shape=shape)
        graph = step_of(case)
        inputs = case.storage(np.float32) | {name: array[0] for name, array in case.feeds(1, np.float32).items()}
        if spoilt:
            inputs["data.inputs"][:, 0] = np.nan
        with np.errstate(all="ignore"):
            plain, other = (interpret(g, inputs, case.sizes(), np.float32) for g in (graph, ended(graph)))
        for name, array in (plain.outputs | plain.updates).items():
            np.testing.assert_array_equal((other.outputs | other.updates)[name], array, err_msg=name)


def test_what_a_normalization_makes_is_made_again_and_its_relu_not_read() -> None:
    norm = ("{type: dense, units: 4}", "batch_norm", "{type: activation, activation: relu}")
    graph = recomputed(masked_by_results(step_of(training(*norm))))
    (relu,) = (node for node in graph.nodes if node.op.name.endswith("relu"))
    readers = {reader.op.name for reader in graph.readers[relu.outputs[0]]}
    assert readers == {"matmul", "accumulate_product"}


@pytest.mark.parametrize("kind", ["alone", "result", "product", "later", "rows", "update", "twice"])
def test_an_end_is_what_alone_reads_a_product(kind: str) -> None:
    builder = GraphBuilder("ends")
    x, w = builder.input("x", (4, 5), role="optimizer state"), builder.input("w", (5, 4), role="optimizer state")
    b = builder.input("b", (4, 1) if kind == "rows" else (4,), role="optimizer state")
    square = builder.input("square", (4, 4), role="optimizer state")
    product = builder.apply("matmul", x, w)
    z = product + (product if kind == "twice" else b)
    outputs: dict[str, Any] = {"z": z}
    if kind == "product":
        outputs["product"] = product
    if kind == "later":
        outputs["later"] = builder.apply("matmul", product, w, transpose_b=True)
    graph = builder.graph(outputs, {square.value: z} if kind == "update" else {})
    assert ("matmul+add" in names(ended(graph))) is (kind in ("alone", "result"))


def test_a_weighted_input_that_others_read_is_kept() -> None:
    for other in (False, True):
        builder = GraphBuilder("signs")
        x, w = (builder.input(name, (4, 4), role="optimizer state") for name in "xw")
        z = builder.apply("matmul", x, w)
        outputs = {"a": builder.formula("relu", lambda xp, z: xp.maximum(0.0, z), z)}
        outputs["sign"] = builder.formula("sign", lambda xp, z: xp.where(xp.greater(z, 0.0), 2.0, 3.0), z)
        if other:
            outputs["tanh"] = builder.formula("tanh", lambda xp, z: xp.tanh(z), z)
        assert ("matmul+relu" in names(ended(builder.graph(outputs)))) is not other
