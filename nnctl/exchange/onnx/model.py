"""A net as an ONNX model: raw inputs to answers as `predict` gives them, any number of examples, of steps where it can.

Opset 17 and IR 8, which runtimes since 2022 read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import nnctl.exchange.onnx.moving
import nnctl.exchange.onnx.sequences
import nnctl.exchange.onnx.windows  # noqa: F401 — these three enter the emitters
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError, UsageError
from nnctl.exchange.onnx.columns import ML, Entrance, enter, only_sound
from nnctl.exchange.onnx.emitters import emit
from nnctl.exchange.onnx.formulas import number
from nnctl.exchange.onnx.lengths import OneLength, common, tried
from nnctl.exchange.onnx.writer import Operand, Writer, live
from nnctl.exchange.raw import RawInputs
from nnctl.graph import interface
from nnctl.graph.ir import Graph, Value
from nnctl.graph.network import Network
from nnctl.late import dataclass
from nnctl.ops.shapes import Shape
from nnctl.spec.document import Spec

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, ML_OPSET, IR = 17, 3, 8
INPUT = "input"
_MOST_BYTES = (1 << 31) - (1 << 20)
"""A file of protocol buffers has less than 2 GiB; a MiB is left for what is not weights."""
PROBABILITIES, VALUES = "probabilities", "values"
"""Names of the answers, by what they are; the words of `nnctl predict`."""
NEW = ".new"
"""Ending of the name of an output that is a recurrent state after the call; without it, of the input before."""


@dataclass(frozen=True)
class Exportable:
    """A model. steps: whether it takes sequences of any length. why_not: where it reads sequences of one, the reason.

    states: names of the recurrent states that it is given and gives. entrance: of one that makes its inputs itself.
    """

    model: ModelProto
    steps: bool
    states: tuple[str, ...]
    why_not: str | None = None
    entrance: Entrance | None = None


def build_model(
    spec: Spec,
    signature: DataSignature,
    tensors: Mapping[str, NDArray[Any]],
    raw: RawInputs | None = None,
) -> Exportable:
    """The model of a trained net. tensors: parameters, states of layers and statistics by name.

    raw: what inputs are made of in the model; None where they are given as they enter the net.

    Raises UsageError that names the layer which ONNX cannot say.
    """
    network = Network(spec, signature)
    why_not = None
    if _time_axis(signature):
        try:
            return _written(_of_any_length(spec, signature), network, tensors, raw, None, steps=True)
        except OneLength as error:
            why_not = str(error)
    return _written(network.unfused_prediction, network, tensors, raw, why_not, steps=False)


def at_length(signature: DataSignature, steps: int) -> DataSignature:
    """The signature of sequences of another length."""
    return replace(signature, input_shape=(steps, *signature.input_shape[1:]))


def _time_axis(signature: DataSignature) -> bool:
    """True where an example is a sequence: steps of indices, or of features."""
    return len(signature.input_shape) == (1 if signature.input_dtype == "index" else 2)


def _of_any_length(spec: Spec, signature: DataSignature) -> Graph:
    if signature.statistics_shape:
        raise OneLength("the data is normalized by numbers of its own for each step")
    lengths = tried(signature.input_shape[0])
    try:
        graphs = [Network(spec, at_length(signature, steps)).unfused_prediction for steps in lengths]
    except ShapeError as error:
        raise OneLength(str(error).splitlines()[0]) from error
    return common(graphs, lengths)


def _written(
    graph: Graph,
    network: Network,
    tensors: Mapping[str, NDArray[Any]],
    raw: RawInputs | None,
    why_not: str | None,
    *,
    steps: bool,
) -> Exportable:
    from onnx import helper

    signature = network.signature
    w = Writer()
    classes = signature.classes
    # Before a column could be called so.
    name = w.unique(VALUES if classes is None else PROBABILITIES)
    entering = next(
        node for node in graph.nodes if node.op.name == "gather" and node.inputs[0].name == interface.INPUTS
    )
    entrance = None if raw is None else enter(w, raw, INPUT, _axes(entering.outputs[0].shape))
    w.source = w.unique(INPUT) if entrance is None else entrance.made
    known: dict[Value, Operand] = {}
    states: list[Value] = []
    for value in graph.inputs:
        if value.name in (interface.INPUTS, interface.INDEX):
            continue
        if value.role == "state" and value.batched:
            states.append(value)
            known[value] = Operand(w.unique(value.name), value.shape, value.type.dtype)
        else:
            known[value] = Operand(value.name, value.shape, value.type.dtype, tensors[value.name])
    w.bound[entering.outputs[0]] = Operand(w.source, entering.outputs[0].shape, entering.outputs[0].type.dtype)
    for value in entering.inputs:
        known[value] = Operand("", value.shape, value.type.dtype)
    emit(w, graph, known)
    if sum(array.nbytes for array in w.initializers.values()) > _MOST_BYTES:
        raise UsageError("an ONNX file has at most 2 GiB, and the weights of this net have more")
    output = graph.outputs[interface.OUTPUT]
    w.writing("answer")
    answer = w.bound[output]
    shape = output.shape
    if classes is not None and len(classes) == 2 and shape[-1] == 1:
        others = w.add("Sub", number(2 * network.spec.cost.threshold), answer)
        made, shape = w.add("Concat", others, answer, axis=-1), (*shape[:-1], 2)
    else:
        made = w.text(answer)
    if entrance is not None and entrance.sound is not None:
        made = only_sound(w, made, entrance.sound, len(shape))
    w.nodes.append(helper.make_node("Identity", [made], [name], name=name))
    outputs = [helper.make_tensor_value_info(name, 1, _axes(shape))]
    for state in states:
        new = w.unique(state.name + NEW)
        w.nodes.append(helper.make_node("Identity", [w.text(w.bound[graph.updates[state]])], [new], name=new))
        outputs.append(helper.make_tensor_value_info(new, 1, _axes(state.shape)))
    nodes, used = live(w.nodes, [output.name for output in outputs])
    if entrance is None:
        element = {"uint8": 2, "index": 7, "real": 1}[entering.outputs[0].type.dtype]
        inputs = [helper.make_tensor_value_info(w.source, element, _axes(entering.outputs[0].shape))]
    else:
        inputs = list(entrance.inputs)
    inputs += [helper.make_tensor_value_info(state.name, 1, _axes(state.shape)) for state in states]
    body = helper.make_graph(nodes, network.spec.name or "net", inputs, outputs, w.tensors(used))
    versions = {"": OPSET} | ({ML: ML_OPSET} if any(node.domain == ML for node in nodes) else {})
    domains = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    model = helper.make_model(body, opset_imports=domains, ir_version=IR)
    return Exportable(model, steps, tuple(state.name for state in states), why_not, entrance)


def _axes(shape: Shape) -> list[int | str]:
    """A shape with the names of axes that any number goes for."""
    return [dim if isinstance(dim, int) else str(dim) for dim in shape]


def zero_states(exportable: Exportable, batch: int) -> dict[str, NDArray[np.float32]]:
    """The states before a sequence begins, by name."""
    given = {value.name: value for value in exportable.model.graph.input}
    units = {name: given[name].type.tensor_type.shape.dim[1].dim_value for name in exportable.states}
    return {name: np.zeros((batch, n), np.float32) for name, n in units.items()}
