"""Graphs as ONNX models for tests, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import nnctl.exchange.onnx.model  # noqa: F401 — enters the emitters
from nnctl.exchange.onnx.emitters import emit
from nnctl.exchange.onnx.writer import Operand, Writer, live
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Op

TYPES = {"real": 1, "uint8": 2, "index": 7, "f": 1, "u": 2, "i": 7}


def graph_of(op: Op, inputs: Sequence[NDArray[Any]], attributes: dict[str, Any]) -> Graph:
    """A graph of one node, on behalf of a layer called "odd"."""
    kinds = {"f": "real", "i": "index", "u": "uint8"}
    given = [Value(f"in{i}", TensorType(a.shape, kinds[a.dtype.kind]), "feed") for i, a in enumerate(inputs)]  # type: ignore[arg-type]
    made = [Value(f"out{i}", t) for i, t in enumerate(op.infer([v.type for v in given], attributes))]
    node = Node(op, tuple(given), tuple(made), attributes, "odd")
    return Graph("one", (node,), {v.name: v for v in made})


def run(graph: Graph, inputs: Sequence[NDArray[Any]], known: Sequence[int] = ()) -> list[NDArray[Any]]:
    """The outputs in onnxruntime. known: inputs that are arrays of the model."""
    import onnx
    import onnxruntime

    w = Writer()
    w.names.update(graph.outputs)
    given = {v.name: v for v in (node_input for node in graph.nodes for node_input in node.inputs)}
    arrays = {f"in{i}": np.asarray(a, np.float32 if a.dtype.kind == "f" else a.dtype) for i, a in enumerate(inputs)}
    fed = {name: array for i, (name, array) in enumerate(arrays.items()) if i not in known}
    bound = {
        v: Operand(w.unique(name), v.shape, v.type.dtype, None if name in fed else arrays[name])
        for name, v in given.items()
    }
    emit(w, graph, bound)
    outputs = []
    for name, value in graph.outputs.items():
        w.nodes.append(onnx.helper.make_node("Identity", [w.text(w.bound[value])], [name]))
        outputs.append(onnx.helper.make_tensor_value_info(name, TYPES[value.type.dtype], value.shape))
    nodes, used = live(w.nodes, list(graph.outputs))
    entering = [onnx.helper.make_tensor_value_info(n, TYPES[a.dtype.kind], a.shape) for n, a in fed.items()]
    body = onnx.helper.make_graph(nodes, "one", entering, outputs, w.tensors(used))
    model = onnx.helper.make_model(body, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    there = {i.name for i in session.get_inputs()}
    results: list[NDArray[Any]] = session.run(None, {name: array for name, array in fed.items() if name in there})
    return results
