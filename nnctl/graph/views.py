"""Values that show another value's memory under a shape of their own."""

from __future__ import annotations

from nnctl.graph.ir import Graph, Value

VIEWS = ("reshape", "stop_gradient")
"""Ops whose output is their input's memory."""


def view_sources(graph: Graph) -> dict[Value, Value]:
    """Output of each view → the value whose memory it shows, through views of views."""
    source: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op.name in VIEWS:
            source[node.outputs[0]] = source.get(node.inputs[0], node.inputs[0])
    return source
