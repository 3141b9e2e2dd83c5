"""The plain recurrent cell and the leaky one over a sequence: `nnctl.ops` says what they compute, `scan` how."""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import pack, packed_product, window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.gemm.product import packed_size
from nnctl.backends.cpu.kernels.layout import copy, fill
from nnctl.backends.cpu.kernels.scan import (
    add,
    at,
    carved,
    flag,
    is_skipped,
    moment,
    of_example,
    optional,
    rest_of,
    room,
    write_scan,
)
from nnctl.backends.cpu.vectors.cells import leaky_rnn_tanh, rnn_relu, rnn_relu_back, rnn_tanh, rnn_tanh_back
from nnctl.plan.plan import Launch


@compiled
def rnn(p: Any, weight: Any, first: Any, mask: Any, relu: Any, reverse: Any, scratch: Any, h: Any) -> None:
    """h_t ← f(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    z, after = carved(scratch, 0, rows * units)
    states, after = carved(scratch, after, rows * units)
    packed = rest_of(scratch, after)
    pack(0, units, units, weight, units, packed)
    copy(window1(first, 0, first.size), states)
    ahead = -1 if reverse else 1
    for s in range(steps):
        t, _ = moment(s, steps, reverse)
        packed_product(rows, units, units, states, units, packed, F(0.0), z, units)
        for i in range(rows):
            of_input, of_state = at(p, i, t, 0, units), of_example(z, i, units)
            state, hidden = of_example(states, i, units), at(h, i, t, 0, units)
            if is_skipped(mask, i, t):
                copy(state, hidden)
            elif relu:
                rnn_relu(units, ahead, of_input, of_state, state, hidden)
            else:
                rnn_tanh(units, ahead, of_input, of_state, state, hidden)


@compiled
def leaky_rnn(p: Any, weight: Any, first: Any, leak: Any, scratch: Any, h: Any) -> None:
    """h_t ← (1 − α)h_{t−1} + α·tanh(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    z, after = carved(scratch, 0, rows * units)
    states, after = carved(scratch, after, rows * units)
    packed = rest_of(scratch, after)
    pack(0, units, units, weight, units, packed)
    copy(window1(first, 0, first.size), states)
    for t in range(steps):
        packed_product(rows, units, units, states, units, packed, F(0.0), z, units)
        for i in range(rows):
            state = of_example(states, i, units)
            of_input, of_state = at(p, i, t, 0, units), of_example(z, i, units)
            leaky_rnn_tanh(units, 1, leak, of_input, of_state, state, state, at(h, i, t, 0, units))


@compiled
def rnn_gradient(h: Any, weight: Any, g: Any, mask: Any, relu: Any, reverse: Any, scratch: Any, outputs: Any) -> None:
    """(∂C/∂p, ∂C/∂(first state)) from g = ∂C/∂h."""
    dp, dh = outputs
    rows, steps, units = h.shape
    d, after = carved(scratch, 0, rows * units)
    packed = rest_of(scratch, after)
    pack(1, units, units, weight, units, packed)
    states = window1(dh, 0, dh.size)
    fill(states, F(0.0))
    ahead = 1 if reverse else -1
    for s in range(steps):
        t, _ = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, of_h, hidden = of_example(states, i, units), at(g, i, t, 0, units), at(h, i, t, 0, units)
            kept, gradient = of_example(d, i, units), at(dp, i, t, 0, units)
            if is_skipped(mask, i, t):
                add(of_h, state)
                fill(kept, F(0.0))
                fill(gradient, F(0.0))
            elif relu:
                rnn_relu_back(units, ahead, hidden, of_h, state, kept, gradient)
            else:
                rnn_tanh_back(units, ahead, hidden, of_h, state, kept, gradient)
        packed_product(rows, units, units, d, units, packed, F(1.0), states, units)


def _scratch(launch: Launch) -> int:
    """Of sums, states and the packed weights."""
    rows, _, units = launch.inputs[0].shape
    return room(rows * units, rows * units) + packed_size(units, units)


@emits("rnn", "rnn_gradient", calls=(rnn, rnn_gradient), scratch=_scratch, rows=True, scans=True, full=(1,))
def _rnn(writer: Writer, launch: Launch) -> None:
    sequence, weight, other, *mask = launch.inputs
    flags = [str(int(launch.attributes["activation"] == "relu")), flag(launch, "reverse")]
    write_scan(writer, launch, launch.op.name, [sequence, weight, other, optional(mask)], flags)


@emits("leaky_rnn", calls=(leaky_rnn,), scratch=_scratch, rows=True, scans=True, full=(1,))
def _leaky_rnn(writer: Writer, launch: Launch) -> None:
    leak = writer.number(float(launch.attributes["leak"]))
    write_scan(writer, launch, "leaky_rnn", launch.inputs, [leak])
