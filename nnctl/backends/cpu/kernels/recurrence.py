"""The plain and the LSTM cell over a whole sequence, compiled: `nnctl.ops` says what they compute, `walk` how."""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.kernels.library import compiled, copy, fill
from nnctl.backends.cpu.kernels.scan import (
    add,
    add_product,
    add_product_back,
    add_state_product,
    at,
    earlier,
    is_skipped,
    moment,
    of_step,
    product,
    scale,
    tanh_of,
    times_relu_slope,
    times_sigmoid_slope,
    times_tanh_slope,
    to_relu,
    to_sigmoid,
    to_tanh,
)


@compiled
def rnn(p: Any, weight: Any, first: Any, mask: Any, relu: Any, reverse: Any, room: Any, h: Any) -> None:
    """h_t ← f(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = moment(s, steps, reverse)
        of_step(p, t, h)
        add_state_product(first, h, t, last, weight, units, h, room)
        for i in range(rows):
            state = at(h, i, t, 0, units)
            if is_skipped(mask, i, t):
                copy(earlier(first, h, i, last), state)
            elif relu:
                to_relu(state)
            else:
                to_tanh(state)


@compiled
def leaky_rnn(p: Any, weight: Any, first: Any, leak: Any, room: Any, h: Any) -> None:
    """h_t ← (1 − α)h_{t−1} + α·tanh(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    for t in range(steps):
        of_step(p, t, h)
        add_state_product(first, h, t, t - 1, weight, units, h, room)
        for i in range(rows):
            state, before = at(h, i, t, 0, units), earlier(first, h, i, t - 1)
            to_tanh(state)
            for j in range(units):
                state[j] = (F(1.0) - leak) * before[j] + leak * state[j]


@compiled
def rnn_gradient(h: Any, weight: Any, g: Any, mask: Any, relu: Any, reverse: Any, room: Any, outputs: Any) -> None:
    """(∂C/∂p, ∂C/∂(first state)) from g = ∂C/∂h."""
    dp, dh = outputs
    rows, steps, units = h.shape
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, _ = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, own = window1(dh, i * units, units), at(dp, i, t, 0, units)
            add(at(g, i, t, 0, units), state)
            if is_skipped(mask, i, t):
                fill(own, F(0.0))
                continue
            copy(state, own)
            if relu:
                times_relu_slope(at(h, i, t, 0, units), own)
            else:
                times_tanh_slope(at(h, i, t, 0, units), own)
            fill(state, F(0.0))
        add_product_back(dp, t, units, weight, F(1.0), dh, room)


# -- long short-term memory --------------------------------------------------------------


@compiled
def lstm(p: Any, weight: Any, h0: Any, c0: Any, mask: Any, reverse: Any, room: Any, outputs: Any) -> None:
    """(h, c, gates); the gates i, f, g, o side by side."""
    h, c, gates = outputs
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = moment(s, steps, reverse)
        of_step(p, t, gates)
        add_state_product(h0, h, t, last, weight, 4 * units, gates, room)
        for i in range(rows):
            to_sigmoid(at(gates, i, t, 0, 2 * units))
            to_tanh(at(gates, i, t, 2 * units, units))
            to_sigmoid(at(gates, i, t, 3 * units, units))
            cell, hidden = at(c, i, t, 0, units), at(h, i, t, 0, units)
            if is_skipped(mask, i, t):
                copy(earlier(c0, c, i, last), cell)
                copy(earlier(h0, h, i, last), hidden)
                continue
            product(at(gates, i, t, units, units), earlier(c0, c, i, last), cell)
            add_product(at(gates, i, t, 0, units), at(gates, i, t, 2 * units, units), cell)
            tanh_of(cell, hidden)
            scale(at(gates, i, t, 3 * units, units), hidden)


@compiled
def lstm_gradient(
    gates: Any, weight: Any, c: Any, c0: Any, of_h: Any, of_c: Any, of_gates: Any, mask: Any, reverse: Any, room: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂(first h), ∂C/∂(first c)) from the gradients of h, c and the gates, None where there is none."""
    dp, dh, dc = outputs
    rows, steps, units = c.shape
    squashed, rest = window1(room, 0, units), window1(room, units, room.size - units)
    fill(window1(dh, 0, dh.size), F(0.0))
    fill(window1(dc, 0, dc.size), F(0.0))
    for s in range(steps):
        t, last = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            hidden, cell = window1(dh, i * units, units), window1(dc, i * units, units)
            if of_h is not None:
                add(at(of_h, i, t, 0, units), hidden)
            if of_c is not None:
                add(at(of_c, i, t, 0, units), cell)
            i_, f_, g_, o_ = (
                at(gates, i, t, 0, units), at(gates, i, t, units, units),
                at(gates, i, t, 2 * units, units), at(gates, i, t, 3 * units, units),
            )  # fmt: skip
            di, df, dg, do = (
                at(dp, i, t, 0, units), at(dp, i, t, units, units),
                at(dp, i, t, 2 * units, units), at(dp, i, t, 3 * units, units),
            )  # fmt: skip
            skip = is_skipped(mask, i, t)
            if skip:
                fill(at(dp, i, t, 0, 4 * units), F(0.0))
            else:
                tanh_of(at(c, i, t, 0, units), squashed)
                product(hidden, squashed, do)
                scale(o_, hidden)
                times_tanh_slope(squashed, hidden)
                add(hidden, cell)
                product(cell, g_, di)
                product(cell, earlier(c0, c, i, last), df)
                product(cell, i_, dg)
            if of_gates is not None:
                add(at(of_gates, i, t, 0, 4 * units), at(dp, i, t, 0, 4 * units))
            times_sigmoid_slope(i_, di)
            times_sigmoid_slope(f_, df)
            times_tanh_slope(g_, dg)
            times_sigmoid_slope(o_, do)
            if not skip:
                scale(f_, cell)
                fill(hidden, F(0.0))
        add_product_back(dp, t, 4 * units, weight, F(1.0), dh, rest)
