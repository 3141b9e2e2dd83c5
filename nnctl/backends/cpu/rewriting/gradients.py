"""Gradients of weights that multiply every position of sequences, in two halves of their sums over all of these.

A thread that made a block of the weights would read what both have made of the sequences, twice a megabyte, and in the
next step every line of it would have to come back before it is written. A thread that sums over the positions of its
own examples reads what it has made itself; what travels are its sums, which are small.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import cache
from typing import Any

from nnctl.backends.cpu.division import half_of
from nnctl.backends.cpu.rewriting.halves import HALF_PRODUCTS, made_in_two
from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops import OPS
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Recorder
from nnctl.ops.shapes import Symbol, TensorType, product, resolve
from nnctl.ops.table import Sample, StructuredOp

_WORTH = 4
"""Times as many numbers as in the result that a thread reads of what the other has made, where sums of its own pay."""


def _halves(xp: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """The sums over the first rows of a and b, and over the others."""
    half = half_of(a.shape[0])
    return xp.matmul(a[:half].T, b[:half]), xp.matmul(a[half:].T, b[half:])


def _type(a: TensorType, b: TensorType) -> tuple[TensorType, TensorType]:
    return (TensorType((a.shape[1], b.shape[1])),) * 2


def _sample(rng: Any) -> Sample:
    rows, m, n = rng.integers(17, 40), rng.integers(1, 9), rng.integers(1, 9)
    return [rng.standard_normal((rows, m)), rng.standard_normal((rows, n))], {}


HALF_GRADIENTS = StructuredOp(
    "half_gradients", type_rule=_type, body=_halves, derivative=None,
    cost=lambda a, b: product((*a.shape, b.shape[1])) * 2, sample=_sample,
)  # fmt: skip


def gradients_in_halves(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph in which such gradients are made in two halves, those that were updates by a product, too."""
    owned = {node.inputs[1] for node in graph.nodes if node.op is HALF_PRODUCTS}
    found = frozenset(node for node in graph.nodes if _is_worth_it(node, sizes) and node.inputs[0] not in owned)
    return graph.once(("gradients in halves", found), lambda: _in_halves(graph, found)) if found else graph


def _in_halves(graph: Graph, found: Set[Node]) -> Graph:
    gradients: set[Node] = set()
    nodes: list[Node] = []
    for node in graph.nodes:
        if node in found and node.op.name == "accumulate_product":
            made, update = _taken_apart(node)
            gradients.add(made)
            nodes += [made, update]
            continue
        if node in found:
            gradients.add(node)
        nodes.append(node)
    return made_in_two(graph.rebuilt(nodes), HALF_GRADIENTS, gradients)


def _is_worth_it(node: Node, sizes: Mapping[str, int]) -> bool:
    if node.op.name not in ("matmul", "accumulate_product"):
        return False
    a, b = node.inputs[:2] if node.op.name == "matmul" else node.inputs[1:3]
    positions = a.shape[0]
    if not node.attributes.get("transpose_a") or node.attributes.get("transpose_b"):
        return False
    if not isinstance(positions, Symbol) or positions.times == 1 or b.shape[0] != positions:
        return False
    (rows,) = resolve(a.shape[:1], sizes)
    (m, n) = resolve((a.shape[1], b.shape[1]), sizes)
    return bool(rows // 2 * (m + n) >= _WORTH * m * n and half_of(rows) < rows)


def _taken_apart(node: Node) -> tuple[Node, Node]:
    """The product, and the update β·W + α·product."""
    weights, a, b, alpha, beta = node.inputs
    (updated,) = node.outputs
    made = Value(f"{updated.name}.product", updated.type)
    return (
        Node(OPS["matmul"], (a, b), (made,), dict(node.attributes), node.layer),
        Node(_update(), (weights, made, alpha, beta), (updated,), {}, node.layer),
    )


@cache
def _update() -> ElementwiseOp:
    """β·W + α·product."""
    recorder = Recorder(4)
    c, g, scale, decay = (recorder.value(i) for i in range(4))
    return from_expression("update", recorder.finish([decay * c + scale * g]))
