"""The op table: what an op is, and how one enters.

An op is a row: name, type rule, reference body, derivative rule, FLOPs and a
sample for the tests that walk the table. The body is the definition; every
kernel of every backend is judged by it.

*Structured* ops (products, sums, gathers…) are registered here by name.
*Elementwise* ops are made from formulas (`elementwise.py`) and share their
interface `Op`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from nnctl.late import dataclass
from nnctl.ops.shapes import Shape, TensorType, product

Attributes: TypeAlias = Mapping[str, Any]
Sample: TypeAlias = tuple[Sequence[Any], Attributes]
"""Inputs (float64 or int64 arrays) and attributes of one call."""


class Op(Protocol):
    """The interface of ops, as nodes of a graph hold them."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> Any:
        """A key that is equal for ops that compute the same."""

    @property
    def overwrites(self) -> bool:
        """True where results may be written over inputs while they are computed."""

    def infer(self, inputs: Sequence[TensorType], attributes: Attributes) -> tuple[TensorType, ...]:
        """Types of the outputs. Raises ValueError with words on what does not fit."""

    def run(self, xp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
        """The outputs, by the reference body."""

    def gradients(
        self,
        builder: Any,
        gradients: Sequence[Any],
        outputs: Sequence[Any],
        inputs: Sequence[Any],
        attributes: Attributes,
    ) -> Sequence[Any]:
        """Gradients, one for each input: a new tensor, or None where there is none.

        gradients: of each output, None where the objective does not depend on it.
        """

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attributes: Attributes) -> Any:
        """Arithmetic operations of one call; may be symbolic in the batch."""


@dataclass(frozen=True, eq=False)
class StructuredOp:
    """A row of the table.

    type_rule: (*input types, **attributes) -> output type, or a tuple of them.
    body: (xp, *inputs, **attributes) -> array, or a tuple where the type rule gives one.
    derivative: (builder, gradient, output, *inputs, **attributes) -> a gradient or None for each input.
        Of several outputs it is given tuples: their gradients (None where the objective
        does not depend on one), and the outputs.
    cost: (*input types, **attributes) -> FLOPs; None: one an output element.
    sample: (numpy Generator) -> inputs and attributes for the tests.
    overwrites: True where the result may be written over the first input while it is computed.
    """

    name: str
    type_rule: Callable[..., TensorType | tuple[TensorType, ...]]
    body: Callable[..., Any]
    derivative: Callable[..., Sequence[Any]] | None
    cost: Callable[..., Any] | None
    sample: Callable[[Any], Sample]
    overwrites: bool = False

    @property
    def identity(self) -> str:
        return self.name

    def infer(self, inputs: Sequence[TensorType], attributes: Attributes) -> tuple[TensorType, ...]:
        types = self.type_rule(*inputs, **attributes)
        return types if isinstance(types, tuple) else (types,)

    def run(self, xp: Any, inputs: Sequence[Any], attributes: Attributes) -> tuple[Any, ...]:
        results = self.body(xp, *inputs, **attributes)
        return results if isinstance(results, tuple) else (results,)

    def gradients(
        self,
        builder: Any,
        gradients: Sequence[Any],
        outputs: Sequence[Any],
        inputs: Sequence[Any],
        attributes: Attributes,
    ) -> Sequence[Any]:
        if self.derivative is None:
            return [None] * len(inputs)
        if len(outputs) > 1:
            return self.derivative(builder, tuple(gradients), tuple(outputs), *inputs, **attributes)
        return self.derivative(builder, gradients[0], outputs[0], *inputs, **attributes)

    def flops(self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attributes: Attributes) -> Any:
        return self.cost(*inputs, **attributes) if self.cost else product(outputs[0].shape)


OPS: dict[str, StructuredOp] = {}


def op(
    name: str,
    *,
    type_rule: Callable[..., TensorType | tuple[TensorType, ...]],
    sample: Callable[[Any], Sample],
    derivative: Callable[..., Sequence[Any]] | None = None,
    cost: Callable[..., Any] | None = None,
    overwrites: bool = False,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the decorated reference body as the op `name`. Raises ValueError where the name is taken."""

    def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
        if name in OPS:
            raise ValueError(f"op {name!r} is registered twice")
        OPS[name] = StructuredOp(name, type_rule, body, derivative, cost, sample, overwrites)
        return body

    return decorate


def normalized_axes(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from 0, ascending."""
    return tuple(sorted(a % rank for a in axes))


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape after reducing over `axes`."""
    gone = normalized_axes(axes, len(shape))
    if keepdims:
        return tuple(1 if i in gone else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in gone)
