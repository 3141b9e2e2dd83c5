"""Gradients of small kernels in two: of each example by the thread that has it, then summed over the batch.

A thread that made some rows of such a gradient would read all images, and what convolutions of them hand back, from
memory. Where an example's positions are summed up by themselves in any case, these sums are made right where both were
made, a few examples at a time; what is left to be summed over the batch is small. The order of the sums is the same.
"""

from __future__ import annotations

import math
from typing import Any

from nnctl.backends.cpu.convolve.choice import blocks_of, by_winograd
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops import OPS
from nnctl.ops.shapes import Symbol, TensorType
from nnctl.ops.table import StructuredOp

_WORTH = 4
"""Times as many numbers as in a kernel that its convolution makes of an example, at least."""


def _gradients(xp: Any, x: Any, y: Any, **window: Any) -> Any:
    """∂C/∂w of each example by itself."""
    body = OPS["convolution_kernel"].body
    return xp.stack([body(xp, x[n : n + 1], y[n : n + 1], **window) for n in range(x.shape[0])])


def _type(x: TensorType, y: TensorType, **window: Any) -> TensorType:
    (kernel,) = OPS["convolution_kernel"].infer([x, y], window)
    return TensorType((x.shape[0], *kernel.shape))


KERNEL_BY_EXAMPLE = StructuredOp(
    "kernel_by_example",
    type_rule=_type,
    body=_gradients,
    derivative=None,
    cost=lambda x, y, **window: OPS["convolution_kernel"].flops(
        [x, y], OPS["convolution_kernel"].infer([x, y], window), window
    ),
    sample=OPS["convolution_kernel"].sample,
)


def kernels_by_example(graph: Graph) -> Graph:
    """The graph with such gradients in two parts."""
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op.name != "convolution_kernel" or not _is_worth_it(node):
            nodes.append(node)
            continue
        (result,) = node.outputs
        each = Value(f"{result.name}.by_example", TensorType((node.inputs[0].shape[0], *result.shape)))
        nodes.append(Node(KERNEL_BY_EXAMPLE, node.inputs, (each,), node.attributes, node.layer))
        nodes.append(Node(OPS["sum"], (each,), (result,), {"axes": (0,)}, node.layer))
    return graph.rebuilt(nodes)


def _is_worth_it(node: Node) -> bool:
    x, y = node.inputs
    *positions, filters = (n for n in y.shape[1:] if isinstance(n, int))
    kernel = tuple(n for n in node.outputs[0].shape if isinstance(n, int))
    if not isinstance(x.shape[0], Symbol) or not isinstance(y.shape[0], Symbol) or node.attributes["groups"] > 1:
        return False
    alone = blocks_of(math.prod(positions[:-1]), positions[-1]) == (1, math.prod(positions[:-1]))
    small = _WORTH * math.prod(kernel) <= math.prod(positions) * filters
    return alone and small and not by_winograd(kernel, node.attributes, positions)
