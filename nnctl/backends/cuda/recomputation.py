"""Recomputation: formulas that cost less to compute where they are read than to store and to read.

A device computes some eighty times in the time that an element takes to come from memory. So what is simple is
not kept between launches: normalized activations are made again from what they are made of, for each of their
readers, the way back among them.
"""

from __future__ import annotations

from nnctl.backends.codegen.simplicity import is_simple
from nnctl.graph.fusion import fused
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.order import constant_nodes


def recomputed(graph: Graph) -> Graph:
    """The same graph, in which simple formulas that only formulas read are parts of these."""
    readers = graph.readers
    repeated = {value for node in graph.nodes if node.op.name == "broadcast_to" for value in node.outputs}
    kept = {*graph.results, *(value for node in constant_nodes(graph) for value in node.outputs)}
    updated = set(graph.updates.values())
    parts: dict[Value, Node] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        inside = [parts[value] for value in dict.fromkeys(node.inputs) if value in parts]
        whole = fused([*inside, node]) if inside else node
        made = node.outputs[0]
        reading = readers.get(made, [])
        alike = all(
            isinstance(r.op, ElementwiseOp) and r.outputs[0].shape == made.shape and updated.isdisjoint(r.outputs)
            for r in reading
        )
        gains = reading and alike and is_simple(whole) and _gains(whole, repeated, len(reading))
        if gains and made not in kept:
            parts[made] = whole
        else:
            nodes.append(whole)
    return graph.rebuilt(nodes)


def _gains(node: Node, repeated: set[Value], readers: int) -> bool:
    """True where fewer arrays are read and written if each reader reads what the formula reads.

    repeated: what is broadcast where it is read, and small in memory.
    """
    read = sum(value.shape == node.outputs[0].shape for value in {*node.inputs} - repeated)
    return read + 1 + readers > readers * read
