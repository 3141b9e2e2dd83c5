"""Constants and repeated scalars: what need not be computed, or not in full size."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Recorder
from nnctl.ops.shapes import broadcast, product


def fold_constants(graph: Graph) -> Graph:
    """Numbers known when compiling enter the formulas that read them: ∂C/∂C = 1, λ/n."""
    known: dict[Value, float] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        folded = node
        if node.op.name == "size":
            count = product(node.attributes["shape"])
            if isinstance(count, int):
                known[node.outputs[0]] = float(count)
        elif isinstance(node.op, ElementwiseOp) and not known.keys().isdisjoint(node.inputs):
            folded = _with_constants(node, node.op, known)
            if isinstance(folded.op, ElementwiseOp) and not folded.inputs:
                result = folded.op.expression.results[0]
                if isinstance(result, float):
                    known[node.outputs[0]] = result
        kept.append(folded)
    return graph.rebuilt(kept)


def _with_constants(node: Node, op: ElementwiseOp, known: Mapping[Value, float]) -> Node:
    """The node with the known inputs written into its formula. They are scalars: its shape stays what it was."""
    inputs = tuple(v for v in node.inputs if v not in known)
    recorder = Recorder(len(inputs))
    positions = {v: i for i, v in enumerate(inputs)}
    operands = [known[v] if v in known else recorder.value(positions[v]) for v in node.inputs]
    expression = recorder.finish(op.expression.evaluate(recorder, *operands))
    return Node(from_expression(op.name, expression), inputs, node.outputs, node.attributes, node.layer)


def read_scalars(graph: Graph) -> Graph:
    """Formulas read a scalar itself and not its copies: elementwise ops broadcast by themselves."""
    scalars: dict[Value, Value] = {}
    kept: list[Node] = []
    for node in graph.nodes:
        if node.op.name in ("broadcast_to", "reshape"):
            source = node.inputs[0]
            root = scalars.get(source, source if source.shape == () else None)
            if root is not None:
                scalars[node.outputs[0]] = root
        kept.append(_reading_scalars(node, scalars) if isinstance(node.op, ElementwiseOp) else node)
    return graph.rebuilt(kept)


def _reading_scalars(node: Node, scalars: Mapping[Value, Value]) -> Node:
    if scalars.keys().isdisjoint(node.inputs):
        return node
    inputs = tuple(scalars.get(v, v) for v in node.inputs)
    if broadcast([v.shape for v in inputs]) != node.outputs[0].shape:
        return node
    return node.with_inputs(dict(zip(node.inputs, inputs, strict=True)))
