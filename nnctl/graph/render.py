"""Graphs as text."""

from __future__ import annotations

from typing import Any

from nnctl.graph.ir import Graph, Node
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.notation import render as formula
from nnctl.ops.shapes import show


def render(graph: Graph) -> str:
    """The graph for people: inputs, one line a node with its formula or its op, results."""
    lines = [f"graph {graph.name}"]
    width = max((len(v.name) for v in (*graph.inputs, *(o for n in graph.nodes for o in n.outputs))), default=0)
    lines += [f"  {v.name:<{width}}  {v.type!s:<24} {v.role}" for v in graph.inputs]
    for node in graph.nodes:
        lines += _node(node, width)
        if graph.guard is not None and graph.guard in node.outputs:
            lines.append(f"  -- what follows runs only while {graph.guard.name} is finite --")
    lines += [f"  {name} ⇐ {value.name}" for name, value in graph.outputs.items()]
    lines += [f"  {old.name} ← {new.name}" for old, new in graph.updates.items()]
    return "\n".join(lines)


def _node(node: Node, width: int) -> list[str]:
    names = [v.name for v in node.inputs]
    if isinstance(node.op, ElementwiseOp) and len(node.op.expression.lines) <= 12:
        text = formula(node.op.expression, names)
    else:
        attributes = [f"{k}={_attribute(v)}" for k, v in node.attributes.items() if v is not False and v is not None]
        text = f"{node.op.name}({', '.join([*names, *attributes])})"
    outputs = ", ".join(o.name for o in node.outputs)
    return [f"  {outputs:<{width}}  {node.outputs[0].type!s:<24} = {text}"]


def _attribute(value: Any) -> str:
    return show(value) if isinstance(value, tuple) else str(value)
