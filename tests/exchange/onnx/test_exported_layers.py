"""Every layer of the registry in a net of its own, exported with random weights; and sequences of other lengths."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnctl.components.registry import components
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError, UsageError
from nnctl.exchange.onnx.model import Exportable, at_length, build_model
from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.graph.network import Network
from nnctl.ops import OPS
from nnctl.ops.shapes import TensorType
from nnctl.spec.load import load_text

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

SEQUENCE = DataSignature((6, 3), statistics_shape=())
INDICES = DataSignature((6,), "index", vocabulary=tuple("abcde"))
ROW = DataSignature((4,), statistics_shape=(4,), target_statistics_shape=())
IMAGE = DataSignature((8, 8, 2), "uint8", statistics_shape=())
VOLUME = DataSignature((4, 5, 3, 2), statistics_shape=())
SIGNATURES = (ROW, SEQUENCE, INDICES, IMAGE, VOLUME)

BEFORE = (
    "[{type: activation, activation: tanh, name: left, inputs: [input]}, "
    "{type: activation, activation: relu, name: right, inputs: [input]}, %s]"
)
NETS = {
    "mask": "[{type: mask, name: there}, {type: gru, units: 3, inputs: [input, there]}]",
    "one_hot": "[{type: one_hot, vocabulary: 9}]",
    "residual": "[{type: residual, layers: [{type: dense, units: 4, activation: gelu}]}]",
    "reshape": "[{type: reshape, shape: [2, 2, 1]}]",
}
"""Nets of layers whose example does not make one."""


def net_of(layer: str) -> str:
    if layer in NETS:
        return NETS[layer]
    example = components("layer")[layer].example or layer
    return BEFORE % example if "left" in example else f"[{example}]"


def network(layers: str, signature: DataSignature) -> Network:
    spec = load_text(f"data: blobs\nlayers: {layers}\ncost: mse\n", "net.yaml").spec
    return Network(spec, signature)


def tensors_of(net: Network) -> dict[str, Any]:
    """Random weights; variances and scales that are above 0."""
    rng = np.random.default_rng(3)
    found = {}
    for value in net.unfused_prediction.inputs:
        if value.role in ("parameter", "statistic") or (value.role == "state" and not value.batched):
            array = rng.normal(0.0, 0.5, value.shape).astype(np.float32)
            above = value.name.endswith(("variance", "scale"))
            found[value.name] = np.abs(array) + np.float32(0.3) if above else array
    return found


def rows_of(signature: DataSignature, batch: int, steps: int | None = None) -> Any:
    rng = np.random.default_rng(batch)
    shape = (batch, *(signature.input_shape if steps is None else (steps, *signature.input_shape[1:])))
    match signature.input_dtype:
        case "index":
            return rng.integers(0, 5, shape)
        case "uint8":
            return rng.integers(0, 256, shape).astype(np.uint8)
    rows = rng.standard_normal(shape).astype(np.float32)
    # Steps that a mask leaves out.
    rows[rng.random(shape[:2]) < 0.3] = 0.0
    return rows


def held(made: Exportable, net: Network, tensors: dict[str, Any], steps: int | None = None) -> None:
    """The model's answers are the net's, for batches of 1, 7 and 64."""
    onnx.checker.check_model(made.model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    content = made.model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    signature = net.signature if steps is None else at_length(net.signature, steps)
    graph = Network(net.spec, signature).prediction
    for batch in (1, 7, 64):
        rows = rows_of(net.signature, batch, steps)
        given = {**tensors, interface.INPUTS: rows, interface.INDEX: np.arange(batch)}
        computed = {c.value: c.array for c in evaluate(graph, given, interface.sizes(batch, batch))}
        wanted = computed[graph.outputs[interface.OUTPUT]]
        (answer,) = session.run(None, {"input": rows})
        assert answer.shape == wanted.shape
        assert np.abs(answer - wanted).max() <= 1e-5 * np.abs(wanted).max()


def first_that_fits(layers: str) -> Network:
    for signature in SIGNATURES:
        try:
            net = network(layers, signature)
            _ = net.unfused_prediction
        except ShapeError:
            continue
        return net
    raise AssertionError(f"no example of data fits {layers}")


@pytest.mark.parametrize("layer", sorted(components("layer")))
def test_every_layer_is_exported(layer: str) -> None:
    net = first_that_fits(net_of(layer))
    tensors = tensors_of(net)
    held(build_model(net.spec, net.signature, tensors), net, tensors)


WINDOWED = [
    "conv2d, filters: 4, kernel: [3, 2], stride: 2, dilation: [1, 2], groups: 2, padding: same",
    "conv2d, filters: 4, kernel: 3, stride: 2, padding: same, convention: keras, activation: softplus",
    "conv_transpose2d, filters: 4, kernel: 3, stride: 2, output_padding: 1, groups: 2, padding: 1",
    "conv_transpose2d, filters: 3, kernel: 2, stride: 3, convention: keras",
    "max_pool, size: 3, stride: 2, padding: same",
    "average_pool, size: 3, stride: 2, padding: same",
    "average_pool, size: 3, stride: 2, padding: same, convention: keras",
    "max_pool, size: 2, dilation: 3, ceil_mode: true",
    "average_pool, size: 3, stride: 2, dilation: 2, padding: 1",
    "l2_pool, size: [2, 3], padding: [1, 0]",
    "upsample, factor: [2, 3]",
    "upsample, factor: 3, interpolation: bilinear",
]


@pytest.mark.parametrize("layer", WINDOWED)
def test_windows_of_all_kinds(layer: str) -> None:
    net = network(f"[{{type: {layer}}}]", IMAGE)
    tensors = tensors_of(net)
    held(build_model(net.spec, net.signature, tensors), net, tensors)


RECURRENT = {
    "[{type: lstm, units: 4, return_sequence: true}, {type: lstm, units: 3, bidirectional: true}]": "LSTM",
    "[{type: gru, units: 4, bidirectional: true, return_sequence: true}, {type: dense, units: 2}]": "GRU",
    "[{type: gru, units: 4, reset_after: false}]": "GRU",
    "[{type: gru, units: 4, bias: false}]": "GRU",
    "[{type: rnn, units: 4, activation: relu}, {type: dense, units: 2, activation: softmax}]": "RNN",
    "[{type: mask, name: m}, {type: lstm, units: 3, bidirectional: true, inputs: [input, m]}]": "Scan",
    "[{type: mask, name: m}, {type: rnn, units: 3, return_sequence: true, inputs: [input, m]}]": "Scan",
    "[{type: echo_state, units: 5, leak: 0.3, washout: 2}]": "Scan",
    "[{type: conv1d, filters: 3, kernel: 3, padding: same}, {type: layer_norm}, global_average_pool]": "Conv",
    "[{type: conv1d, filters: 3, kernel: 2, dilation: 2}, global_max_pool]": "ReduceMax",
    "[{type: conv_transpose1d, filters: 3, kernel: 3, stride: 2}, {type: dense, units: 2}]": "ConvTranspose",
    "[{type: upsample, factor: 2, interpolation: bilinear}, {type: batch_norm}]": "Concat",
    "[{type: residual, layers: [{type: dense, units: 3, activation: gelu}]}]": "Erf",
}


@pytest.mark.parametrize("layers", RECURRENT)
def test_sequences_may_have_any_length(layers: str) -> None:
    net = network(layers, SEQUENCE)
    tensors = tensors_of(net)
    made = build_model(net.spec, net.signature, tensors)
    assert made.why_not is None
    assert RECURRENT[layers] in {node.op_type for node in made.model.graph.node}
    axes = [d.dim_param or d.dim_value for d in made.model.graph.input[0].type.tensor_type.shape.dim]
    assert axes == ["batch", "time", 3]
    for steps in (None, 4, 9, 31):
        held(made, net, tensors, steps)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ("[flatten, {type: dense, units: 2}]", "dense1.weight has numbers for each step"),
        ("[{type: max_pool, size: 2, stride: 2}, {type: lstm, units: 2}]", "does not grow evenly with the length"),
        ("[{type: average_pool, size: 3, padding: same, convention: keras}]", "average_pool1"),
        ("[{type: reshape, shape: [3, 6]}, {type: gru, units: 2}]", "reshape1"),
    ],
)
def test_a_net_of_one_length_keeps_it_and_says_why(layers: str, reason: str) -> None:
    net = network(layers, SEQUENCE)
    tensors = tensors_of(net)
    made = build_model(net.spec, net.signature, tensors)
    assert reason in (made.why_not or "")
    assert [d.dim_param or d.dim_value for d in made.model.graph.input[0].type.tensor_type.shape.dim] == ["batch", 6, 3]
    held(made, net, tensors)


def test_normalization_step_by_step_keeps_the_length() -> None:
    net = network("[{type: gru, units: 2}]", replace(SEQUENCE, statistics_shape=(6, 3)))
    tensors = tensors_of(net)
    made = build_model(net.spec, net.signature, tensors)
    assert "numbers of its own for each step" in (made.why_not or "")
    held(made, net, tensors)


def test_indices_of_any_number_of_steps() -> None:
    net = network("[{type: embedding, units: 3}, {type: gru, units: 4, return_sequence: true}]", INDICES)
    tensors = tensors_of(net)
    made = build_model(net.spec, net.signature, tensors)
    for steps in (1, 6, 20):
        held(made, net, tensors, steps)


def test_weights_of_a_cell_are_where_onnx_has_them() -> None:
    net = network("[{type: lstm, units: 2}]", SEQUENCE)
    tensors = tensors_of(net)
    made = build_model(net.spec, net.signature, tensors)
    arrays = {a.name: onnx.numpy_helper.to_array(a) for a in made.model.graph.initializer}
    # i, o, f, c in ONNX, of ours i, f, g, o.
    order = [0, 1, 6, 7, 2, 3, 4, 5]
    np.testing.assert_array_equal(arrays["lstm1.W"][0], tensors["lstm1.weight"].T[order])
    np.testing.assert_array_equal(arrays["lstm1.R"][0], tensors["lstm1.recurrent_weight"].T[order])
    assert "MatMul" not in {node.op_type for node in made.model.graph.node}


def test_a_layer_that_onnx_cannot_say_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = components("layer")["dense"]

    def strange(self: Any, builder: Any, *inputs: Any) -> Any:
        return builder.apply("philox_like", inputs[0])

    op = type(OPS["softmax"])(
        "philox_like", lambda x: TensorType(x.shape), lambda xp, x: x, None, None, lambda rng: ([], {})
    )
    monkeypatch.setitem(OPS, "philox_like", op)
    monkeypatch.setattr(dense, "build", strange)
    net = network("[{type: dense, units: 4, name: odd}]", ROW)
    with pytest.raises(UsageError, match="layer 'odd' cannot be exported to ONNX: ONNX has nothing for 'philox_like'"):
        build_model(net.spec, net.signature, tensors_of(net))
