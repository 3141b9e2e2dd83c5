"""How the learning rate changes in time."""

from __future__ import annotations

from nnctl.spec.components import Schedule
from nnctl.spec.registry import register


@register("schedule", "constant")
class Constant(Schedule):
    """The optimizer's learning rate throughout."""

    formula = "η(t) = η"

    def factor_at(self, t: int, total: int) -> float:
        return 1.0
