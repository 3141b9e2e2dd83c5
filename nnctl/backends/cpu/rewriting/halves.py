"""Products with a first layer's weights in two halves of their sums: a half of the weights can have an owner.

Shared by examples, a product reads all of the weights on each core, and shared by rows, their update changes a half on
each: in every step they travel. A thread that owns a half of their rows reads and changes these alone, and no more of
the examples than the columns that meet them; what travels are the sums of the halves, which are small.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from nnctl.backends.codegen.inlining import inlined_nodes
from nnctl.backends.cpu.division import half_of
from nnctl.graph.fusion import fused
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import VIEWS, view_sources
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Recorder
from nnctl.ops.shapes import TensorType, product, resolve
from nnctl.ops.table import Sample, StructuredOp

_MOST_EXAMPLES = 128
"""Rows of a product above which the way of weights from core to core is a small part of its time."""


def _halves(xp: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """The products of the first columns of a with the first rows of b, and of the others."""
    half = half_of(b.shape[0])
    return xp.matmul(a[:, :half], b[:half]), xp.matmul(a[:, half:], b[half:])


def _type(a: TensorType, b: TensorType) -> tuple[TensorType, TensorType]:
    return (TensorType((a.shape[0], b.shape[1])),) * 2


def _sample(rng: Any) -> Sample:
    m, k, n = rng.integers(1, 9), rng.integers(17, 40), rng.integers(1, 9)
    return [rng.standard_normal((m, k)), rng.standard_normal((k, n))], {}


HALF_PRODUCTS = StructuredOp(
    "half_products", type_rule=_type, body=_halves, derivative=None,
    cost=lambda a, b: product((*a.shape, b.shape[1])) * 2, sample=_sample,
)  # fmt: skip


def in_halves(graph: Graph, sizes: Mapping[str, int]) -> Graph:
    """The graph in which products of few examples with weights that can be owned are made in two halves."""
    weights = graph.once("weights with owners", lambda: _ownable(graph))
    found = frozenset(
        n
        for n in (graph.nodes if weights else ())
        if n.op.name == "matmul" and n.inputs[1] in weights and _is_small(n, sizes)
    )
    return graph.once(("halves", found), lambda: made_in_two(graph, HALF_PRODUCTS, found))


def made_in_two(graph: Graph, op: StructuredOp, products: Collection[Node]) -> Graph:
    """The graph in which an op makes these products as two summands. Where a formula alone reads one, it adds them."""
    if not products:
        return graph
    readers, results = graph.readers, set(graph.results)
    nodes: list[Node] = []
    added: dict[Value, Node] = {}
    """Sums of halves by their results, to be part of the formula that reads them."""
    for node in graph.nodes:
        if node in products:
            (whole,) = node.outputs
            halves = tuple(Value(f"{whole.name}.half{i}", whole.type) for i in (1, 2))
            nodes.append(Node(op, node.inputs, halves, {}, node.layer))
            total = _sum(halves, whole, node.layer)
            reading = readers.get(whole, [])
            alone = len(reading) == 1 and whole not in results
            if alone and isinstance(reading[0].op, ElementwiseOp) and reading[0].outputs[0].shape == whole.shape:
                added[whole] = total
            else:
                nodes.append(total)
            continue
        parts = [added[value] for value in dict.fromkeys(node.inputs) if value in added]
        nodes.append(fused([*parts, node]) if parts else node)
    return graph.rebuilt(nodes)


def _sum(parts: tuple[Value, ...], whole: Value, layer: str) -> Node:
    return Node(_add(), parts, (whole,), {}, layer)


@cache
def _add() -> ElementwiseOp:
    recorder = Recorder(2)
    return from_expression("add", recorder.finish([recorder.value(0) + recorder.value(1)]))


def _is_small(node: Node, sizes: Mapping[str, int]) -> bool:
    a, b = node.inputs
    (rows,) = resolve(a.shape[:1], sizes)
    return bool(rows <= _MOST_EXAMPLES and half_of(b.shape[0]) < b.shape[0])


def _ownable(graph: Graph) -> set[Value]:
    """Weights that nothing reads but products of examples, and an update that is such a product or reads one.

    They are of a first layer, for the gradient of a product's input would read them, too. The examples have to be made
    by a formula, and be read for such weights alone.
    """
    readers, producers = graph.readers, graph.producers
    reading: dict[Value, set[Node]] = {}
    """Readers of each such weight."""
    for old, new in graph.updates.items():
        update, gradient = producers.get(new), gradient_of(graph, old)
        if gradient is None:
            continue
        products = {node for node in readers.get(old, []) if node is not update}
        if products and all(_multiplies(n, old) for n in products):
            reading[old] = {gradient, *products}
    search, fewer = _Columns(graph), True
    while fewer:
        all_reading = {node for nodes in reading.values() for node in nodes}
        kept = {
            weight: nodes
            for weight, nodes in reading.items()
            if all(search.fits(n.inputs[0], all_reading) for n in nodes if n.op.name == "matmul")
        }
        reading, fewer = kept, len(kept) < len(reading)
    return set(reading)


class _Columns:
    """The search for examples that can be made column by column, for those that read these columns alone."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.producers, self.readers = graph.producers, graph.readers
        self.source, self.inlined = view_sources(graph), inlined_nodes(graph)

    def fits(self, examples: Value, reading: set[Node]) -> bool:
        """True for examples that are made by a formula of columns, and that nothing else reads."""
        root = self.source.get(examples, examples)
        producer = self.producers.get(root)
        views = {root, *(view for view, of in self.source.items() if of is root)}
        found = {n for view in views for n in self.readers.get(view, []) if n.op.name not in VIEWS}
        alone = found <= reading and views.isdisjoint(self.graph.results)
        return alone and producer is not None and root.shape[0] == examples.shape[0] and self._has_columns(producer)

    def _has_columns(self, node: Node) -> bool:
        """True for a formula whose inputs have all columns of the result, or one for all."""
        made = node.outputs[0]
        if not isinstance(node.op, ElementwiseOp) or len(node.outputs) > 1:
            return False
        for value in node.inputs:
            source = self.producers.get(value)
            while source is not None and source in self.inlined:
                if source.op.name not in ("gather", "cast"):
                    return False
                source = self.producers.get(source.inputs[0])
            inner = value.shape[1:] if value.batched else value.shape
            if any(n != 1 for n in inner) and inner != made.shape[1:]:
                return False
        return True


def gradient_of(graph: Graph, weight: Value) -> Node | None:
    """The product that a weight's update is, or that its formula reads beside the weight, what is kept for it, numbers.

    None where the update is another.
    """
    update = graph.producers.get(graph.updates[weight])
    if update is None or len(weight.shape) != 2:
        return None
    if update.op.name == "accumulate_product":
        return update if update.inputs[0] is weight else None
    values = (*update.inputs, *update.outputs)
    if not isinstance(update.op, ElementwiseOp) or any(v.shape not in ((), weight.shape) for v in values):
        return None
    made = [graph.producers[v] for v in update.inputs if v.shape != () and v in graph.producers]
    if len(made) != 1 or made[0].op.name != "matmul" or made[0].attributes.get("transpose_b"):
        return None
    (gradient,) = made[0].outputs
    alone = graph.readers[gradient] == [update] and gradient not in graph.results
    return made[0] if alone and made[0].attributes.get("transpose_a") else None


def _multiplies(node: Node, weight: Value) -> bool:
    """True for a product of examples with the weight as it lies."""
    if node.op.name != "matmul" or any(node.attributes.get(name) for name in ("transpose_a", "transpose_b")):
        return False
    a, b = node.inputs
    return b is weight and a is not weight and node.outputs[0].batched
