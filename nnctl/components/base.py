"""The base class of each kind of component, all in one place to import from.

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

from nnctl.components.kinds.columns import Column
from nnctl.components.kinds.costs import Cost, ElementwiseCost
from nnctl.components.kinds.data import Augmentation, DataSource, Expansion, Transform
from nnctl.components.kinds.formulas import Array, Namespace
from nnctl.components.kinds.metrics import MeanMetric, Metric, StepMetric, Task
from nnctl.components.kinds.net import Activation, ElementwiseActivation, Initializer, Layer, Regularizer
from nnctl.components.kinds.optimizers import Clipping, MonitoredSchedule, Optimizer, Schedule
from nnctl.components.kinds.pruning import Pruner
from nnctl.components.kinds.running import BackendComponent, Distribution, Sampler

__all__ = [
    "Activation", "Array", "Augmentation", "BackendComponent", "Clipping", "Column", "Cost", "DataSource",
    "Distribution", "ElementwiseActivation", "ElementwiseCost", "Expansion", "Initializer", "Layer", "MeanMetric",
    "Metric", "MonitoredSchedule", "Namespace", "Optimizer", "Pruner", "Regularizer", "Sampler", "Schedule",
    "StepMetric", "Task", "Transform",
]  # fmt: skip
