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
from typing import Any, ClassVar

from nnctl.backends.codegen import relu_masks
from nnctl.backends.codegen.relu_masks import Term, term_of
from nnctl.backends.cuda.calls import Call, ProductPrecision
from nnctl.backends.cuda.kernels.ends import WITH_END, End, EndKind
from nnctl.graph.ir import Graph, Node, Value
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Attributes, Op
from nnctl.plan.plan import Launch

_P, _Q = "product", "beside"
_RELU: Term = ("maximum", 0.0, _P)
_SUMS: tuple[Term, ...] = (("add", _P, _Q), ("add", _Q, _P))
_MASK: Term = ("where", ("greater", _Q, 0.0), 1.0, 0.0)
_KINDS: Mapping[Term, EndKind] = {
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
    producers, readers = graph.producers, graph.readers

    def ends(made: Node) -> bool:
        end = _ending(made, producers, readers)
        return _may_end(made) or (end is not None and end.kind == "bias")

    return relu_masks.masked_by_results(graph, ends)


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
        kind = _KINDS.get(term_of(node, [_P if each is value else _Q for each in node.inputs]))
        beside = tuple(each for each in node.inputs if each is not value)
        shape = value.shape if kind == "mask" else value.shape[-1:]
        if kind is not None and isinstance(node.op, ElementwiseOp) and all(each.shape == shape for each in beside):
            return _Ending(value, node.op, kind, beside)
    return None


def _may_end(node: Node) -> bool:
    """True for a product, or a convolution of one group: small groups are not made in tiles."""
    return node.op.name in WITH_END and node.attributes.get("groups", 1) == 1
