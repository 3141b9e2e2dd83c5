"""Graphs as the compiled backend rewrites them: the same results, fewer ways through memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from graph.interpretation import assert_same, interpret
from graph.nets import Case, net

from backends.conftest import ExactlyThreads
from nnctl.backends.cpu.rewriting import kernel_gradients, rewritten
from nnctl.backends.cpu.rewriting.biased_tables import biased_tables
from nnctl.backends.cpu.rewriting.example_sums import ExampleSums
from nnctl.backends.cpu.rewriting.gradients import HALF_GRADIENTS, gradients_in_halves
from nnctl.backends.cpu.rewriting.halves import in_halves
from nnctl.backends.cpu.schedule import lowered
from nnctl.components.signature import DataSignature
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph
from nnctl.graph.network import Network
from nnctl.graph.verify import verify
from nnctl.ops import OPS
from nnctl.ops.shapes import BATCH, TensorType

NORMALIZED = "{type: conv2d, filters: 5, kernel: 3, padding: same, bias: false}, batch_norm"
RELU = "{type: activation, activation: relu}"
NETS = {
    "normalized": f"{NORMALIZED}, {RELU}, {NORMALIZED}, {RELU}, global_average_pool",
    "pooled": f"{NORMALIZED}, {RELU}, {{type: max_pool, size: 2}}, {NORMALIZED}, {RELU}, flatten",
    "residual": f"{NORMALIZED}, {{type: residual, layers: [{NORMALIZED}, {RELU}]}}, {RELU}, flatten",
    "biased": "{type: conv2d, filters: 3, kernel: 3, activation: relu}, {type: conv2d, filters: 1, kernel: 2, "
    "activation: sigmoid}, flatten",
    "by example": f"{NORMALIZED}, layer_norm, {RELU}, {{type: layer_norm, axes: [1, 2]}}, flatten",
}


REAL = DataSignature((6, 7, 2), "real", None, (3,))
BYTES = DataSignature((6, 7, 2), "uint8", None, (3,), statistics_shape=())


def case_of(layers: str, signature: DataSignature = REAL, optimizer: str = "sgd") -> Case:
    spec = net(f"layers: [{layers}, {{type: dense, units: 3}}]\ncost: mse\noptimizer: {optimizer}")
    return Case(spec, signature, 5, 0)


def training(
    layers: str, signature: DataSignature = REAL, optimizer: str = "sgd"
) -> tuple[Graph, Case, dict[str, Any]]:
    case = case_of(layers, signature, optimizer)
    graph = Network(case.spec, case.signature).training_step
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    running = {v.name: np.linspace(0.5, 2.0, v.shape[0]) for v in graph.inputs if v.role == "state"}
    return graph, case, inputs | running


@pytest.mark.parametrize("layers", NETS.values(), ids=list(NETS))
def test_a_rewritten_step_computes_the_same(layers):
    graph, case, inputs = training(layers)
    found = rewritten(graph)
    verify(found)
    expected = interpret(graph, inputs, case.sizes()).by_name()
    assert_same(interpret(found, inputs, case.sizes()).by_name(), expected, 1e-10)


def test_between_two_convolutions_of_a_normalized_net_nothing_is_stored_but_what_they_read():
    graph, _, _ = training(NETS["normalized"])
    launches = lowered(graph, {"batch": 5, "rows": 9}).launches
    images = [launch.op.name for launch in launches if len(launch.outputs[0].shape) > 2 and launch.outputs[0].batched]
    between = [name for name in images if name != "gather" and not name.startswith("convolution")]
    # The activations of the first, the gradient of each normalization's input.
    assert [name.split("+")[-1] for name in between] == ["relu", "add", "add"]


def test_the_way_back_through_a_normalization_reads_its_input_twice():
    """Once for all sums, of which two are over the batch for γ and β, and once for the gradient of its input."""
    graph, _, _ = training(NETS["normalized"])
    launches = lowered(graph, {"batch": 5, "rows": 9}).launches
    (x,) = (launch.outputs[0] for launch in launches if launch.op.name == "convolution" and launch.layer == "conv2d1")
    back = [launch for launch in launches if launch.outputs[0].name.startswith("∂") and x in launch.inputs]
    assert [len(launch.outputs) for launch in back] == [4, 1]


# -- relus of rows -------------------------------------------------------------------------


def test_a_relu_of_rows_is_one_formula_with_what_it_reads_and_its_derivative_reads_its_result():
    graph, case, inputs = training("flatten, {type: dense, units: 4, activation: relu}")
    found = rewritten(graph)
    verify(found)
    (relu,) = (node for node in found.nodes if "relu" in node.op.name.split("+"))
    assert relu.op.name == "add+relu"
    (mask,) = (node for node in found.nodes if node.op.name == "relu'")
    assert relu.outputs[0] in mask.inputs
    expected = interpret(graph, inputs, case.sizes()).by_name()
    assert_same(interpret(found, inputs, case.sizes()).by_name(), expected, 1e-12)


def test_a_relu_of_images_is_made_again_on_the_way_back():
    graph, *_ = training("{type: conv2d, filters: 3, kernel: 3, activation: relu}, flatten")
    assert "add+relu'" in [node.op.name for node in rewritten(graph).nodes]


# -- products in halves --------------------------------------------------------------------

DENSE = "flatten, {type: dense, units: 5, activation: sigmoid}"


@pytest.mark.parametrize("optimizer", ["sgd", "{type: momentum, learning_rate: 0.01}", "adam"])
def test_products_in_halves_compute_the_same(optimizer):
    graph, case, inputs = training(DENSE, BYTES, optimizer)
    found = in_halves(graph, case.sizes())
    verify(found)
    assert [node.op.name for node in found.nodes if "half" in node.op.name] == ["half_products"]
    # The halves are added by the formula that read their sum.
    assert len(found.nodes) == len(graph.nodes)
    expected = interpret(graph, inputs, case.sizes()).by_name()
    assert_same(interpret(found, inputs, case.sizes()).by_name(), expected, 1e-10)


def test_weights_whose_gradient_is_read_besides_have_no_owner():
    graph, case, _ = training(DENSE, BYTES, "{type: adam, clip: {type: global_norm, limit: 0.5}}")
    found = in_halves(graph, case.sizes())
    assert all(node.op.name != "half_products" for node in found.nodes)


def test_products_of_many_examples_stay_whole():
    graph, case, _ = training(DENSE, BYTES)
    found = in_halves(graph, case.sizes() | {"batch": 1000})
    assert all(node.op.name != "half_products" for node in found.nodes)


# -- gradients in halves -------------------------------------------------------------------

SEQUENCES = DataSignature((8, 3), "real", None, (8, 2))


def of_sequences(optimizer: str, units: int) -> tuple[Graph, Case, dict[str, Any]]:
    layers = f"{{type: rnn, units: {units}, return_sequence: true}}, {{type: dense, units: 2}}"
    case = Case(net(f"layers: [{layers}]\ncost: mse\noptimizer: {optimizer}"), SEQUENCES, 5, 0)
    graph = rewritten(Network(case.spec, case.signature).training_step)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    return graph, case, inputs


@pytest.mark.parametrize("optimizer", ["sgd", "{type: adam, learning_rate: 0.01}"])
def test_gradients_in_halves_compute_the_same(optimizer):
    graph, case, inputs = of_sequences(optimizer, 4)
    found = gradients_in_halves(graph, case.sizes())
    verify(found)
    # Of the recurrent layer's weights, and of the last layer's; the formulas that change weights add the halves.
    made = [node for node in found.nodes if node.op is HALF_GRADIENTS]
    assert len(made) == 3
    ops = [node.op.name for node in found.nodes]
    assert "accumulate_product" not in ops
    assert all(len(found.readers[half]) == 1 for node in made for half in node.outputs)
    expected = interpret(graph, inputs, case.sizes()).by_name()
    assert_same(interpret(found, inputs, case.sizes()).by_name(), expected, 1e-10)


def test_gradients_that_are_no_smaller_than_what_they_are_made_of_stay_whole():
    graph, case, _ = of_sequences("sgd", 40)
    found = gradients_in_halves(graph, case.sizes())
    # Those with 3 rows and with 2 columns are small enough.
    assert {node.outputs[0].shape for node in found.nodes if node.op is HALF_GRADIENTS} == {(3, 40), (40, 2)}


# -- softmax with its cost ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cost", "together"), [("log_likelihood", True), ("{type: log_likelihood, label_smoothing: 0.1}", False)]
)
def test_a_plain_log_likelihood_is_made_with_its_softmax(cost, together):
    layers = "flatten, {type: dense, units: 4, activation: softmax}"
    spec = net(f"layers: [{layers}]\ncost: {cost}\noptimizer: sgd\nmetrics: [accuracy]")
    case = Case(spec, DataSignature((6, 7, 2), "real", ("a", "b", "c", "d")), 5, 0)
    graph = Network(case.spec, case.signature).training_step
    found = rewritten(graph)
    verify(found)
    ops = [node.op.name for node in found.nodes]
    assert ("softmax_and_likelihood" in ops, "softmax" in ops) == (together, not together)
    inputs = case.storage() | {name: array[0] for name, array in case.feeds(1).items()}
    expected = interpret(graph, inputs, case.sizes()).by_name()
    assert_same(interpret(found, inputs, case.sizes()).by_name(), expected, 1e-10)


def test_a_softmax_that_is_read_before_its_cost_stays_by_itself():
    builder = GraphBuilder("read")
    z = builder.input("z", (BATCH, 3))
    labels = builder.input("labels", (BATCH,), "index")
    a = builder.apply("softmax", z)
    best = builder.apply("argmax", a)
    cost = builder.apply("softmax_log_likelihood", z, labels)
    graph = builder.graph({"a": a, "best": best, "cost": cost})
    assert [node.op.name for node in rewritten(graph).nodes] == ["softmax", "argmax", "softmax_log_likelihood"]


# -- tables with a bias --------------------------------------------------------------------


@pytest.mark.parametrize(("batch", "biased"), [(40, True), (39, False)])
def test_a_bias_is_added_to_a_table_of_few_rows(batch, biased):
    builder = GraphBuilder("table")
    table, bias = builder.input("table", (10, 3)), builder.input("bias", (3,))
    index = builder.input("index", (BATCH,), "index")
    graph = builder.graph({"y": builder.apply("lookup", table, index) + bias})
    found = biased_tables(graph, {"batch": batch})
    verify(found)
    assert [node.op.name for node in found.nodes] == (["add", "lookup"] if biased else ["lookup", "add"])
    rng = np.random.default_rng(0)
    inputs = {"table": rng.standard_normal((10, 3)), "bias": np.ones(3), "index": rng.integers(0, 10, batch)}
    expected = interpret(graph, inputs, {"batch": batch}).by_name()
    assert_same(interpret(found, inputs, {"batch": batch}).by_name(), expected, 0.0)


def test_rows_that_something_else_reads_stay_as_they_are():
    builder = GraphBuilder("table")
    table, bias = builder.input("table", (2, 3)), builder.input("bias", (3,))
    rows = builder.apply("lookup", table, builder.input("index", (BATCH,), "index"))
    graph = builder.graph({"y": rows + bias, "rows": rows})
    assert biased_tables(graph, {"batch": 100}) is graph


# -- sums by themselves -------------------------------------------------------------------

Build = Callable[..., Mapping[str, Any]]


def graph_of(build: Build, *shapes: tuple[Any, ...]) -> Graph:
    builder = GraphBuilder("sums")
    return builder.graph(build(builder, *(builder.input(f"x{i}", s, role="state") for i, s in enumerate(shapes))))


def arrays_of(graph: Graph, batch: int) -> dict[str, Any]:
    rng = np.random.default_rng(batch)
    shapes = {v.name: tuple(batch if n == BATCH else n for n in v.shape) for v in graph.inputs}
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def sums(graph: Graph) -> list[int]:
    """The number of results of each node of sums."""
    return [len(node.outputs) for node in rewritten(graph).nodes if isinstance(node.op, ExampleSums)]


def test_sums_that_read_the_same_are_made_at_once_and_those_that_need_one_another_are_not():
    axes = (0, 1, 2)

    def apart(builder: Any, x: Any) -> Mapping[str, Any]:
        return {"a": builder.apply("sum", x, axes=axes), "b": builder.apply("sum", x * x, axes=axes)}

    def after_another(builder: Any, x: Any) -> Mapping[str, Any]:
        centred = x - builder.apply("mean", x, axes=axes)
        return {"a": builder.apply("mean", centred * centred, axes=axes)}

    def crossed(builder: Any, x: Any, y: Any) -> Mapping[str, Any]:
        """Of x then y, and of y then x: one pair may be made at once, or each would wait for the other."""
        first, second = (builder.apply("sum", z, axes=axes) for z in (x * y, x + y))
        behind = [builder.apply("sum", z * x * y, axes=axes) for z in (first, second)]
        return {"a": behind[0], "b": behind[1]}

    shape = (BATCH, 3, 4, 5)
    assert sums(graph_of(apart, shape)) == [2]
    assert sums(graph_of(after_another, shape)) == [1, 1]
    assert sums(graph_of(crossed, shape, shape)) == [2, 2]


def test_rows_that_are_positions_one_after_another_are_summed_by_example():
    """The gradient of a bias at every step of a sequence."""

    def bias(builder: Any, x: Any) -> Mapping[str, Any]:
        rows = builder.apply("reshape", x, shape=(BATCH * 6, 5))
        return {"sum": builder.apply("sum_to", rows, shape=(5,)), "mean": builder.apply("mean", rows, axes=(0,))}

    graph = graph_of(bias, (BATCH, 6, 5))
    assert sum(sums(graph)) == 2
    arrays = arrays_of(graph, 7)
    expected, found = (interpret(g, arrays, {"batch": 7}).by_name() for g in (graph, rewritten(graph)))
    assert_same(found, expected, 1e-6)


def moments(builder: Any, x: Any, g: Any, scale: Any, each: Any) -> Mapping[str, Any]:
    """Sums of several kinds of inputs, over the batch and over each example."""
    axes = tuple(range(len(x.shape) - 1))
    larger = builder.formula("larger", lambda xp, x, g: xp.maximum(x, g), x, g)
    return {
        "product": builder.apply("sum", x * g * scale, axes=axes),
        "mean": builder.apply("mean", x, axes=axes, keepdims=True),
        "each": builder.apply("mean", (x - each) * (x - each), axes=axes[1:]),
        "to": builder.apply("sum_to", larger, shape=scale.shape),
    }


@pytest.mark.compile
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 2, 3), (3, 3, 20), (2, 4, 17), (3, 3, 1), (7, 5)])
def test_sums_are_the_reference_bodies_and_the_same_to_the_bit_on_any_number_of_threads(shape):
    full, channels = (BATCH, *shape), shape[-1:]
    each = (BATCH, *(1,) * (len(shape) - 1), *channels)
    graph = graph_of(moments, full, full, channels, each)
    for batch in (1, 5):
        arrays = arrays_of(graph, batch)
        expected = interpret(graph, arrays, {"batch": batch}).outputs
        found = {n: outputs(graph, arrays, batch, n) for n in (1, 2, 3)}
        for name, array in expected.items():
            np.testing.assert_allclose(found[1][name], array, rtol=1e-5, atol=1e-5, err_msg=name)
            assert found[1][name].tobytes() == found[2][name].tobytes() == found[3][name].tobytes(), name


@pytest.mark.compile
def test_a_sum_with_a_nan_is_nan_and_no_other_is():
    def build(builder: Any, x: Any) -> Mapping[str, Any]:
        return {"y": builder.apply("sum", x, axes=(1, 2))}

    graph = graph_of(build, (BATCH, 3, 3, 18))
    arrays = arrays_of(graph, 4)
    arrays["x0"][2, 1, 2, 17] = np.nan
    found = outputs(graph, arrays, 4, 2)["y"]
    assert np.argwhere(np.isnan(found)).tolist() == [[2, 17]]


# -- pooling ------------------------------------------------------------------------------


def pooled(**window: Any) -> Build:
    """Max pooling of x0 and the gradient of its input for a cotangent x1."""

    def build(builder: Any, x: Any, g: Any) -> Mapping[str, Any]:
        place = builder.apply("maximum_place", x, **window)
        gradient = builder.apply("put_into_windows", g, place, lengths=x.shape[1:-1], **window)
        return {"y": builder.apply("max_pool", x, **window), "gradient": gradient}

    return build


WINDOWS = {
    "fours": ((6, 4), {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    "a row and a column left over": (
        (5, 7),
        {"size": (2, 2), "stride": (2, 2), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)},
    ),
    "overlapping": ((5, 6), {"size": (3, 2), "stride": (2, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    "padded": ((5, 4), {"size": (2, 3), "stride": (2, 2), "padding": ((1, 0), (1, 1)), "dilation": (1, 1)}),
    "apart": ((7, 7), {"size": (2, 2), "stride": (3, 3), "padding": ((0, 0), (0, 0)), "dilation": (1, 1)}),
    "dilated": ((7, 8), {"size": (2, 3), "stride": (1, 2), "padding": ((2, 1), (1, 3)), "dilation": (3, 2)}),
    "one axis": ((9,), {"size": (2,), "stride": (2,), "padding": ((0, 0),), "dilation": (1,)}),
}


@pytest.mark.compile
@pytest.mark.parametrize("channels", [1, 3, 20])
@pytest.mark.parametrize(("lengths", "window"), WINDOWS.values(), ids=list(WINDOWS))
def test_pooling_and_its_gradient_are_the_reference_bodies(lengths, window, channels):
    """Of small whole numbers, so that many windows have several largest."""
    positions = OPS["max_pool"].infer([TensorType((1, *lengths, channels))], window)[0].shape[1:]
    graph = graph_of(pooled(**window), (BATCH, *lengths, channels), (BATCH, *positions))
    assert "max_pool_gradient" in [node.op.name for node in rewritten(graph).nodes]
    arrays = arrays_of(graph, 5)
    arrays["x0"] = np.round(arrays["x0"])
    expected = interpret(graph, arrays, {"batch": 5}).outputs
    found = [outputs(graph, arrays, 5, threads) for threads in (1, 3)]
    for name, array in expected.items():
        np.testing.assert_allclose(found[0][name], array, rtol=1e-6, atol=1e-6, err_msg=name)
        assert found[0][name].tobytes() == found[1][name].tobytes(), name


@pytest.mark.compile
@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize("lengths", [(4, 4), (5, 5)])
def test_the_largest_of_a_window_with_a_nan_is_nan(place, lengths):
    window = {"size": (2, 2), "stride": (2, 2), "padding": ((0, lengths[0] % 2),) * 2, "dilation": (1, 1)}
    graph = graph_of(lambda builder, x: {"y": builder.apply("max_pool", x, **window)}, (BATCH, *lengths, 17))
    arrays = arrays_of(graph, 2)
    arrays["x0"][1, 2 + place // 2, place % 2, 16] = np.nan
    assert np.argwhere(np.isnan(outputs(graph, arrays, 2, 1)["y"])).tolist() == [[1, 1, 0, 16]]


# -- gradients of kernels -------------------------------------------------------------------


def kernel_gradient(channels: int, filters: int, padding: int, lengths: tuple[int, int]) -> Graph:
    """The gradient of a kernel of 3×2 taps for images x0 and a cotangent x1."""
    window = {"stride": (1, 1), "padding": ((padding, padding),) * 2, "dilation": (1, 1), "groups": 1}
    positions = (lengths[0] + 2 * padding - 2, lengths[1] + 2 * padding - 1)
    return graph_of(
        lambda builder, x, y: {"w": builder.apply("convolution_kernel", x, y, kernel=(3, 2), **window)},
        (BATCH, *lengths, channels),
        (BATCH, *positions, filters),
    )


@pytest.mark.compile
@pytest.mark.parametrize("padding", [0, 1])
def test_a_small_kernels_gradient_is_made_by_example_with_the_same_bits(padding, monkeypatch):
    graph = kernel_gradient(2, 5, padding, (27, 25))
    assert [node.op.name for node in rewritten(graph).nodes] == ["kernel_by_example", "sum"]
    arrays = arrays_of(graph, 5)
    expected = interpret(graph, arrays, {"batch": 5}).outputs["w"]
    np.testing.assert_allclose(interpret(rewritten(graph), arrays, {"batch": 5}).outputs["w"], expected, rtol=1e-4)
    found = {outputs(graph, arrays, 5, threads)["w"].tobytes() for threads in (1, 2, 3)}
    monkeypatch.setattr(kernel_gradients, "_WORTH", 1000)
    whole = kernel_gradient(2, 5, padding, (27, 25))
    assert [node.op.name for node in rewritten(whole).nodes] == ["convolution_kernel"]
    assert found == {outputs(whole, arrays, 5, 1)["w"].tobytes()}


@pytest.mark.parametrize(
    ("channels", "filters", "lengths"), [(60, 5, (27, 25)), (2, 5, (12, 12)), (2, 5, (40, 40))],
    ids=["a large kernel", "positions of several examples at a time", "some rows of an example at a time"],
)  # fmt: skip
def test_other_gradients_of_kernels_stay_whole(channels, filters, lengths):
    graph = kernel_gradient(channels, filters, 0, lengths)
    assert [node.op.name for node in rewritten(graph).nodes] == ["convolution_kernel"]


def outputs(graph: Graph, arrays: Mapping[str, Any], batch: int, threads: int) -> dict[str, Any]:
    backend = ExactlyThreads(threads)
    step = backend.load(
        backend.plan(graph, {"batch": batch}), {name: backend.to_device(array) for name, array in arrays.items()}
    )
    return {name: array[0] for name, array in step.start({}, 1).result().outputs.items()}
