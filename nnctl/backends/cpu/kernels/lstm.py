"""The long short-term memory over a sequence: `nnctl.ops` says what it computes, `scan` how."""

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
    add_product,
    add_product_back,
    add_state_product,
    at,
    earlier,
    flag,
    gradients_given,
    is_skipped,
    moment,
    of_step,
    optional,
    product,
    scale,
    tanh_of,
    times_sigmoid_slope,
    times_tanh_slope,
    to_sigmoid,
    to_tanh,
    write_scan,
)
from nnctl.plan.plan import Launch


@compiled
def lstm(p: Any, weight: Any, h0: Any, c0: Any, mask: Any, reverse: Any, scratch: Any, outputs: Any) -> None:
    """(h, c, gates); the gates i, f, g, o side by side."""
    h, c, gates = outputs
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = moment(s, steps, reverse)
        of_step(p, t, gates)
        add_state_product(h0, h, t, last, weight, 4 * units, gates, scratch)
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
    gates: Any, weight: Any, c: Any, c0: Any, of_h: Any, of_c: Any, of_gates: Any, mask: Any, reverse: Any,
    scratch: Any, outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂(first h), ∂C/∂(first c)) from the gradients of h, c and the gates, None where there is none."""
    dp, dh, dc = outputs
    rows, steps, units = c.shape
    squashed, rest = window1(scratch, 0, units), window1(scratch, units, scratch.size - units)
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


def _scratch(launch: Launch) -> int:
    """Of the product with the state."""
    p, weight = launch.inputs[:2]
    return product_scratch(p.shape[0], weight.shape[0], transposed=False)


@emits("lstm", calls=(lstm,), scratch=_scratch, rows=True, full=(1,))
def _lstm(writer: Writer, launch: Launch) -> None:
    p, weight, h, c, *mask = launch.inputs
    write_scan(writer, launch, "lstm", [p, weight, h, c, optional(mask)], [flag(launch, "reverse")])


def _gradient_scratch(launch: Launch) -> int:
    """Of a cell's tanh, and of the product back."""
    gates, weight = launch.inputs[:2]
    return weight.shape[0] + product_scratch(gates.shape[0], weight.shape[1], transposed=False)


@emits("lstm_gradient", calls=(lstm_gradient,), scratch=_gradient_scratch, rows=True, full=(1,))
def _lstm_gradient(writer: Writer, launch: Launch) -> None:
    gates, weight, c, c0, *rest = launch.inputs
    read = [gates, weight, c, c0, *gradients_given(launch, rest, ("h", "c", "gates"))]
    write_scan(writer, launch, "lstm_gradient", read, [flag(launch, "reverse")])
