"""Products that end as the formula behind them says: a bias, a relu or its derivative, in the launch of the product.

Nothing else may read the product itself. The derivative of a relu reads its weighted input, so that this would be
stored for the way back; but a = max(0, z) is above 0 where z is, and no number where z is none. So a is read in its
place, and z is nowhere stored. Where z is made of more than a product and a bias it is made again where it is read
instead, which is cheaper than reading a: see `recomputation`.

cublasLt would do more: DRELU applies such a mask in the product of the way back. But it takes a matrix of bits, its
rows padded to 128, that the forward product has written beside its result (RELU_AUX): both launches of a step would
have to find an algorithm, or neither. It spares one launch, over arrays that have just been made or read and lie in
the cache of a large device; that is an estimate, no device has been asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, TypeAlias

from nnctl.backends.cuda.calls import Call, ProductPrecision
from nnctl.backends.cuda.kernels.ends import WITH_END, End, EndKind
from nnctl.graph.ir import Graph, Node, Value
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Attributes, Op
from nnctl.plan.plan import Launch

_Term: TypeAlias = Any
"""A formula as a tree: an input's name, a number, or a primitive's name and terms."""

_P, _Q = "product", "beside"
_RELU: _Term = ("maximum", 0.0, _P)
_SUMS: tuple[_Term, ...] = (("add", _P, _Q), ("add", _Q, _P))
_MASK: _Term = ("where", ("greater", _Q, 0.0), 1.0, 0.0)
_KINDS: Mapping[_Term, EndKind] = {
    **dict.fromkeys(_SUMS, "bias"),
    _RELU: "relu",
    **{("maximum", 0.0, each): "bias+relu" for each in _SUMS},
    ("multiply", _P, _MASK): "mask",
    ("multiply", _MASK, _P): "mask",
}


@dataclass(frozen=True, eq=False)
class EndedProduct:
    """An op: a product or a convolution, and the formula that is its end.

    Its inputs are the product's, then the one that the formula reads beside, where there is one. place: of the
    product among the formula's inputs.
    """

    product: Op
    formula: ElementwiseOp
    kind: EndKind
    place: int
    overwrites: ClassVar[bool] = False

    @property
    def name(self) -> str:
        return f"{self.product.name}+{self.formula.name}"

    @property
    def identity(self) -> Any:
        return self.product.identity, self.formula.identity, self.place

    def infer(self, inputs: Sequence[TensorType], attributes: Attributes) -> tuple[TensorType, ...]:
        return self.product.infer(inputs[:2], attributes)

    def run(self, xp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
        read = [*inputs[2:]]
        read[self.place : self.place] = self.product.run(xp, inputs[:2], attributes)
        return self.formula.run(xp, read, {})

    def gradients(
        self,
        builder: Any,
        gradients: Sequence[Any],
        outputs: Sequence[Any],
        inputs: Sequence[Any],
        attributes: Attributes,
    ) -> Sequence[Any]:
        raise TypeError(f"{self.name} is made of a graph that has its gradients")

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attributes: Attributes) -> Any:
        made = self.product.flops(inputs[:2], outputs, attributes)
        return made + self.formula.flops(inputs, outputs, {})


def plain(launch: Launch) -> tuple[Launch, End | None]:
    """The launch of a product without its end, and that."""
    if not isinstance(launch.op, EndedProduct):
        return launch, None
    beside = launch.inputs[2] if len(launch.inputs) > 2 else None
    return replace(launch, op=launch.op.product, inputs=launch.inputs[:2]), End(launch.op.kind, beside)


def ended_calls(launch: Launch, precision: ProductPrecision) -> list[Call]:
    """The calls of a product with its end."""
    product, end = plain(launch)
    return list(WITH_END[product.op.name](product, precision, end))


def masked_by_results(graph: Graph) -> Graph:
    """The same graph, in which the derivative of a relu of a product and its bias reads the relu's result."""
    producers, readers, results = graph.producers, graph.readers, set(graph.results)
    position = {node: number for number, node in enumerate(graph.nodes)}
    replaced: dict[Node, dict[Value, Value]] = {}
    for node in graph.nodes:
        if _term(node, [_P]) != _RELU or node.inputs[0] in results:
            continue
        (z,), (a,) = node.inputs, node.outputs
        others = [reader for reader in readers[z] if reader is not node]
        alike = all(position[node] < position[other] and _asks_for_the_sign(other, z) for other in others)
        made = producers.get(z)
        end = None if made is None else _ending(made, producers, readers)
        ends = (made is not None and _may_end(made)) or (end is not None and end.kind == "bias")
        if alike and ends:
            for other in others:
                replaced.setdefault(other, {})[z] = a
    return graph.rebuilt(node.with_inputs(replaced.get(node, {})) for node in graph.nodes)


def with_ends(graph: Graph) -> Graph:
    """The same graph, in which products end as the formulas say that alone read them."""
    producers, readers = graph.producers, graph.readers
    results, updated = set(graph.results), set(graph.updates.values())
    ended: dict[Node, Node] = {}
    absorbed: set[Node] = set()
    for node in graph.nodes:
        end = _ending(node, producers, readers)
        # What changes storage is no end: the product of a library asks no guard.
        if end is None or end.value in results or not updated.isdisjoint(node.outputs):
            continue
        product = producers[end.value]
        op = EndedProduct(product.op, end.formula, end.kind, node.inputs.index(end.value))
        ended[node] = Node(op, (*product.inputs, *end.beside), node.outputs, product.attributes, node.layer)
        absorbed.add(product)
    return graph.rebuilt(ended.get(node, node) for node in graph.nodes if node not in absorbed)


@dataclass(frozen=True)
class _Ending:
    """A formula as the end of a product, value, that nobody else reads. beside: what else it reads."""

    value: Value
    formula: ElementwiseOp
    kind: EndKind
    beside: tuple[Value, ...]


def _ending(node: Node, producers: Mapping[Value, Node], readers: Mapping[Value, Sequence[Node]]) -> _Ending | None:
    """The end that a node is of a product; None for another node."""
    for value in node.inputs:
        product = producers.get(value)
        if product is None or not _may_end(product) or readers[value] != [node]:
            continue
        kind = _KINDS.get(_term(node, [_P if each is value else _Q for each in node.inputs]))
        beside = tuple(each for each in node.inputs if each is not value)
        shape = value.shape if kind == "mask" else value.shape[-1:]
        if kind is not None and isinstance(node.op, ElementwiseOp) and all(each.shape == shape for each in beside):
            return _Ending(value, node.op, kind, beside)
    return None


def _may_end(node: Node) -> bool:
    """True for a product, or a convolution of one group: small groups are not made in tiles."""
    return node.op.name in WITH_END and node.attributes.get("groups", 1) == 1


def _term(node: Node, names: Sequence[str]) -> _Term:
    """The tree of a formula whose inputs have these names; None for another op."""
    if not isinstance(node.op, ElementwiseOp) or len(names) != len(node.inputs) or len(node.outputs) != 1:
        return None
    terms: list[_Term] = [*names]
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
