"""Derivatives of relus that read the relu's result: a = max(0, z) is above 0 where z is, and no number where z is none.

So nothing but the relu reads z, and where a formula makes that, the two are one, and z is nowhere stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops.elementwise import ElementwiseOp

Term: TypeAlias = Any
"""A formula as a tree: an input's name, a number, or a primitive's name and terms."""


def masked_by_results(graph: Graph, chosen: Callable[[Node], bool]) -> Graph:
    """The same graph, in which derivatives of relus read the relu's result. chosen: of which makers of z."""
    producers, readers, results = graph.producers, graph.readers, set(graph.results)
    position = {node: number for number, node in enumerate(graph.nodes)}
    replaced: dict[Node, dict[Value, Value]] = {}
    for node in graph.nodes:
        if term_of(node, ["z"]) != ("maximum", 0.0, "z") or node.inputs[0] in results:
            continue
        (z,), (a,) = node.inputs, node.outputs
        others = [reader for reader in readers[z] if reader is not node]
        alike = all(position[node] < position[other] and _asks_for_the_sign(other, z) for other in others)
        made = producers.get(z)
        if alike and made is not None and chosen(made):
            for other in others:
                replaced.setdefault(other, {})[z] = a
    return graph.rebuilt(node.with_inputs(replaced.get(node, {})) for node in graph.nodes) if replaced else graph


def term_of(node: Node, names: Sequence[str]) -> Term:
    """The tree of a formula whose inputs have these names; None for another op."""
    if not isinstance(node.op, ElementwiseOp) or len(names) != len(node.inputs) or len(node.outputs) != 1:
        return None
    terms: list[Term] = [*names]
    for line in node.op.expression.lines:
        terms.append((line.primitive, *(terms[a] if isinstance(a, int) else a for a in line.arguments)))
    (result,) = node.op.expression.results
    return terms[result] if isinstance(result, int) else result


def _asks_for_the_sign(node: Node, z: Value) -> bool:
    """True for a formula that asks of z whether it is above 0, and nothing else."""
    if not isinstance(node.op, ElementwiseOp):
        return False
    expression = node.op.expression
    places = {place for place, value in enumerate(node.inputs) if value is z}
    uses = [line for line in expression.lines if any(isinstance(a, int) and a in places for a in line.arguments)]
    asked = all(line.primitive == "greater" and line.arguments[1] == 0.0 for line in uses)
    return asked and not any(isinstance(r, int) and r in places for r in expression.results)
