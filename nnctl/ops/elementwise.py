"""Elementwise ops: one formula applied to every element, its inputs broadcast against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from nnctl.late import dataclass
from nnctl.ops.expression import Expression, trace
from nnctl.ops.shapes import TensorType, broadcast, product
from nnctl.ops.table import Attributes


@dataclass(frozen=True, eq=False)
class ElementwiseOp:
    """An op made from a formula.

    body: (xp, *inputs) -> array, or a tuple of arrays.
    rules: for each input (xp, gradient, *outputs, *inputs) -> gradient of that input;
        None where the derivative is to be taken from the body's own expression.
        Fewer rules than inputs: none is stated for the rest.
    component: the spec's component that the formula belongs to, if it has one.
    """

    name: str
    arity: int
    body: Callable[..., Any]
    rules: tuple[Callable[..., Any] | None, ...] = ()
    component: Any = None
    overwrites: ClassVar[bool] = True

    @cached_property
    def expression(self) -> Expression:
        """The traced body."""
        return trace(self.body, self.arity)

    @property
    def identity(self) -> Any:
        return self.expression

    def infer(self, inputs: Sequence[TensorType], attributes: Attributes) -> tuple[TensorType, ...]:
        shape = broadcast([t.shape for t in inputs])
        return (TensorType(shape),) * len(self.expression.results)

    def run(self, xp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
        results = self.body(xp, *inputs)
        return results if isinstance(results, tuple) else (results,)

    def gradients(
        self,
        builder: Any,
        gradients: Sequence[Any],
        outputs: Sequence[Any],
        inputs: Sequence[Any],
        attributes: Attributes,
    ) -> Sequence[Any]:
        return [
            self._gradient(builder, index, gradients, outputs, inputs) if builder.differentiable(tensor) else None
            for index, tensor in enumerate(inputs)
        ]

    def _gradient(
        self, builder: Any, index: int, gradients: Sequence[Any], outputs: Sequence[Any], inputs: Sequence[Any]
    ) -> Any:
        rule = self.rules[index] if index < len(self.rules) else None
        if rule is not None:
            body, operands = rule, [gradients[0], *outputs, *inputs]
        else:
            present = [0.0 if g is None else g for g in gradients]
            body, operands = self.expression.gradient(index), [*present, *inputs]
        name = f"{self.name}'"
        gradient = builder.formula(name, body, *operands)
        # It has the outputs' shape; where the input was repeated to that shape, the repetitions add up.
        return gradient if gradient is None else builder.apply("sum_to", gradient, shape=inputs[index].shape)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attributes: Attributes) -> Any:
        return product(outputs[0].shape) * len(self.expression.lines)


@lru_cache(maxsize=4096)
def from_expression(name: str, expression: Expression) -> ElementwiseOp:
    """The op that evaluates `expression`: what fusing several elementwise ops gives. The same one for equal ones."""
    return ElementwiseOp(name, expression.arity, expression)
