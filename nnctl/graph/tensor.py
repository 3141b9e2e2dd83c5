"""A value in the hands of whoever builds: arithmetic on it makes nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nnctl.graph.ir import Value
from nnctl.ops.shapes import DType

if TYPE_CHECKING:
    from nnctl.graph.builder import GraphBuilder


class Tensor:
    """A value together with the builder that can compute with it."""

    __slots__ = ("builder", "value")

    def __init__(self, builder: GraphBuilder, value: Value) -> None:
        self.builder = builder
        self.value = value

    @property
    def shape(self) -> tuple[Any, ...]:
        return self.value.shape

    @property
    def dtype(self) -> DType:
        return self.value.type.dtype

    def __repr__(self) -> str:
        return f"Tensor({self.value!r})"

    def __add__(self, other: Any) -> Any:
        return self.builder.formula("add", lambda xp, a, b: a + b, self, other)

    def __radd__(self, other: Any) -> Any:
        return self.builder.formula("add", lambda xp, a, b: a + b, other, self)

    def __sub__(self, other: Any) -> Any:
        return self.builder.formula("subtract", lambda xp, a, b: a - b, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.builder.formula("subtract", lambda xp, a, b: a - b, other, self)

    def __mul__(self, other: Any) -> Any:
        return self.builder.formula("multiply", lambda xp, a, b: a * b, self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.builder.formula("multiply", lambda xp, a, b: a * b, other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.builder.formula("divide", lambda xp, a, b: a / b, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.builder.formula("divide", lambda xp, a, b: a / b, other, self)

    def __neg__(self) -> Any:
        return self.builder.formula("negative", lambda xp, a: -a, self)
