"""The base of step metrics that are norms of arrays."""

from __future__ import annotations

from typing import Any

from nnctl.components.base import Array, Namespace, StepMetric
from nnctl.components.builder import Builder
from nnctl.components.norms import norm


def norm_of(builder: Builder, tensor: Any) -> Any:
    """The root of the sum of all squares, ()."""

    def square(xp: Namespace, a: Array) -> Array:
        return xp.square(a)

    total = builder.apply("sum", builder.formula("square", square, tensor), axes=tuple(range(len(tensor.shape))))
    return norm(builder, tensor, total)


class Norms(StepMetric):
    """A norm for each parameter of one kind."""

    @property
    def measured(self) -> str:
        """The kind of parameter: "weight" or "bias"."""
        raise NotImplementedError

    @property
    def column(self) -> str:
        return f"{self.type} of each {self.measured}"

    def measures(self, kind: str) -> bool:
        return kind == self.measured
