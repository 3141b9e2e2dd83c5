"""The gated recurrent unit over a sequence: `nnctl.ops` says what it computes, `scan` how."""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.decorators import compiled
from nnctl.backends.cpu.codegen.intrinsics import gemm, window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer
from nnctl.backends.cpu.gemm.product import product_scratch
from nnctl.backends.cpu.kernels.layout import copy, fill
from nnctl.backends.cpu.kernels.scan import (
    add,
    add_product,
    add_product_back,
    add_state_product,
    at,
    earlier,
    flag,
    gradients_given,
    is_skipped,
    mixed,
    moment,
    optional,
    product,
    scale,
    times_sigmoid_slope,
    times_tanh_slope,
    to_sigmoid,
    to_tanh,
    write_scan,
)
from nnctl.plan.plan import Launch


@compiled
def gru(p: Any, weight: Any, bias: Any, h0: Any, mask: Any, reverse: Any, scratch: Any, outputs: Any) -> None:
    """(h, gates), `reset_after`: the gates r, z, n and the state's part of n's sum side by side."""
    h, gates = outputs
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = moment(s, steps, reverse)
        for i in range(rows):
            copy(bias, at(gates, i, t, 0, 3 * units))
        add_state_product(h0, h, t, last, weight, 3 * units, gates, scratch)
        for i in range(rows):
            switches, n = at(gates, i, t, 0, 2 * units), at(gates, i, t, 2 * units, units)
            of_state = at(gates, i, t, 3 * units, units)
            copy(n, of_state)
            add(at(p, i, t, 0, 2 * units), switches)
            to_sigmoid(switches)
            scale(at(gates, i, t, 0, units), n)
            add(at(p, i, t, 2 * units, units), n)
            to_tanh(n)
            _next_state(h0, h, i, t, last, n, at(gates, i, t, units, units), mask)


@compiled
def gru_reset_before(
    p: Any, weight: Any, bias: Any, h0: Any, mask: Any, reverse: Any, scratch: Any, outputs: Any
) -> None:
    """(h, gates), the reset gate applied to the state itself: the gates r, z, n side by side."""
    h, gates = outputs
    rows, steps, units = h.shape
    size = rows * units
    kept, rest = window1(scratch, 0, size), window1(scratch, size, scratch.size - size)
    for s in range(steps):
        t, last = moment(s, steps, reverse)
        for i in range(rows):
            copy(bias, at(gates, i, t, 0, 3 * units))
            add(at(p, i, t, 0, 3 * units), at(gates, i, t, 0, 3 * units))
        add_state_product(h0, h, t, last, weight, 2 * units, gates, rest)
        for i in range(rows):
            to_sigmoid(at(gates, i, t, 0, 2 * units))
            product(at(gates, i, t, 0, units), earlier(h0, h, i, last), window1(kept, i * units, units))
        start = t * 3 * units + 2 * units
        gemm(
            0, 0, rows, units, units, F(1.0), kept, units, window1(weight, 2 * units, weight.size - 2 * units),
            3 * units, F(1.0), window1(gates, start, gates.size - start), steps * 3 * units, rest, 1, 0,
        )  # fmt: skip
        for i in range(rows):
            n = at(gates, i, t, 2 * units, units)
            to_tanh(n)
            _next_state(h0, h, i, t, last, n, at(gates, i, t, units, units), mask)


@compiled
def _next_state(h0: Any, h: Any, i: Any, t: Any, last: Any, n: Any, z: Any, mask: Any) -> None:
    """h_t ← (1 − z)∘n + z∘h_{t−1}, or h_{t−1} where the step is skipped."""
    state, before = at(h, i, t, 0, h.shape[2]), earlier(h0, h, i, last)
    if is_skipped(mask, i, t):
        copy(before, state)
    else:
        mixed(n, before, z, state)


@compiled
def gru_gradient(
    gates: Any, weight: Any, h: Any, h0: Any, of_h: Any, of_gates: Any, mask: Any, reverse: Any, scratch: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂s, ∂C/∂(first h)), `reset_after`; s is the state's part of the sums."""
    dp, ds, dh = outputs
    rows, steps, units = h.shape
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, last = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            r, of_state = at(gates, i, t, 0, units), at(gates, i, t, 3 * units, units)
            dr, dn, dsn = at(dp, i, t, 0, units), at(dp, i, t, 2 * units, units), at(ds, i, t, 2 * units, units)
            _candidate_gradient(gates, h, h0, i, t, last, of_h, of_gates, mask, dp, dh)
            product(dn, of_state, dr)
            product(dn, r, dsn)
            if of_gates is not None:
                add(at(of_gates, i, t, 0, units), dr)
                add(at(of_gates, i, t, 3 * units, units), dsn)
            times_sigmoid_slope(r, dr)
            copy(at(dp, i, t, 0, 2 * units), at(ds, i, t, 0, 2 * units))
        add_product_back(ds, t, 3 * units, weight, F(1.0), dh, scratch)


@compiled
def gru_gradient_reset_before(
    gates: Any, weight: Any, h: Any, h0: Any, of_h: Any, of_gates: Any, mask: Any, reverse: Any, scratch: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂s, ∂C/∂(first h)), the reset gate applied to the state itself; both sums have the same gradient."""
    dp, ds, dh = outputs
    rows, steps, units = h.shape
    size = rows * units
    through, rest = window1(scratch, 0, size), window1(scratch, size, scratch.size - size)
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, last = moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            _candidate_gradient(gates, h, h0, i, t, last, of_h, of_gates, mask, dp, dh)
        start = t * 3 * units + 2 * units
        gemm(
            0, 1, rows, units, units, F(1.0), window1(dp, start, dp.size - start), steps * 3 * units,
            window1(weight, 2 * units, weight.size - 2 * units), 3 * units, F(0.0), through, units, rest, 1, 0,
        )  # fmt: skip
        for i in range(rows):
            r, dr, back = at(gates, i, t, 0, units), at(dp, i, t, 0, units), window1(through, i * units, units)
            product(back, earlier(h0, h, i, last), dr)
            if of_gates is not None:
                add(at(of_gates, i, t, 0, units), dr)
            times_sigmoid_slope(r, dr)
            add_product(back, r, window1(dh, i * units, units))
            copy(at(dp, i, t, 0, 3 * units), at(ds, i, t, 0, 3 * units))
        add_product_back(dp, t, 2 * units, weight, F(1.0), dh, rest)


@compiled
def _candidate_gradient(
    gates: Any, h: Any, h0: Any, i: Any, t: Any, last: Any, of_h: Any, of_gates: Any, mask: Any, dp: Any, dh: Any
) -> None:
    """Of example i: dp's entries of z and n, and what of the state's gradient goes straight to the step before."""
    units = h.shape[2]
    z, n = at(gates, i, t, units, units), at(gates, i, t, 2 * units, units)
    state, before = window1(dh, i * units, units), earlier(h0, h, i, last)
    dz, dn = at(dp, i, t, units, units), at(dp, i, t, 2 * units, units)
    if of_h is not None:
        add(at(of_h, i, t, 0, units), state)
    if is_skipped(mask, i, t):
        fill(dz, F(0.0))
        fill(dn, F(0.0))
    else:
        for j in range(units):
            dz[j] = state[j] * (before[j] - n[j])
        for j in range(units):
            dn[j] = state[j] * (F(1.0) - z[j])
        scale(z, state)
    if of_gates is not None:
        add(at(of_gates, i, t, units, 2 * units), at(dp, i, t, units, 2 * units))
    times_sigmoid_slope(z, dz)
    times_tanh_slope(n, dn)


def _scratch(launch: Launch) -> int:
    """Of what the reset gate leaves of the states, and of the product with them."""
    p, weight = launch.inputs[:2]
    units = weight.shape[0]
    return p.shape[0] * units + product_scratch(p.shape[0], units, transposed=False)


def _variant(launch: Launch) -> str:
    return launch.op.name if launch.attributes["reset_after"] else f"{launch.op.name}_reset_before"


@emits("gru", calls=(gru, gru_reset_before), scratch=_scratch, rows=True, full=(1, 2))
def _gru(writer: Writer, launch: Launch) -> None:
    p, weight, bias, h, *mask = launch.inputs
    write_scan(writer, launch, _variant(launch), [p, weight, bias, h, optional(mask)], [flag(launch, "reverse")])


def _gradient_scratch(launch: Launch) -> int:
    """Of the gradient that goes through the reset gate, and of the product back."""
    gates, weight = launch.inputs[:2]
    rows, units = gates.shape[0], weight.shape[0]
    return rows * units + product_scratch(rows, weight.shape[1], transposed=False)


@emits("gru_gradient", calls=(gru_gradient, gru_gradient_reset_before), scratch=_gradient_scratch, rows=True, full=(1,))
def _gru_gradient(writer: Writer, launch: Launch) -> None:
    gates, weight, h, h0, *rest = launch.inputs
    read = [gates, weight, h, h0, *gradients_given(launch, rest, ("h", "gates"))]
    write_scan(writer, launch, _variant(launch), read, [flag(launch, "reverse")])
