"""The op of sums over the positions of each example, of several formulas in one way through memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

from nnctl.graph.fusion import composed
from nnctl.graph.ir import Form, Node, Value
from nnctl.late import dataclass
from nnctl.ops.expression import Expression
from nnctl.ops.shapes import Shape, TensorType, broadcast, product
from nnctl.ops.table import Attributes


@dataclass(frozen=True, eq=False)
class ExampleSums:
    """Σ over positions of formulas of (batch, *positions, channels), each a result (batch, channels).

    expression: the formulas, of inputs that broadcast to that shape. scales: factors of the sums.
    """

    expression: Expression
    scales: tuple[float, ...]
    name: ClassVar[str] = "example_sums"
    overwrites: ClassVar[bool] = False

    @property
    def identity(self) -> Any:
        return self.name, self.expression, self.scales

    def infer(self, inputs: Sequence[TensorType], attributes: Attributes) -> tuple[TensorType, ...]:
        shape = broadcast([t.shape for t in inputs])
        return (TensorType((shape[0], shape[-1])),) * len(self.scales)

    def run(self, xp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
        shape = broadcast([x.shape for x in inputs])
        axes = tuple(range(1, len(shape) - 1))
        made = self.expression.evaluate(xp, *inputs)
        return tuple(
            scale * xp.sum(xp.broadcast_to(x, shape), axis=axes) for x, scale in zip(made, self.scales, strict=True)
        )

    def gradients(self, *_: Any) -> Sequence[Any]:
        raise TypeError(f"{self.name} is of graphs that are differentiated already")

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attributes: Attributes) -> Any:
        return product(broadcast([t.shape for t in inputs])) * (len(self.expression.lines) + len(self.scales))


_ITSELF = Expression(1, (), (0,))


@lru_cache(maxsize=4096)
def example_sums(expression: Expression, scales: tuple[float, ...]) -> ExampleSums:
    """The op. The same one for equal formulas and scales."""
    return ExampleSums(expression, scales)


def sum_of(value: Value, result: Value, scale: float, layer: str) -> Node:
    """The node of the sums of one value."""
    return Node(example_sums(_ITSELF, (scale,)), (value,), (result,), {}, layer)


def together(nodes: Sequence[Node]) -> Node:
    """One node for sums over one shape, none of which needs another."""
    inputs = tuple(dict.fromkeys(v for node in nodes for v in node.inputs))
    numbers = {v: i for i, v in enumerate(inputs)}
    parts = tuple([(sums_op(node), tuple([numbers[v] for v in node.inputs])) for node in nodes])
    outputs = tuple([v for node in nodes for v in node.outputs])
    return Node(_op_of_all(len(inputs), parts), inputs, outputs, {}, nodes[-1].layer)


@lru_cache(maxsize=4096)
def _op_of_all(arity: int, parts: tuple[tuple[ExampleSums, tuple[int, ...]], ...]) -> ExampleSums:
    """The op of several at once, each with the numbers of what it reads. By identity: equal layers have the same."""
    scales = tuple(scale for op, _ in parts for scale in op.scales)
    expressions = tuple((op.expression, given) for op, given in parts)
    return example_sums(composed(arity, expressions, tuple(range(arity, arity + len(scales)))), scales)


def sums_op(node: Node) -> ExampleSums:
    """The op of such a node. Raises TypeError for another."""
    if not isinstance(node.op, ExampleSums):
        raise TypeError(f"{node.op.name} is no sum over the positions of examples")
    return node.op


def summed_shape(node: Node) -> Shape:
    """The shape of the formulas that a node sums."""
    return _common(node.form)


@lru_cache(maxsize=4096)
def _common(form: Form) -> Shape:
    return broadcast([t.shape for t in form.inputs])
