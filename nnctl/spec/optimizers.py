"""First-order update rules."""

from __future__ import annotations

from typing import Annotated

from nnctl.spec.components import Array, Namespace, Optimizer
from nnctl.spec.fields import PositiveFloat
from nnctl.spec.registry import register


@register("optimizer", "sgd")
class Sgd(Optimizer):
    """Gradient descent."""

    learning_rate: Annotated[PositiveFloat, "η, the size of a step"] = 0.01

    def update(
        self, xp: Namespace, w: Array, g: Array, t: Array, scheduled: dict[str, Array], *slots: Array
    ) -> tuple[Array, ...]:
        return (w - scheduled["learning_rate"] * g,)
