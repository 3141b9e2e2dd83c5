"""Words on a run that fails by its numbers: which is no longer finite, why, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from nnctl.analysis.postmortem import non_finite, post_mortem
from nnctl.analysis.remedies import of_rate
from nnctl.engine.chunks import Chunk
from nnctl.engine.engine import Engine
from nnctl.errors import DataError, DivergedError
from nnctl.late import dataclass


@dataclass(frozen=True)
class Failing:
    """The errors of a run whose numbers are no longer finite, with what its data say of them.

    advise: lines on what to do where a run diverges at a learning rate. blame: the error for an example of a split
    whose cost is not finite, where it is the example's fault. rate: the learning rate of the last step.
    """

    advise: Callable[[float], str] = lambda rate: f"  {of_rate(rate)}"
    blame: Callable[[str], DataError | None] = lambda split: None

    def require_finite_state(self, state: Mapping[str, Any], step: int, rate: float) -> None:
        """Raise DivergedError where an array of the state holds what is no finite number, though every cost was one."""
        broken = non_finite(state, step)
        if broken is not None:
            raise DivergedError(f"{broken}\n{self.advise(rate)}")

    def require_finite_cost(self, cost: float, split: str, step: int, epoch: float, rate: float) -> None:
        """Raise DivergedError, or DataError, where the cost on a split that training does not see is not finite."""
        if math.isfinite(cost):
            return
        if (error := self.blame(split)) is not None:
            raise error
        raise DivergedError(
            f"the cost on the {split} split is {cost} after step {step} (epoch {epoch:g})\n"
            f"  every step's cost was finite: the net overflows on examples it was not trained on\n"
            f"{self.advise(rate)}"
        )

    def of_step(
        self, engine: Engine, chunk: Chunk, index: int, scheduled: Mapping[str, float], step: int, epoch: int
    ) -> DivergedError | DataError:
        """The error for the step of a chunk, at this index, whose cost is not finite. scheduled: its rates."""
        if (error := self.blame("train")) is not None:
            return error
        return DivergedError(
            f"the cost is no longer finite after step {step} (epoch {epoch})\n"
            f"{post_mortem(engine, chunk.examples, chunk.indices[index], scheduled, step)}\n"
            f"{self.advise(scheduled['learning_rate'])}"
        )
