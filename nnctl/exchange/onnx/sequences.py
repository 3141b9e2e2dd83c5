"""Recurrent cells: ONNX's own RNN, LSTM and GRU, and its Scan where they cannot say what a cell does.

Our cells are given the inputs' part of the sums, x·W + b, which is computed before; ONNX's compute it themselves. So W
and b are looked for where they were used. Where they are not found, the identity serves as W.

A cell with a mask, one of which all cell states are read, and the leaky cell are a Scan, whose body is a step of the
op's own reference body.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.exchange.onnx.emitters import emit, says
from nnctl.exchange.onnx.lengths import Length
from nnctl.exchange.onnx.moving import numbers
from nnctl.exchange.onnx.writer import Given, Operand, Writer, live
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Node, Value
from nnctl.late import dataclass
from nnctl.ops import OPS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.unrolling import UnrolledArray, UnrollingNamespace


@dataclass(frozen=True)
class _Inputs:
    """The inputs of a cell: x (batch, time, features), W (features, gates·units) and b (gates·units,)."""

    x: Given
    weight: NDArray[Any]
    bias: NDArray[Any]


@says("rnn")
def _rnn(w: Writer, node: Node, p: Operand, weight: Operand, first: Operand, *mask: Operand, activation: str,
         reverse: bool) -> Any:  # fmt: skip
    if mask or weight.array is None:
        return _scan(w, node, states=(2,), mask=bool(mask), reverse=reverse)
    names = [{"tanh": "Tanh", "relu": "Relu"}[activation]]
    return _cell(w, node, "RNN", (0,), [first], reverse=reverse, activations=names)


@says("lstm")
def _lstm(w: Writer, node: Node, p: Operand, weight: Operand, h: Operand, c: Operand, *mask: Operand,
          reverse: bool) -> Any:  # fmt: skip
    if mask or weight.array is None or _read_within(w, node, 1, reverse) or _read(w, node.outputs[2]):
        return _scan(w, node, states=(2, 3), mask=bool(mask), reverse=reverse)
    # Ours i, f, g, o; ONNX's i, o, f, c.
    sequence = _cell(w, node, "LSTM", (0, 3, 1, 2), [h, c], reverse=reverse)
    return sequence, "", ""


@says("gru")
def _gru(w: Writer, node: Node, p: Operand, weight: Operand, bias: Operand, h: Operand, *mask: Operand,
         reset_after: bool, reverse: bool) -> Any:  # fmt: skip
    if mask or weight.array is None or bias.array is None or _read(w, node.outputs[1]):
        return _scan(w, node, states=(3,), mask=bool(mask), reverse=reverse)
    # Ours r, z, n; ONNX's z, r, h.
    return _cell(
        w, node, "GRU", (1, 0, 2), [h],
        reverse=reverse, recurrent_bias=bias.array, linear_before_reset=int(reset_after),
    ), ""  # fmt: skip


@says("leaky_rnn")
def _leaky_rnn(w: Writer, node: Node, p: Operand, weight: Operand, first: Operand, *, leak: float) -> Any:
    return _scan(w, node, states=(2,), mask=False, reverse=False)[0]


def _cell(
    w: Writer,
    node: Node,
    op_type: str,
    order: tuple[int, ...],
    states: list[Operand],
    *,
    reverse: bool,
    recurrent_bias: NDArray[Any] | None = None,
    **attributes: Any,
) -> str:
    """A node of ONNX's own; the states of all steps (batch, time, units). order: of its gates among ours."""
    recurrent: Any = w.bound[node.inputs[1]].array
    units, width = recurrent.shape
    given = _inputs_of(w, node.inputs[0], width)
    columns = np.concatenate([np.arange(gate * units, (gate + 1) * units) for gate in order])
    second = np.zeros(width) if recurrent_bias is None else recurrent_bias
    biases = np.concatenate([given.bias[columns], second[columns]])

    def array(name: str, of: NDArray[Any]) -> Operand:
        return Operand(f"{node.layer}.{name}", of.shape, "real", of)

    firsts = [_first(w, state, value) for state, value in zip(states, node.inputs[-len(states) :], strict=True)]
    y, *ends = w.add_all(
        op_type,
        [
            w.transpose(given.x, (1, 0, 2)),
            array("W", given.weight[:, columns].T[None]),
            array("R", recurrent[:, columns].T[None]),
            array("B", biases[None]),
            None,
            *firsts,
        ],
        1 + len(states),
        hidden_size=units,
        direction="reverse" if reverse else "forward",
        **attributes,
    )
    # What is read of the last step alone is an output of the node.
    for value, end in zip(node.outputs, ends):
        for reader in _last(w, node, value, reverse):
            last = w.transpose(end, (1, 0, 2))
            w.bound[reader.outputs[0]] = Operand(w.text(last), reader.outputs[0].shape, "real")
    return w.text(w.transpose(w.add("Squeeze", y, numbers(1)), (1, 0, 2)))


def _first(w: Writer, state: Operand, value: Value) -> Given:
    """A state before the first step, (1, batch, units); left out where it is 0."""
    producer = w.producers.get(value)
    if producer is not None and producer.op.name == "zeros":
        return None
    return w.add("Unsqueeze", state, numbers(0))


def _last(w: Writer, node: Node, value: Value, reverse: bool) -> list[Node]:
    """The nodes that read of a cell's states that of the step which is scanned last."""
    steps = node.inputs[0].shape[1]
    return [
        reader
        for reader in w.readers.get(value, ())
        if reader.op.name == "slice" and reader.attributes["axis"] == 1 and _at_end(reader.attributes, steps, reverse)
    ]


def _at_end(place: Any, steps: Any, reverse: bool) -> bool:
    start, stop = place["start"], place["stop"]
    if reverse:
        return bool(start == 0 and stop == 1)
    if isinstance(steps, Length):
        return bool(stop == steps and isinstance(start, Length) and start.minus(steps) == -1)
    return bool(stop == steps and start == steps - 1)


def _read(w: Writer, value: Value) -> bool:
    return bool(w.readers.get(value)) or value in w.results


def _read_within(w: Writer, node: Node, output: int, reverse: bool) -> bool:
    """True where more is read of a cell's states than that of the last step."""
    value = node.outputs[output]
    others = set(w.readers.get(value, ())) - set(_last(w, node, value, reverse))
    return bool(others) or value in w.results


def _inputs_of(w: Writer, p: Value, width: int) -> _Inputs:
    """W and b of p = x·W + b, or the identity and 0."""
    bias = np.zeros(width)
    value = _before(w, p, "reshape")
    while value is not None and (found := _plus_array(w, value)) is not None:
        value, added = found
        bias = bias + added
    product = None if value is None else w.producers.get(value)
    if product is not None and product.op.name == "matmul" and not any(product.attributes.values()):
        rows, weight = product.inputs
        x = _before(w, rows, "reshape")
        array = w.bound[weight].array
        # A bias for each unit, the same at every step, and rows that are the steps of the sequence.
        if x is not None and array is not None and len(x.shape) == 3 and x.shape[:2] == p.shape[:2]:
            return _Inputs(w.bound[x], array.astype(np.float64), bias)
    return _Inputs(w.bound[p], np.eye(width), np.zeros(width))


def _before(w: Writer, value: Value, op: str) -> Value | None:
    """The input of the node of this op that makes a value."""
    producer = w.producers.get(value)
    return producer.inputs[0] if producer is not None and producer.op.name == op else None


def _plus_array(w: Writer, value: Value) -> tuple[Value, NDArray[Any]] | None:
    """The parts of a sum of a value and a known array (width,); None where a value is no such sum."""
    producer = w.producers.get(value)
    if producer is None or not isinstance(producer.op, ElementwiseOp) or len(producer.inputs) != 2:
        return None
    lines = producer.op.expression.lines
    if len(lines) != 1 or lines[0].primitive != "add" or set(lines[0].arguments) != {0, 1}:
        return None
    for one, other in (producer.inputs, producer.inputs[::-1]):
        array = w.bound[other].array
        if array is not None and array.shape == one.shape[-1:] and w.bound[one].array is None:
            return one, array.astype(np.float64)
    return None


# -- what ONNX has no cell for ---------------------------------------------------------


def _scan(w: Writer, node: Node, *, states: tuple[int, ...], mask: bool, reverse: bool) -> tuple[str, ...]:
    """A Scan of the op's reference body over single steps; the sequences of all of its outputs.

    states: which inputs the states before the first step are, in the order of the outputs that they become.
    """
    from onnx import TensorProto, helper

    sequences = (0, *([len(node.inputs) - 1] if mask else []))
    inner = Writer(w)
    prefix = node.outputs[0].name
    builder = GraphBuilder(node.layer)
    operands: list[Any] = []
    known: dict[Value, Operand] = {}
    declared: dict[int, str] = {}
    for place, value in enumerate(node.inputs):
        steps = place in sequences
        shape = (value.shape[0], 1, *value.shape[2:]) if steps else value.shape
        leaf = builder.input(f"{prefix}.{place}", shape, value.type.dtype)
        outside = w.bound[value]
        if steps or place in states:
            declared[place] = w.unique(f"{prefix}/step.{place}")
            entering: str = declared[place]
            inner.writing(prefix)
            entering = inner.add("Unsqueeze", entering, numbers(1)) if steps else entering
            known[leaf.value] = Operand(entering, shape, value.type.dtype)
        else:
            known[leaf.value] = Operand(w.text(outside), shape, value.type.dtype, outside.array)
        operands.append(builder.apply("cast", leaf) if value.type.dtype == "index" else leaf)
    arrays = [UnrolledArray(builder, tensor) for tensor in operands]
    made = OPS[node.op.name].body(UnrollingNamespace(builder), *arrays, **node.attributes)
    tensors = [array.tensor for array in (made if isinstance(made, tuple) else (made,))]
    emit(inner, builder.graph({str(i): tensor for i, tensor in enumerate(tensors)}), known)
    inner.writing(prefix)
    singles = [inner.add("Squeeze", inner.bound[tensor.value], numbers(1)) for tensor in tensors]
    # A graph of ONNX names each of its outputs once.
    carried = [inner.add("Identity", singles[i]) for i in range(len(states))]
    results = [*carried, *singles]
    types = {"real": TensorProto.FLOAT, "index": TensorProto.INT64}

    def info(name: str, dtype: str) -> Any:
        return helper.make_tensor_value_info(name, types[dtype], None)

    body = helper.make_graph(
        live(inner.nodes, results)[0],
        f"{prefix}.step",
        [info(declared[place], node.inputs[place].type.dtype) for place in (*states, *sequences)],
        [info(name, "real") for name in results],
    )
    direction = int(reverse)
    w.writing(prefix)
    scanned = w.add_all(
        "Scan",
        [w.bound[node.inputs[place]] for place in (*states, *sequences)],
        len(results),
        body=body,
        num_scan_inputs=len(sequences),
        scan_input_axes=[1] * len(sequences),
        scan_output_axes=[1] * len(singles),
        scan_input_directions=[direction] * len(sequences),
        scan_output_directions=[direction] * len(singles),
    )
    return tuple(scanned[len(states) :])
