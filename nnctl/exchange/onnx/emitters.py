"""Nodes of ONNX for each op: one function an op, which writes them.

`@says("softmax")` on a function (writer, node, *operands, **attributes) that gives the result's name, or a tuple of
them. Its keywords are the op's attributes: one that it does not know is a TypeError, and nothing is left out unseen.
A package with an op of its own says so for it, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from nnctl.errors import UsageError
from nnctl.exchange.onnx.formulas import PRIMITIVES_SAID, formula
from nnctl.exchange.onnx.lengths import OneLength
from nnctl.exchange.onnx.writer import Given, Operand, Writer
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import broadcast

Emitter: TypeAlias = Callable[..., Any]

EMITTERS: dict[str, Emitter] = {}
"""The emitter of each structured op."""


def says(*ops: str) -> Callable[[Emitter], Emitter]:
    """Enter the decorated emitter for these ops. Raises ValueError where one has an emitter."""

    def decorate(emitter: Emitter) -> Emitter:
        for op in ops:
            if op in EMITTERS:
                raise ValueError(f"op {op!r} has two emitters")
            EMITTERS[op] = emitter
        return emitter

    return decorate


def emit(w: Writer, graph: Graph, known: dict[Value, Operand]) -> None:
    """Write the nodes of a graph. known: operands of its inputs. Raises UsageError naming a layer that ONNX cannot say.

    What hangs on known arrays alone is computed here, in float64, and is an array of the graph.
    """
    w.bound.update(known)
    w.producers, w.readers = graph.producers, graph.readers
    w.results = frozenset(graph.results)
    for node in graph.nodes:
        if all(output in w.bound for output in node.outputs):
            continue
        operands = [w.bound[value] for value in node.inputs]
        w.writing(node.outputs[0].name)
        if all(operand.array is not None for operand in operands) and _settled(node):
            made = node.op.run(numpy_namespace(), [_wide(o.array) for o in operands], node.attributes)
            results: Any = [np.asarray(array) for array in made]
        elif isinstance(node.op, ElementwiseOp):
            results = _formula(w, node, node.op, operands)
        elif node.op.name in EMITTERS:
            made = EMITTERS[node.op.name](w, node, *operands, **node.attributes)
            results = made if isinstance(made, tuple) else (made,)
        else:
            raise refusal(node, f"ONNX has nothing for {node.op.name!r}")
        for value, result in zip(node.outputs, results, strict=True):
            w.bound.setdefault(value, _operand(w, value, result))


def refusal(node: Node, why: str) -> UsageError:
    """The error for a node that ONNX cannot say."""
    where = f"layer '{node.layer}'" if node.layer else "the net"
    return UsageError(f"{where} cannot be exported to ONNX: {why}")


def _operand(w: Writer, value: Value, result: Given) -> Operand:
    if isinstance(result, Operand):
        result = result.array if result.array is not None else result.name
    if isinstance(result, str):
        return Operand(result, value.shape, value.type.dtype)
    return Operand(value.name, value.shape, value.type.dtype, result)


def _wide(array: Any) -> Any:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _settled(node: Node) -> bool:
    """True where sizes that are known when the graph runs do not matter to a node."""
    plain = all(_plain(value) for value in node.attributes.values())
    return plain and all(isinstance(dim, int) for output in node.outputs for dim in output.shape)


def _plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_plain, value))
    return isinstance(value, int | float | str) or value is None


def _formula(w: Writer, node: Node, op: ElementwiseOp, operands: list[Operand]) -> list[Given]:
    expression = op.expression
    strangers = {line.primitive for line in expression.lines} - PRIMITIVES_SAID
    if strangers:
        raise refusal(node, f"it has no function {min(strangers)!r}, which the formula {op.name!r} calls")
    results = formula(w, expression, operands)
    shape = node.outputs[0].shape
    read = [node.inputs[i].shape for i in expression.used_inputs]
    if (broadcast(read) if read else ()) != shape:
        return [w.add("Expand", result, w.dims(shape)) for result in results]
    return results


def fixed(node: Node, value: Any) -> Any:
    """An attribute that ONNX wants as numbers. Raises OneLength where it depends on the length of a sequence."""
    if not _plain(value):
        raise OneLength(f"{node.layer or 'the net'}: {node.op.name} needs the length of the sequence as a number")
    return value
