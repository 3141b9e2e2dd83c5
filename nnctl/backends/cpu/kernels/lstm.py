"""The long short-term memory over a sequence: `nnctl.ops` says what it computes, `scan` how."""

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
    earlier,
    flag,
    gradients_given,
    is_skipped,
    moment,
    of_example,
    optional,
    or_zeros,
    rest_of,
    room,
    write_scan,
)
from nnctl.backends.cpu.vectors.cells import lstm_gates, lstm_gates_back
from nnctl.plan.plan import Launch


@compiled
def lstm(p: Any, weight: Any, h0: Any, c0: Any, mask: Any, reverse: Any, scratch: Any, outputs: Any) -> None:
    """(h, c, gates); the gates i, f, g, o side by side."""
    h, c, gates = outputs
    rows, steps, units = h.shape
    width = 4 * units
    z, after = carved(scratch, 0, rows * width)
    states, after = carved(scratch, after, rows * units)
    cells, after = carved(scratch, after, rows * units)
    unused, after = carved(scratch, after, units)
    packed = rest_of(scratch, after)
    pack(0, width, units, weight, width, packed)
    copy(window1(h0, 0, h0.size), states)
    copy(window1(c0, 0, c0.size), cells)
    ahead = -1 if reverse else 1
    for s in range(steps):
        t, _ = moment(s, steps, reverse)
        packed_product(rows, width, units, states, units, packed, F(0.0), z, width)
        for i in range(rows):
            of_input, of_state, made = at(p, i, t, 0, width), of_example(z, i, width), at(gates, i, t, 0, width)
            state, cell = of_example(states, i, units), of_example(cells, i, units)
            h_t, c_t = at(h, i, t, 0, units), at(c, i, t, 0, units)
            if is_skipped(mask, i, t):
                lstm_gates(units, ahead, of_input, of_state, cell, unused, unused, unused, unused, made)
                copy(state, h_t)
                copy(cell, c_t)
            else:
                lstm_gates(units, ahead, of_input, of_state, cell, cell, state, h_t, c_t, made)


@compiled
def lstm_gradient(
    gates: Any, weight: Any, c: Any, c0: Any, of_h: Any, of_c: Any, of_gates: Any, mask: Any, reverse: Any,
    scratch: Any, outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂(first h), ∂C/∂(first c)) from the gradients of h, c and the gates, None where there is none."""
    dp, dh, dc = outputs
    rows, steps, units = c.shape
    width = 4 * units
    d, after = carved(scratch, 0, rows * width)
    zeros, after = carved(scratch, after, width)
    packed = rest_of(scratch, after)
    pack(1, units, width, weight, width, packed)
    states, cells = window1(dh, 0, dh.size), window1(dc, 0, dc.size)
    fill(states, F(0.0))
    fill(cells, F(0.0))
    fill(zeros, F(0.0))
    ahead = 1 if reverse else -1
    for s in range(steps):
        t, last = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, cell = of_example(states, i, units), of_example(cells, i, units)
            g, c_t, before = at(gates, i, t, 0, width), at(c, i, t, 0, units), earlier(c0, c, i, last)
            to_h, to_c, to_gates = (
                or_zeros(of_h, i, t, zeros),
                or_zeros(of_c, i, t, zeros),
                or_zeros(of_gates, i, t, zeros),
            )
            kept, dp_t = of_example(d, i, width), at(dp, i, t, 0, width)
            if is_skipped(mask, i, t):
                add(to_h, state)
                add(to_c, cell)
                lstm_gates_back(units, ahead, g, c_t, before, zeros, zeros, to_gates, zeros, zeros, kept, dp_t)
            else:
                lstm_gates_back(units, ahead, g, c_t, before, to_h, to_c, to_gates, state, cell, kept, dp_t)
        packed_product(rows, units, width, d, width, packed, F(1.0), states, units)


def _scratch(launch: Launch) -> int:
    """Of sums, states, cells and the packed weights."""
    p, weight = launch.inputs[:2]
    rows, (units, width) = p.shape[0], weight.shape
    return room(rows * width, rows * units, rows * units, units) + packed_size(width, units)


@emits("lstm", calls=(lstm,), scratch=_scratch, rows=True, scans=True, full=(1,))
def _lstm(writer: Writer, launch: Launch) -> None:
    p, weight, h, c, *mask = launch.inputs
    write_scan(writer, launch, "lstm", [p, weight, h, c, optional(mask)], [flag(launch, "reverse")])


def _gradient_scratch(launch: Launch) -> int:
    """Of the sums' gradients, zeros and the packed weights."""
    gates, weight = launch.inputs[:2]
    units, width = weight.shape
    return room(gates.shape[0] * width, width) + packed_size(units, width)


@emits("lstm_gradient", calls=(lstm_gradient,), scratch=_gradient_scratch, rows=True, scans=True, full=(1,))
def _lstm_gradient(writer: Writer, launch: Launch) -> None:
    gates, weight, c, c0, *rest = launch.inputs
    read = [gates, weight, c, c0, *gradients_given(launch, rest, ("h", "c", "gates"))]
    write_scan(writer, launch, "lstm_gradient", read, [flag(launch, "reverse")])
