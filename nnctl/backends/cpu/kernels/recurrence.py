"""The plain recurrent cell and the leaky one over a sequence: `nnctl.ops` says what they compute, `scan` how."""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.backends.cpu.gemm.product import product_scratch
from nnctl.backends.cpu.kernels.layout import copy, fill
from nnctl.backends.cpu.kernels.scan import (
    add,
    add_product_back,
    add_state_product,
    at,
    earlier,
    flag,
    is_skipped,
    moment,
    of_step,
    optional,
    times_relu_slope,
    times_tanh_slope,
    to_relu,
    to_tanh,
    write_scan,
)
from nnctl.plan.plan import Launch


@compiled
def rnn(p: Any, weight: Any, first: Any, mask: Any, relu: Any, reverse: Any, scratch: Any, h: Any) -> None:
    """h_t ← f(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = moment(s, steps, reverse)
        of_step(p, t, h)
        add_state_product(first, h, t, last, weight, units, h, scratch)
        for i in range(rows):
            state = at(h, i, t, 0, units)
            if is_skipped(mask, i, t):
                copy(earlier(first, h, i, last), state)
            elif relu:
                to_relu(state)
            else:
                to_tanh(state)


@compiled
def leaky_rnn(p: Any, weight: Any, first: Any, leak: Any, scratch: Any, h: Any) -> None:
    """h_t ← (1 − α)h_{t−1} + α·tanh(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    for t in range(steps):
        of_step(p, t, h)
        add_state_product(first, h, t, t - 1, weight, units, h, scratch)
        for i in range(rows):
            state, before = at(h, i, t, 0, units), earlier(first, h, i, t - 1)
            to_tanh(state)
            for j in range(units):
                state[j] = (F(1.0) - leak) * before[j] + leak * state[j]


@compiled
def rnn_gradient(h: Any, weight: Any, g: Any, mask: Any, relu: Any, reverse: Any, scratch: Any, outputs: Any) -> None:
    """(∂C/∂p, ∂C/∂(first state)) from g = ∂C/∂h."""
    dp, dh = outputs
    rows, steps, units = h.shape
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, _ = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, gradient = window1(dh, i * units, units), at(dp, i, t, 0, units)
            add(at(g, i, t, 0, units), state)
            if is_skipped(mask, i, t):
                fill(gradient, F(0.0))
                continue
            copy(state, gradient)
            if relu:
                times_relu_slope(at(h, i, t, 0, units), gradient)
            else:
                times_tanh_slope(at(h, i, t, 0, units), gradient)
            fill(state, F(0.0))
        add_product_back(dp, t, units, weight, F(1.0), dh, scratch)


def _scratch(launch: Launch) -> int:
    """Of the product with the state."""
    rows, _, units = launch.inputs[0].shape
    return product_scratch(rows, units, transposed=False)


@emits("rnn", "rnn_gradient", calls=(rnn, rnn_gradient), scratch=_scratch, rows=True, full=(1,))
def _rnn(writer: Writer, launch: Launch) -> None:
    sequence, weight, other, *mask = launch.inputs
    flags = [str(int(launch.attributes["activation"] == "relu")), flag(launch, "reverse")]
    write_scan(writer, launch, launch.op.name, [sequence, weight, other, optional(mask)], flags)


@emits("leaky_rnn", calls=(leaky_rnn,), scratch=_scratch, rows=True, full=(1,))
def _leaky_rnn(writer: Writer, launch: Launch) -> None:
    leak = writer.number(float(launch.attributes["leak"]))
    write_scan(writer, launch, "leaky_rnn", launch.inputs, [leak])
