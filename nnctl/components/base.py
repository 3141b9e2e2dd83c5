"""The base class of each kind of component.

Components describe; the compiler builds. A component that takes part in the
graph has a `build` method that receives a `Builder`, or a formula: a method
written once in array-API idiom against a namespace `xp` (`body(xp, z)`), from
which every backend gets its code.

A formula obeys four rules, so that it runs on NumPy in float32, float64 and
complex128, on CuPy, and under the tracer:
  - functions come from `xp`, and only those in `nnctl.ops.primitives`;
  - comparisons are `xp.greater(a, b)`, `xp.less`, `xp.equal`, never operators;
  - no Python branch on an array, no loop over one, no in-place assignment;
  - constants are Python floats.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from nnctl.components.kinds.costs import Cost, ElementwiseCost
from nnctl.components.kinds.data import Augmentation, DataSource, Expansion, Transform
from nnctl.components.kinds.formulas import Array, Namespace
from nnctl.components.kinds.metrics import MeanMetric, Metric, StepMetric, Task
from nnctl.components.kinds.net import Activation, ElementwiseActivation, Initializer, Layer, Regularizer
from nnctl.components.kinds.optimizers import Clipping, MonitoredSchedule, Optimizer, Schedule
from nnctl.components.registry import Component

__all__ = [
    "Activation", "Array", "Augmentation", "Backend", "Clipping", "Cost", "DataSource", "Distribution",
    "ElementwiseActivation", "ElementwiseCost", "Expansion", "Initializer", "Layer", "MeanMetric", "Metric",
    "MonitoredSchedule", "Namespace", "Optimizer", "Regularizer", "Schedule", "StepMetric", "Task", "Transform",
]  # fmt: skip


class Distribution(Component):
    """A distribution that a random sweep draws a value from."""

    kind: ClassVar[str] = "distribution"

    def quantile(self, u: float) -> object:
        """The value below which a share u of the draws lies, 0 ≤ u < 1."""
        raise NotImplementedError


class Backend(Component):
    """An executor of plans. The component lives in the executor's folder and loads nothing of it before `open`.

    rank: among those that can run a net, `auto` takes the highest. reference: of the one backend that judges
    all others, runs every net, and computes on the host's own NumPy arrays.
    """

    kind: ClassVar[str] = "backend"
    rank: ClassVar[int] = 0
    reference: ClassVar[bool] = False

    def obstacle(self) -> str | None:
        """The reason why it cannot be opened on this machine, e.g. "Numba is not installed"; None if it can."""
        return None

    def open(self, workers: int | None = None) -> Any:
        """The executor, a `nnctl.backends.contract.Backend`.

        workers: threads of the host that share a step at most, where the component's own fields do not say;
        its own choice if None.
        """
        raise NotImplementedError

    def sharing(self, workers: int) -> Self:
        """The same backend with so many workers at most; itself where it does not divide a step among any."""
        return self
