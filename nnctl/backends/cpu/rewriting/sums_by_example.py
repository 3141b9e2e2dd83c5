"""Sums over the batch and over positions in two: over each example by the thread that has it, then over the batch.

A thread that made a block of the channels would read every second line that the others have just
written, and half of it. So each example is summed where it is, in parts that do not depend on the
number of threads; what is left to be summed over the batch is small.
"""

from __future__ import annotations

import math

from nnctl.backends.codegen.reductions import reduced_axes
from nnctl.backends.cpu.rewriting.example_sums import sum_of
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops import OPS
from nnctl.ops.shapes import Symbol, TensorType

_SUMS = frozenset(("sum", "mean", "sum_to"))


def summed_by_example(graph: Graph) -> Graph:
    """The graph with such sums and means in two parts."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op.name in _SUMS:
            nodes += _parts(node)
        else:
            nodes.append(node)
    return graph.rebuilt(nodes)


def _parts(node: Node) -> tuple[Node, ...]:
    x, result = node.inputs[0], node.outputs[0]
    axes = set(reduced_axes(node))
    rows = x.shape[0] if len(x.shape) == 2 else 1
    if isinstance(rows, Symbol) and rows.times > 1 and axes == {0}:
        # Rows that are examples' positions one after another.
        shape = (Symbol(rows.name), rows.times, x.shape[1])
        apart = Value(f"{x.name}.by_position", TensorType(shape))
        shaped = Node(OPS["reshape"], (x,), (apart,), {"shape": shape}, node.layer)
        return (shaped, *_in_two(node, apart, {0, 1}, result))
    return _in_two(node, x, axes, result)


def _in_two(node: Node, x: Value, axes: set[int], result: Value) -> tuple[Node, ...]:
    """The sum of x over these axes in two, where that is one over examples' positions."""
    positions = [n for n in x.shape[1:-1] if isinstance(n, int)]
    kept = {a for a in range(1, len(x.shape)) if x.shape[a] != 1} - axes
    if not x.batched or math.prod(positions) <= 1 or kept - {len(x.shape) - 1} or len(x.shape) - 1 in axes:
        return (node,)
    mean = node.op.name == "mean"
    scale = 1.0 / math.prod(positions) if mean else 1.0
    by_example = Value(f"{result.name}.by_example", TensorType((x.shape[0], x.shape[-1])))
    if 0 not in axes:
        return _shown(sum_of(x, by_example, scale, node.layer), result)
    whole = Value(f"{result.name}.sum", TensorType((x.shape[-1],)))
    over_batch = Node(OPS["mean" if mean else "sum"], (by_example,), (whole,), {"axes": (0,)}, node.layer)
    return (sum_of(x, by_example, scale, node.layer), *_shown(over_batch, result))


def _shown(node: Node, result: Value) -> tuple[Node, ...]:
    """The node with this result, which may have axes of length 1 besides."""
    if node.outputs[0].shape == result.shape:
        return (Node(node.op, node.inputs, (result,), node.attributes, node.layer),)
    return (node, Node(OPS["reshape"], node.outputs, (result,), {"shape": result.shape}, node.layer))
