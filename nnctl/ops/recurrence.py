"""Recurrent cells over a full sequence, one fused op each way.

A cell's product with its inputs is one big `matmul` outside; what comes here
is its result p (batch, time, gates·units), and the op scans the steps with
the recurrent weights. It keeps what the way back needs, so that the gradient
op scans back once and hands out the gradient of p. That of the recurrent
weights is again one big `matmul`, of all states with all gradients.

Fused and not unrolled into the graph, because a backend's kernel can then
keep the weights in cache and the loop in one function, and because the graph
does not grow with the sequence. The gradient ops are differentiated by
unrolling (`unrolling.py`), which only second-order methods ask for.

All take: `reverse`, from the last step to the first; an optional last input,
the mask (batch, time) of indices: where it is 0 the step is skipped, the
state stays. Outputs at a skipped step repeat the state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.ops.shapes import TensorType, product, show
from nnctl.ops.table import Sample, op
from nnctl.ops.unrolling import unrolled_gradients


def order(steps: int, reverse: bool) -> list[tuple[int, int | None]]:
    """Steps in the order of the scan: (t, the step before it or None for the first)."""
    scan = list(range(steps))[:: -1 if reverse else 1]
    return list(zip(scan, [None, *scan]))


def sigmoid(xp: Any, z: Any) -> Any:
    """1/(1 + e^-z), in the form that cannot overflow."""
    return 0.5 + 0.5 * xp.tanh(0.5 * z)


def gate_slices(x: Any, units: int, count: int) -> list[Any]:
    """Slices of x (batch, count·units), one a gate, each (batch, units)."""
    return [x[:, k * units : (k + 1) * units] for k in range(count)]


def in_time(results: dict[int, Any]) -> list[Any]:
    """Results of all steps, in the order of time."""
    return [results[t] for t in sorted(results)]


def skipped(xp: Any, mask: Sequence[Any], t: int) -> Any:
    """The mask of skipped examples at step t, (batch, 1); None without a mask."""
    return xp.equal(mask[0][:, t, None], 0.0) if mask else None


def kept(xp: Any, skip: Any, old: Any, new: Any) -> Any:
    """The new state, or the old one where the step is skipped."""
    return new if skip is None else xp.where(skip, old, new)


def split(xp: Any, skip: Any, gradient: Any) -> tuple[Any, Any]:
    """A state's gradient as (that of what the step computed, that of the state before it where the step is skipped)."""
    if skip is None:
        return gradient, None
    return xp.where(skip, 0.0, gradient), xp.where(skip, gradient, 0.0)


def joined(first: Any, second: Any) -> Any:
    """The sum of two gradients; the second may be absent."""
    return first if second is None else first + second


def check_cell(p: TensorType, weight: TensorType, states: Sequence[TensorType], mask: Sequence[TensorType],
               gates: int) -> int:  # fmt: skip
    """The number of units. Raises ValueError where the shapes are not those of a cell with so many gates."""
    units: Any = weight.shape[0]
    if len(p.shape) != 3 or weight.shape != (units, gates * units) or p.shape[2] != gates * units:
        raise ValueError(f"a cell of {gates} gates cannot have inputs {show(p.shape)} and weights {show(weight.shape)}")
    for state in states:
        if state.shape != (p.shape[0], units):
            raise ValueError(f"a state of shape {show(state.shape)} is not ({p.shape[0]}, {units})")
    for m in mask:
        if m.shape != p.shape[:2]:
            raise ValueError(f"a mask of shape {show(m.shape)} is not one entry a step of {show(p.shape[:2])}")
    return int(units)


def scan_cost(p: TensorType, weight: TensorType, *_: TensorType, **__: Any) -> Any:
    """FLOPs of a scan: a product a step, and about 8 operations an element of the gates."""
    units: Any = weight.shape[0]
    return product((*p.shape, 2 * units + 8))


def weight_gradient(builder: Any, h: Any, first: Any, gradient: Any, *, reverse: bool) -> Any:
    """Σ over examples and steps of (state before the step)ᵀ·(gradient of the step's product)."""
    return outer(builder, before(builder, h, first, reverse=reverse), gradient)


def before(builder: Any, h: Any, first: Any, *, reverse: bool) -> Any:
    """The state before each step, (batch, time, units), from those after it and the first one."""
    batch, steps, units = h.shape
    start = builder.apply("reshape", first, shape=(batch, 1, units))
    if steps == 1:
        return start
    others = builder.apply("slice", h, axis=1, start=int(reverse), stop=steps - 1 + int(reverse))
    return builder.apply("concatenate", *((others, start) if reverse else (start, others)), axis=1)


def outer(builder: Any, left: Any, right: Any) -> Any:
    """Σ over examples and steps of leftᵀ·right, (units of left, units of right)."""
    batch, steps, _ = left.shape
    rows = [builder.apply("reshape", x, shape=(batch * steps, x.shape[2])) for x in (left, right)]
    return builder.apply("matmul", *rows, transpose_a=True)


def cell_sample(rng: Any, gates: int, states: int) -> tuple[list[Any], list[Any], bool]:
    """([inputs, weights, states…], [mask] or [], reverse) of a small cell."""
    # Tiny: the tests differentiate by every number, twice, through all steps.
    small = [(1, 3, 1), (2, 2, 1), (1, 1, 2), (2, 1, 1), (1, 2, 1), (1, 1, 1), (2, 1, 2)]
    batch, steps, units = [*small, (1, 2, 2)][rng.integers(8)]
    inputs = [rng.standard_normal((batch, steps, gates * units)), rng.standard_normal((units, gates * units))]
    inputs += [rng.standard_normal((batch, units)) for _ in range(states)]
    mask = [rng.integers(0, 2, size=(batch, steps))] if rng.integers(2) else []
    return inputs, mask, bool(rng.integers(2))


# -- the plain cell ----------------------------------------------------------------------


def _rnn_sample(rng: Any) -> Sample:
    inputs, mask, reverse = cell_sample(rng, 1, 1)
    return [*inputs, *mask], {"activation": ["tanh", "relu"][rng.integers(2)], "reverse": reverse}


def _rnn_type(p: TensorType, weight: TensorType, first: TensorType, *mask: TensorType, **_: Any) -> TensorType:
    check_cell(p, weight, [first], mask, 1)
    return TensorType(p.shape)


def _rnn_derivative(
    builder: Any, g: Any, h: Any, p: Any, weight: Any, first: Any, *mask: Any, activation: str, reverse: bool
) -> list[Any]:
    dp, dfirst = builder.apply_all("rnn_gradient", h, weight, g, *mask, activation=activation, reverse=reverse)
    return [dp, weight_gradient(builder, h, first, dp, reverse=reverse), dfirst, *(None for _ in mask)]


@op("rnn", type_rule=_rnn_type, derivative=_rnn_derivative, cost=scan_cost, sample=_rnn_sample)
def rnn(xp: Any, p: Any, weight: Any, first: Any, *mask: Any, activation: str, reverse: bool) -> Any:
    """h_t = f(p_t + h_{t−1}·R), f tanh or relu (Elman 1990); (batch, time, units)."""
    h, states = first, {}
    for t, _ in order(p.shape[1], reverse):
        z = p[:, t] + xp.matmul(h, weight)
        h = kept(xp, skipped(xp, mask, t), h, xp.tanh(z) if activation == "tanh" else xp.maximum(0.0, z))
        states[t] = h
    return xp.stack(in_time(states), axis=1)


def _rnn_gradient_type(h: TensorType, *_: TensorType, **__: Any) -> tuple[TensorType, ...]:
    return TensorType(h.shape), TensorType((h.shape[0], h.shape[2]))


def _rnn_gradient_sample(rng: Any) -> Sample:
    (p, weight, _, *mask), attributes = _rnn_sample(rng)
    return [p, weight, rng.standard_normal(p.shape), *mask], attributes


@op(
    "rnn_gradient",
    type_rule=_rnn_gradient_type,
    derivative=lambda builder, gradients, outputs, *inputs, **attributes: unrolled_gradients(
        rnn_gradient, builder, gradients, inputs, **attributes
    ),
    cost=scan_cost,
    sample=_rnn_gradient_sample,
)
def rnn_gradient(xp: Any, h: Any, weight: Any, g: Any, *mask: Any, activation: str, reverse: bool) -> tuple[Any, Any]:
    """∂C/∂p (batch, time, units) and ∂C/∂(first state), from ∂C/∂h: backpropagation through time."""
    dp = {}
    dh = xp.zeros_like(h[:, 0])
    for t, _ in reversed(order(h.shape[1], reverse)):
        skip = skipped(xp, mask, t)
        dh, passed = split(xp, skip, dh + g[:, t])
        a = h[:, t]
        slope = 1.0 - a * a if activation == "tanh" else xp.where(xp.greater(a, 0.0), 1.0, 0.0)
        dp[t] = dh * slope
        dh = joined(xp.matmul(dp[t], weight.T), passed)
    return xp.stack(in_time(dp), axis=1), dh
