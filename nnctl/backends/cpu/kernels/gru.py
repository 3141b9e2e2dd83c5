"""The gated recurrent unit over a sequence: `nnctl.ops` says what it computes, `scan` how."""

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
from nnctl.backends.cpu.vectors.cells import (
    gru_candidate,
    gru_candidate_back,
    gru_gates,
    gru_gates_back,
    gru_switches,
    gru_switches_back,
)
from nnctl.plan.plan import Launch


@compiled
def gru(p: Any, weight: Any, bias: Any, h0: Any, mask: Any, reverse: Any, scratch: Any, outputs: Any) -> None:
    """(h, gates), `reset_after`: the gates r, z, n and the state's part of n's sum side by side."""
    h, gates = outputs
    rows, steps, units = h.shape
    width = 3 * units
    z, after = carved(scratch, 0, rows * width)
    states, after = carved(scratch, after, rows * units)
    unused, after = carved(scratch, after, units)
    packed = rest_of(scratch, after)
    pack(0, width, units, weight, width, packed)
    copy(window1(h0, 0, h0.size), states)
    ahead = -1 if reverse else 1
    for s in range(steps):
        t, _ = moment(s, steps, reverse)
        packed_product(rows, width, units, states, units, packed, F(0.0), z, width)
        for i in range(rows):
            of_input, of_state, made = at(p, i, t, 0, width), of_example(z, i, width), at(gates, i, t, 0, 4 * units)
            state, h_t = of_example(states, i, units), at(h, i, t, 0, units)
            if is_skipped(mask, i, t):
                gru_gates(units, ahead, of_input, bias, of_state, state, unused, unused, made)
                copy(state, h_t)
            else:
                gru_gates(units, ahead, of_input, bias, of_state, state, state, h_t, made)


@compiled
def gru_reset_before(
    p: Any, weight: Any, bias: Any, h0: Any, mask: Any, reverse: Any, scratch: Any, outputs: Any
) -> None:
    """(h, gates), the reset gate applied to the state itself: the gates r, z, n side by side."""
    h, gates = outputs
    rows, steps, units = h.shape
    width = 3 * units
    z, after = carved(scratch, 0, rows * 2 * units)
    states, after = carved(scratch, after, rows * units)
    kept, after = carved(scratch, after, rows * units)
    unused, after = carved(scratch, after, units)
    of_switches, of_candidate = halves(rest_of(scratch, after))
    pack(0, 2 * units, units, weight, width, of_switches)
    pack(0, units, units, window1(weight, 2 * units, weight.size - 2 * units), width, of_candidate)
    copy(window1(h0, 0, h0.size), states)
    ahead = -1 if reverse else 1
    for s in range(steps):
        t, _ = moment(s, steps, reverse)
        packed_product(rows, 2 * units, units, states, units, of_switches, F(0.0), z, 2 * units)
        for i in range(rows):
            gru_switches(
                units, ahead, at(p, i, t, 0, width), bias, of_example(z, i, 2 * units), of_example(states, i, units),
                of_example(kept, i, units), at(gates, i, t, 0, width),
            )  # fmt: skip
        packed_product(rows, units, units, kept, units, of_candidate, F(0.0), z, units)
        for i in range(rows):
            of_input, of_state, made = at(p, i, t, 0, width), of_example(z, i, units), at(gates, i, t, 0, width)
            state, h_t = of_example(states, i, units), at(h, i, t, 0, units)
            if is_skipped(mask, i, t):
                gru_candidate(units, ahead, of_input, bias, of_state, state, unused, unused, made)
                copy(state, h_t)
            else:
                gru_candidate(units, ahead, of_input, bias, of_state, state, state, h_t, made)


@compiled
def gru_gradient(
    gates: Any, weight: Any, h: Any, h0: Any, of_h: Any, of_gates: Any, mask: Any, reverse: Any, scratch: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂s, ∂C/∂(first h)), `reset_after`; s is the state's part of the sums."""
    dp, ds, dh = outputs
    rows, steps, units = h.shape
    width = 3 * units
    d, after = carved(scratch, 0, rows * width)
    zeros, after = carved(scratch, after, 4 * units)
    packed = rest_of(scratch, after)
    pack(1, units, width, weight, width, packed)
    states = window1(dh, 0, dh.size)
    fill(states, F(0.0))
    fill(zeros, F(0.0))
    ahead = 1 if reverse else -1
    for s in range(steps):
        t, last = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, g, before = of_example(states, i, units), at(gates, i, t, 0, 4 * units), earlier(h0, h, i, last)
            to_h, to_gates = or_zeros(of_h, i, t, zeros), or_zeros(of_gates, i, t, zeros)
            kept, ds_t, dp_t = of_example(d, i, width), at(ds, i, t, 0, width), at(dp, i, t, 0, width)
            if is_skipped(mask, i, t):
                add(to_h, state)
                gru_gates_back(units, ahead, g, before, zeros, to_gates, zeros, kept, ds_t, dp_t)
            else:
                gru_gates_back(units, ahead, g, before, to_h, to_gates, state, kept, ds_t, dp_t)
        packed_product(rows, units, width, d, width, packed, F(1.0), states, units)


@compiled
def gru_gradient_reset_before(
    gates: Any, weight: Any, h: Any, h0: Any, of_h: Any, of_gates: Any, mask: Any, reverse: Any, scratch: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂s, ∂C/∂(first h)), the reset gate applied to the state itself; both sums have the same gradient."""
    dp, ds, dh = outputs
    rows, steps, units = h.shape
    width = 3 * units
    d, after = carved(scratch, 0, rows * width)
    through, after = carved(scratch, after, rows * units)
    zeros, after = carved(scratch, after, width)
    of_switches, of_candidate = halves(rest_of(scratch, after))
    pack(1, units, 2 * units, weight, width, of_switches)
    pack(1, units, units, window1(weight, 2 * units, weight.size - 2 * units), width, of_candidate)
    states = window1(dh, 0, dh.size)
    fill(states, F(0.0))
    fill(zeros, F(0.0))
    ahead = 1 if reverse else -1
    for s in range(steps):
        t, last = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, g, before = of_example(states, i, units), at(gates, i, t, 0, width), earlier(h0, h, i, last)
            to_h, to_gates = or_zeros(of_h, i, t, zeros), or_zeros(of_gates, i, t, zeros)
            kept, ds_t, dp_t = of_example(d, i, width), at(ds, i, t, 0, width), at(dp, i, t, 0, width)
            if is_skipped(mask, i, t):
                add(to_h, state)
                gru_candidate_back(units, ahead, g, before, zeros, to_gates, zeros, kept, ds_t, dp_t)
            else:
                gru_candidate_back(units, ahead, g, before, to_h, to_gates, state, kept, ds_t, dp_t)
        candidates = window1(d, 2 * units, d.size - 2 * units)
        packed_product(rows, units, units, candidates, width, of_candidate, F(0.0), through, units)
        for i in range(rows):
            gru_switches_back(
                units, ahead, at(gates, i, t, 0, width), earlier(h0, h, i, last), of_example(through, i, units),
                or_zeros(of_gates, i, t, zeros), of_example(states, i, units), of_example(d, i, width),
                at(ds, i, t, 0, width), at(dp, i, t, 0, width),
            )  # fmt: skip
        packed_product(rows, units, 2 * units, d, width, of_switches, F(1.0), states, units)


@compiled
def halves(x: Any) -> Any:
    """An array's two halves, the second beginning on a cache line."""
    half = x.size // 32 * 16
    return window1(x, 0, half), window1(x, half, half)


def _scratch(launch: Launch) -> int:
    """Of sums, states, what the reset gate leaves of them, and the packed weights, whole or in two halves."""
    p, weight = launch.inputs[:2]
    rows, (units, width) = p.shape[0], weight.shape
    packed = max(packed_size(width, units), 2 * packed_size(2 * units, units) + 32)
    return room(rows * width, rows * units, rows * units, units) + packed


def _variant(launch: Launch) -> str:
    return launch.op.name if launch.attributes["reset_after"] else f"{launch.op.name}_reset_before"


@emits("gru", calls=(gru, gru_reset_before), scratch=_scratch, rows=True, scans=True, full=(1, 2))
def _gru(writer: Writer, launch: Launch) -> None:
    p, weight, bias, h, *mask = launch.inputs
    write_scan(writer, launch, _variant(launch), [p, weight, bias, h, optional(mask)], [flag(launch, "reverse")])


def _gradient_scratch(launch: Launch) -> int:
    """Of the sums' gradients, what goes through the reset gate, zeros, and the packed weights."""
    gates, weight = launch.inputs[:2]
    rows, (units, width) = gates.shape[0], weight.shape
    packed = max(packed_size(units, width), 2 * packed_size(units, 2 * units) + 32)
    return room(rows * width, rows * units, 4 * units) + packed


@emits(
    "gru_gradient",
    calls=(gru_gradient, gru_gradient_reset_before),
    scratch=_gradient_scratch,
    rows=True,
    scans=True,
    full=(1,),
)
def _gru_gradient(writer: Writer, launch: Launch) -> None:
    gates, weight, h, h0, *rest = launch.inputs
    read = [gates, weight, h, h0, *gradients_given(launch, rest, ("h", "gates"))]
    write_scan(writer, launch, _variant(launch), read, [flag(launch, "reverse")])
