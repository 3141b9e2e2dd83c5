"""The scan of a sequence by a leaky reservoir.

A reservoir is as a rule not trained, so no fused way back is kept: where a gradient
is needed, the body is unrolled into the graph, which then grows with the sequence.
"""

from __future__ import annotations

from typing import Any

from nnctl.ops.recurrence import cell_sample, check_cell, scan_cost
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Sample, op
from nnctl.ops.unrolling import unrolled_gradients


def _type(p: TensorType, weight: TensorType, first: TensorType, *, leak: float) -> TensorType:
    check_cell(p, weight, [first], [], 1)
    return TensorType(p.shape)


def _sample(rng: Any) -> Sample:
    inputs, _, _ = cell_sample(rng, 1, 1)
    return inputs, {"leak": [0.3, 1.0][rng.integers(2)]}


def _derivative(builder: Any, g: Any, h: Any, p: Any, weight: Any, first: Any, *, leak: float) -> list[Any]:
    return unrolled_gradients(_scan, builder, [g], [p, weight, first], leak=leak)


def _scan(xp: Any, p: Any, weight: Any, first: Any, *, leak: float) -> tuple[Any]:
    h, states = first, []
    for t in range(p.shape[1]):
        h = (1.0 - leak) * h + leak * xp.tanh(p[:, t] + xp.matmul(h, weight))
        states.append(h)
    return (xp.stack(states, axis=1),)


@op("leaky_rnn", type_rule=_type, derivative=_derivative, cost=scan_cost, sample=_sample)
def leaky_rnn(xp: Any, p: Any, weight: Any, first: Any, *, leak: float) -> Any:
    """h_t = (1 − α)h_{t−1} + α·tanh(p_t + h_{t−1}·R) (Jaeger et al. 2007); (batch, time, units)."""
    return _scan(xp, p, weight, first, leak=leak)[0]
