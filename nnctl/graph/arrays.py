"""The arrays of a net that outlive a step: those that are trained, and those that layers keep."""

from __future__ import annotations

from nnctl.components.base import Initializer, Regularizer
from nnctl.components.builder import UnitView
from nnctl.graph.ir import Value
from nnctl.late import dataclass


@dataclass(frozen=True, eq=False)
class Parameter:
    """A trained array and what is known of it beside its values."""

    value: Value
    layer: str
    kind: str
    fans: tuple[int, int]
    initializer: Initializer | None
    regularizer: Regularizer | None
    default: Initializer | None
    frozen: bool = False
    """Not trained: its layer, or one around it, says so."""
    view: UnitView | None = None
    """Of the weights by unit, where the last axis is not that of the units."""

    @property
    def units(self) -> UnitView:
        """The weights by unit."""
        return self.view or (self.shape, tuple(range(len(self.shape) - 1)))

    @property
    def name(self) -> str:
        return self.value.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape


@dataclass(frozen=True, eq=False)
class LayerState:
    """An array that a layer keeps from step to step: running statistics, recurrent state."""

    value: Value
    layer: str
    initial: float

    @property
    def name(self) -> str:
        return self.value.name
