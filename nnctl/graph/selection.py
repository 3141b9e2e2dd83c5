"""Products with one-hot rows: a row of the other matrix is looked up instead of multiplied out."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import view_sources
from nnctl.ops import OPS


def look_rows_up(graph: Graph) -> Graph:
    """One-hot rows times W are rows of W; their transpose times G adds the rows of G up by index.

    So a net of characters pays for its units and not for its alphabet.
    """
    sources = view_sources(graph)
    hot = {node.outputs[0]: node for node in graph.nodes if node.op.name == "one_hot"}
    if not hot:
        return graph
    builder = GraphBuilder(graph.name)
    replaced: dict[Value, Value] = {}
    for before in graph.nodes:
        node = before.with_inputs(replaced)
        made = _looked_up(builder, node, sources, hot)
        if made is None:
            builder.nodes.append(node)
        else:
            replaced[node.outputs[0]] = made
    return graph.rebuilt(builder.nodes, replaced)


def _looked_up(
    builder: GraphBuilder, node: Node, sources: Mapping[Value, Value], hot: Mapping[Value, Node]
) -> Value | None:
    """Lookup in place of a product whose left side is one-hot rows; None for every other node."""
    if node.op.name != "matmul" or node.attributes.get("transpose_b"):
        return None
    left, right = node.inputs
    rows = hot.get(sources.get(left, left))
    # Under another last axis a row is several one-hot rows side by side.
    if rows is None or left.shape[-1] != rows.attributes["classes"]:
        return None
    with builder.on_behalf_of(node.layer):
        index = builder.tensor(rows.inputs[0])
        if index.shape != left.shape[:1]:
            index = builder.apply("reshape", index, shape=left.shape[:1])
        other = builder.tensor(right)
        name = node.outputs[0].name
        if node.attributes.get("transpose_a"):
            (made,) = builder.emit(OPS["add_rows"], [other, index], {"rows": left.shape[-1]}, name)
        else:
            (made,) = builder.emit(OPS["lookup"], [other, index], {}, name)
    return made.value
