"""Updates that a matrix product can make by itself: W ← β·W + α·A·B, without ever storing the gradient."""

from __future__ import annotations

from functools import lru_cache
from itertools import count
from typing import Any

from nnctl.graph.ir import Graph, Node, Value
from nnctl.late import dataclass
from nnctl.ops import OPS
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Expression, Recorder
from nnctl.ops.shapes import TensorType


def accumulate_products(graph: Graph) -> Graph:
    """Let a product make an update that is linear in the weights and in it, where nothing else reads the product.

    Gradient descent with L2 is: w − η(g + λ/n·w) = (1 − ηλ/n)·w − η·AᵀD.
    """
    producers = graph.producers
    readers = graph.readers
    results = set(graph.results)
    olds = {new: old for old, new in graph.updates.items()}
    absorbed: set[Node] = set()
    replacements: dict[Node, tuple[Node, ...]] = {}
    for node in graph.nodes:
        if not isinstance(node.op, ElementwiseOp) or len(node.outputs) != 1 or node.outputs[0] not in olds:
            continue
        weights = olds[node.outputs[0]]
        products = [
            v for v in node.inputs
            if v in producers and producers[v].op.name == "matmul" and v.shape == weights.shape
            and readers[v] == [node] and v not in results
        ]  # fmt: skip
        if weights not in node.inputs or len(products) != 1:
            continue
        made = _accumulated(node, node.op.expression, weights, producers[products[0]])
        if made is not None:
            replacements[node] = made
            absorbed.add(producers[products[0]])
    nodes = [n for node in graph.nodes if node not in absorbed for n in replacements.get(node, (node,))]
    return graph.rebuilt(nodes)


def _accumulated(update: Node, expression: Expression, weights: Value, product: Node) -> tuple[Node, ...] | None:
    """The scalars' node and the product's, or None where the update is not linear."""
    made = product.outputs[0]
    terms = tuple(["w" if v is weights else "p" if v is made else "s" if v.shape == () else "" for v in update.inputs])
    scale = _scales(expression, terms)
    if scale is None:
        return None
    op = from_expression(f"{update.op.name}_scales", scale)
    used = tuple(v for v in update.inputs if v.shape == ())
    scalars = tuple(Value(f"{weights.name}.{name}", TensorType(())) for name in ("alpha", "beta"))
    return (
        Node(op, used, scalars, {}, update.layer),
        Node(
            OPS["accumulate_product"], (weights, *product.inputs, *scalars), update.outputs, product.attributes,
            update.layer,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class _Linear:
    """of_weights·w + of_product·p + rest; each a number or a traced scalar."""

    of_weights: Any
    of_product: Any
    rest: Any

    @property
    def is_scalar(self) -> bool:
        return _is_zero(self.of_weights) and _is_zero(self.of_product)


def _is_zero(value: Any) -> bool:
    return isinstance(value, float) and value == 0.0


@lru_cache(maxsize=256)
def _scales(expression: Expression, terms: tuple[str, ...]) -> Expression | None:
    """(α, β) as an expression of the update's scalar inputs, if the update is β·w + α·p.

    terms: of each input whether it is w, p or a scalar, s.
    """
    recorder = Recorder(terms.count("s"))
    values: list[_Linear] = []
    scalars = count()
    for term in terms:
        match term:
            case "w":
                values.append(_Linear(1.0, 0.0, 0.0))
            case "p":
                values.append(_Linear(0.0, 1.0, 0.0))
            case "s":
                values.append(_Linear(0.0, 0.0, recorder.value(next(scalars))))
            case _:
                return None
    for line in expression.lines:
        arguments = [values[a] if isinstance(a, int) else _Linear(0.0, 0.0, a) for a in line.arguments]
        linear = _line(recorder, line.primitive, arguments)
        if linear is None:
            return None
        values.append(linear)
    reference = expression.results[0]
    if not isinstance(reference, int) or not _is_zero(values[reference].rest):
        return None
    result = values[reference]
    return recorder.finish([result.of_product, result.of_weights])


def _line(recorder: Recorder, primitive: str, arguments: list[_Linear]) -> _Linear | None:
    """A primitive of linear terms, None where the result is not linear."""
    if all(a.is_scalar for a in arguments):
        return _Linear(0.0, 0.0, recorder.call(primitive, *(a.rest for a in arguments)))
    pairs = ("of_weights", "of_product", "rest")
    first, second = (*arguments, None)[:2]
    match primitive:
        case "add" | "subtract" if first is not None and second is not None:
            return _Linear(*(recorder.call(primitive, getattr(first, p), getattr(second, p)) for p in pairs))
        case "negative" if first is not None:
            return _Linear(*(recorder.call("multiply", -1.0, getattr(first, p)) for p in pairs))
        case "multiply" if first is not None and second is not None and first.is_scalar:
            return _Linear(*(recorder.call("multiply", first.rest, getattr(second, p)) for p in pairs))
        case "multiply" | "divide" if first is not None and second is not None and second.is_scalar:
            return _Linear(*(recorder.call(primitive, getattr(first, p), second.rest) for p in pairs))
    return None
