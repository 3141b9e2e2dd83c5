"""Recurrent cells over a whole sequence, compiled: `nnctl.ops.recurrence` and `gated_recurrence` say what they compute.

A thread walks through time with its own examples, so threads never wait for one
another. At each step the product with the state is added to the inputs' part where
the gates are kept, and the gates are worked on in place: what a step touches stays
in the cache. Loops are short and write one array each, so that LLVM can prove them
free of overlaps and turn them into vectors.

Sequences (rows, time, width) and states (rows, width) are a thread's own examples.
mask (rows, time), or None. What a function writes comes last.
"""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.intrinsics import gemm, window1
from nnctl.backends.cpu.library import compiled, copy, fill
from nnctl.backends.cpu.mathematics import F, exp, tanh

# -- pieces of a step --------------------------------------------------------------------


@compiled
def _at(x: Any, i: Any, t: Any, first: Any, count: Any) -> Any:
    """Entries first … first + count − 1 of example i at step t."""
    return window1(x, (i * x.shape[1] + t) * x.shape[2] + first, count)


@compiled
def _add_state_product(first: Any, h: Any, t: Any, last: Any, weight: Any, columns: Any, z: Any, room: Any) -> None:
    """z_t[:, :columns] ← z_t[:, :columns] + h_last·weight[:, :columns]; the first state where last < 0."""
    units = h.shape[2]
    state = window1(first, 0, first.size) if last < 0 else window1(h, last * units, h.size - last * units)
    between = units if last < 0 else h.shape[1] * units
    width = z.shape[2]
    gemm(
        0, 0, h.shape[0], columns, units, F(1.0), state, between, weight, weight.shape[1], F(1.0),
        window1(z, t * width, z.size - t * width), h.shape[1] * width, room, 1, 0,
    )  # fmt: skip


@compiled
def _add_product_back(d: Any, t: Any, columns: Any, weight: Any, beta: Any, out: Any, room: Any) -> None:
    """out ← β·out + d_t[:, :columns]·weight[:, :columns]ᵀ; out (rows, units)."""
    width, units = d.shape[2], weight.shape[0]
    gemm(
        0, 1, d.shape[0], units, columns, F(1.0), window1(d, t * width, d.size - t * width), d.shape[1] * width,
        weight, weight.shape[1], beta, out, units, room, 1, 0,
    )  # fmt: skip


@compiled
def _add(x: Any, out: Any) -> None:
    """out ← out + x."""
    for j in range(out.size):
        out[j] += x[j]


@compiled
def _scale(x: Any, out: Any) -> None:
    """out ← out∘x."""
    for j in range(out.size):
        out[j] *= x[j]


@compiled
def _sigmoid(z: Any) -> None:
    """z ← σ(z). Where e^−z overflows the quotient is 0, as it should be."""
    for j in range(z.size):
        z[j] = F(1.0) / (F(1.0) + exp(-z[j]))


@compiled
def _tanh(z: Any) -> None:
    """z ← tanh z."""
    for j in range(z.size):
        z[j] = tanh(z[j])


@compiled
def _tanh_of(z: Any, out: Any) -> None:
    """out ← tanh z."""
    for j in range(out.size):
        out[j] = tanh(z[j])


@compiled
def _relu(z: Any) -> None:
    """z ← max(0, z); a NaN stays."""
    for j in range(z.size):
        z[j] = F(0.0) if z[j] < F(0.0) else z[j]


@compiled
def _times_sigmoid_slope(a: Any, out: Any) -> None:
    """out ← out∘a∘(1 − a)."""
    for j in range(out.size):
        out[j] *= a[j] * (F(1.0) - a[j])


@compiled
def _times_tanh_slope(a: Any, out: Any) -> None:
    """out ← out∘(1 − a²)."""
    for j in range(out.size):
        out[j] *= F(1.0) - a[j] * a[j]


@compiled
def _times_relu_slope(a: Any, out: Any) -> None:
    """out ← out where a > 0, else 0."""
    for j in range(out.size):
        out[j] = out[j] if a[j] > F(0.0) else F(0.0)


@compiled
def _product(x: Any, y: Any, out: Any) -> None:
    """out ← x∘y."""
    for j in range(out.size):
        out[j] = x[j] * y[j]


@compiled
def _add_product(x: Any, y: Any, out: Any) -> None:
    """out ← out + x∘y."""
    for j in range(out.size):
        out[j] += x[j] * y[j]


@compiled
def _mixed(x: Any, y: Any, z: Any, out: Any) -> None:
    """out ← (1 − z)∘x + z∘y."""
    for j in range(out.size):
        out[j] = (F(1.0) - z[j]) * x[j] + z[j] * y[j]


@compiled
def _of_step(x: Any, t: Any, out: Any) -> None:
    """out_t ← x_t for every example; out may be wider."""
    for i in range(x.shape[0]):
        copy(_at(x, i, t, 0, x.shape[2]), _at(out, i, t, 0, x.shape[2]))


@compiled
def _earlier(first: Any, h: Any, i: Any, last: Any) -> Any:
    """Example i's state before a step."""
    units = h.shape[2]
    return window1(first, i * units, units) if last < 0 else _at(h, i, last, 0, units)


@compiled
def _moment(s: Any, steps: Any, reverse: Any) -> Any:
    """(t, the step before it or −1) at turn s of the walk."""
    if reverse:
        return steps - 1 - s, (steps - s if s > 0 else -1)
    return s, s - 1


@compiled
def _is_skipped(mask: Any, i: Any, t: Any) -> Any:
    """Whether example i skips step t."""
    if mask is None:
        return False
    return mask[i, t] == 0


# -- the plain cell ----------------------------------------------------------------------


@compiled
def rnn(p: Any, weight: Any, first: Any, mask: Any, relu: Any, reverse: Any, room: Any, h: Any) -> None:
    """h_t ← f(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = _moment(s, steps, reverse)
        _of_step(p, t, h)
        _add_state_product(first, h, t, last, weight, units, h, room)
        for i in range(rows):
            state = _at(h, i, t, 0, units)
            if _is_skipped(mask, i, t):
                copy(_earlier(first, h, i, last), state)
            elif relu:
                _relu(state)
            else:
                _tanh(state)


@compiled
def leaky_rnn(p: Any, weight: Any, first: Any, leak: Any, room: Any, h: Any) -> None:
    """h_t ← (1 − α)h_{t−1} + α·tanh(p_t + h_{t−1}·R)."""
    rows, steps, units = h.shape
    for t in range(steps):
        _of_step(p, t, h)
        _add_state_product(first, h, t, t - 1, weight, units, h, room)
        for i in range(rows):
            state, before = _at(h, i, t, 0, units), _earlier(first, h, i, t - 1)
            _tanh(state)
            for j in range(units):
                state[j] = (F(1.0) - leak) * before[j] + leak * state[j]


@compiled
def rnn_gradient(h: Any, weight: Any, g: Any, mask: Any, relu: Any, reverse: Any, room: Any, outputs: Any) -> None:
    """(∂C/∂p, ∂C/∂(first state)) from g = ∂C/∂h."""
    dp, dh = outputs
    rows, steps, units = h.shape
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, _ = _moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            state, own = window1(dh, i * units, units), _at(dp, i, t, 0, units)
            _add(_at(g, i, t, 0, units), state)
            if _is_skipped(mask, i, t):
                fill(own, F(0.0))
                continue
            copy(state, own)
            if relu:
                _times_relu_slope(_at(h, i, t, 0, units), own)
            else:
                _times_tanh_slope(_at(h, i, t, 0, units), own)
            fill(state, F(0.0))
        _add_product_back(dp, t, units, weight, F(1.0), dh, room)


# -- long short-term memory --------------------------------------------------------------


@compiled
def lstm(p: Any, weight: Any, h0: Any, c0: Any, mask: Any, reverse: Any, room: Any, outputs: Any) -> None:
    """(h, c, gates); the gates i, f, g, o side by side."""
    h, c, gates = outputs
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = _moment(s, steps, reverse)
        _of_step(p, t, gates)
        _add_state_product(h0, h, t, last, weight, 4 * units, gates, room)
        for i in range(rows):
            _sigmoid(_at(gates, i, t, 0, 2 * units))
            _tanh(_at(gates, i, t, 2 * units, units))
            _sigmoid(_at(gates, i, t, 3 * units, units))
            cell, hidden = _at(c, i, t, 0, units), _at(h, i, t, 0, units)
            if _is_skipped(mask, i, t):
                copy(_earlier(c0, c, i, last), cell)
                copy(_earlier(h0, h, i, last), hidden)
                continue
            _product(_at(gates, i, t, units, units), _earlier(c0, c, i, last), cell)
            _add_product(_at(gates, i, t, 0, units), _at(gates, i, t, 2 * units, units), cell)
            _tanh_of(cell, hidden)
            _scale(_at(gates, i, t, 3 * units, units), hidden)


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
        t, last = _moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            hidden, cell = window1(dh, i * units, units), window1(dc, i * units, units)
            if of_h is not None:
                _add(_at(of_h, i, t, 0, units), hidden)
            if of_c is not None:
                _add(_at(of_c, i, t, 0, units), cell)
            i_, f_, g_, o_ = (
                _at(gates, i, t, 0, units), _at(gates, i, t, units, units),
                _at(gates, i, t, 2 * units, units), _at(gates, i, t, 3 * units, units),
            )  # fmt: skip
            di, df, dg, do = (
                _at(dp, i, t, 0, units), _at(dp, i, t, units, units),
                _at(dp, i, t, 2 * units, units), _at(dp, i, t, 3 * units, units),
            )  # fmt: skip
            skip = _is_skipped(mask, i, t)
            if skip:
                fill(_at(dp, i, t, 0, 4 * units), F(0.0))
            else:
                _tanh_of(_at(c, i, t, 0, units), squashed)
                _product(hidden, squashed, do)
                _scale(o_, hidden)
                _times_tanh_slope(squashed, hidden)
                _add(hidden, cell)
                _product(cell, g_, di)
                _product(cell, _earlier(c0, c, i, last), df)
                _product(cell, i_, dg)
            if of_gates is not None:
                _add(_at(of_gates, i, t, 0, 4 * units), _at(dp, i, t, 0, 4 * units))
            _times_sigmoid_slope(i_, di)
            _times_sigmoid_slope(f_, df)
            _times_tanh_slope(g_, dg)
            _times_sigmoid_slope(o_, do)
            if not skip:
                _scale(f_, cell)
                fill(hidden, F(0.0))
        _add_product_back(dp, t, 4 * units, weight, F(1.0), dh, rest)


# -- gated recurrent unit ----------------------------------------------------------------


@compiled
def gru(p: Any, weight: Any, bias: Any, h0: Any, mask: Any, reverse: Any, room: Any, outputs: Any) -> None:
    """(h, gates), `reset_after`: the gates r, z, n and the state's part of n's sum side by side."""
    h, gates = outputs
    rows, steps, units = h.shape
    for s in range(steps):
        t, last = _moment(s, steps, reverse)
        for i in range(rows):
            copy(bias, _at(gates, i, t, 0, 3 * units))
        _add_state_product(h0, h, t, last, weight, 3 * units, gates, room)
        for i in range(rows):
            switches, n = _at(gates, i, t, 0, 2 * units), _at(gates, i, t, 2 * units, units)
            of_state = _at(gates, i, t, 3 * units, units)
            copy(n, of_state)
            _add(_at(p, i, t, 0, 2 * units), switches)
            _sigmoid(switches)
            _scale(_at(gates, i, t, 0, units), n)
            _add(_at(p, i, t, 2 * units, units), n)
            _tanh(n)
            _next_state(h0, h, i, t, last, n, _at(gates, i, t, units, units), mask)


@compiled
def gru_reset_before(p: Any, weight: Any, bias: Any, h0: Any, mask: Any, reverse: Any, room: Any, outputs: Any) -> None:
    """(h, gates), the reset gate applied to the state itself: the gates r, z, n side by side."""
    h, gates = outputs
    rows, steps, units = h.shape
    size = rows * units
    kept, rest = window1(room, 0, size), window1(room, size, room.size - size)
    for s in range(steps):
        t, last = _moment(s, steps, reverse)
        for i in range(rows):
            copy(bias, _at(gates, i, t, 0, 3 * units))
            _add(_at(p, i, t, 0, 3 * units), _at(gates, i, t, 0, 3 * units))
        _add_state_product(h0, h, t, last, weight, 2 * units, gates, rest)
        for i in range(rows):
            _sigmoid(_at(gates, i, t, 0, 2 * units))
            _product(_at(gates, i, t, 0, units), _earlier(h0, h, i, last), window1(kept, i * units, units))
        start = t * 3 * units + 2 * units
        gemm(
            0, 0, rows, units, units, F(1.0), kept, units, window1(weight, 2 * units, weight.size - 2 * units),
            3 * units, F(1.0), window1(gates, start, gates.size - start), steps * 3 * units, rest, 1, 0,
        )  # fmt: skip
        for i in range(rows):
            n = _at(gates, i, t, 2 * units, units)
            _tanh(n)
            _next_state(h0, h, i, t, last, n, _at(gates, i, t, units, units), mask)


@compiled
def _next_state(h0: Any, h: Any, i: Any, t: Any, last: Any, n: Any, z: Any, mask: Any) -> None:
    """h_t ← (1 − z)∘n + z∘h_{t−1}, or h_{t−1} where the step is skipped."""
    state, before = _at(h, i, t, 0, h.shape[2]), _earlier(h0, h, i, last)
    if _is_skipped(mask, i, t):
        copy(before, state)
    else:
        _mixed(n, before, z, state)


@compiled
def gru_gradient(
    gates: Any, weight: Any, h: Any, h0: Any, of_h: Any, of_gates: Any, mask: Any, reverse: Any, room: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂s, ∂C/∂(first h)), `reset_after`; s is the state's part of the sums."""
    dp, ds, dh = outputs
    rows, steps, units = h.shape
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, last = _moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            r, of_state = _at(gates, i, t, 0, units), _at(gates, i, t, 3 * units, units)
            dr, dn, dsn = _at(dp, i, t, 0, units), _at(dp, i, t, 2 * units, units), _at(ds, i, t, 2 * units, units)
            _candidate_gradient(gates, h, h0, i, t, last, of_h, of_gates, mask, dp, dh)
            _product(dn, of_state, dr)
            _product(dn, r, dsn)
            if of_gates is not None:
                _add(_at(of_gates, i, t, 0, units), dr)
                _add(_at(of_gates, i, t, 3 * units, units), dsn)
            _times_sigmoid_slope(r, dr)
            copy(_at(dp, i, t, 0, 2 * units), _at(ds, i, t, 0, 2 * units))
        _add_product_back(ds, t, 3 * units, weight, F(1.0), dh, room)


@compiled
def gru_gradient_reset_before(
    gates: Any, weight: Any, h: Any, h0: Any, of_h: Any, of_gates: Any, mask: Any, reverse: Any, room: Any,
    outputs: Any,
) -> None:  # fmt: skip
    """(∂C/∂p, ∂C/∂s, ∂C/∂(first h)), the reset gate applied to the state itself; both sums have the same gradient."""
    dp, ds, dh = outputs
    rows, steps, units = h.shape
    size = rows * units
    through, rest = window1(room, 0, size), window1(room, size, room.size - size)
    fill(window1(dh, 0, dh.size), F(0.0))
    for s in range(steps):
        t, last = _moment(steps - 1 - s, steps, reverse)
        for i in range(rows):
            _candidate_gradient(gates, h, h0, i, t, last, of_h, of_gates, mask, dp, dh)
        start = t * 3 * units + 2 * units
        gemm(
            0, 1, rows, units, units, F(1.0), window1(dp, start, dp.size - start), steps * 3 * units,
            window1(weight, 2 * units, weight.size - 2 * units), 3 * units, F(0.0), through, units, rest, 1, 0,
        )  # fmt: skip
        for i in range(rows):
            r, dr, back = _at(gates, i, t, 0, units), _at(dp, i, t, 0, units), window1(through, i * units, units)
            _product(back, _earlier(h0, h, i, last), dr)
            if of_gates is not None:
                _add(_at(of_gates, i, t, 0, units), dr)
            _times_sigmoid_slope(r, dr)
            _add_product(back, r, window1(dh, i * units, units))
            copy(_at(dp, i, t, 0, 3 * units), _at(ds, i, t, 0, 3 * units))
        _add_product_back(dp, t, 2 * units, weight, F(1.0), dh, rest)


@compiled
def _candidate_gradient(
    gates: Any, h: Any, h0: Any, i: Any, t: Any, last: Any, of_h: Any, of_gates: Any, mask: Any, dp: Any, dh: Any
) -> None:
    """Of example i: dp's entries of z and n, and what of the state's gradient goes straight to the step before."""
    units = h.shape[2]
    z, n = _at(gates, i, t, units, units), _at(gates, i, t, 2 * units, units)
    state, before = window1(dh, i * units, units), _earlier(h0, h, i, last)
    dz, dn = _at(dp, i, t, units, units), _at(dp, i, t, 2 * units, units)
    if of_h is not None:
        _add(_at(of_h, i, t, 0, units), state)
    if _is_skipped(mask, i, t):
        fill(dz, F(0.0))
        fill(dn, F(0.0))
    else:
        for j in range(units):
            dz[j] = state[j] * (before[j] - n[j])
        for j in range(units):
            dn[j] = state[j] * (F(1.0) - z[j])
        _scale(z, state)
    if of_gates is not None:
        _add(_at(of_gates, i, t, units, 2 * units), _at(dp, i, t, units, 2 * units))
    _times_sigmoid_slope(z, dz)
    _times_tanh_slope(n, dn)


# -- tables ------------------------------------------------------------------------------


@compiled
def lookup(table: Any, index: Any, out: Any) -> None:
    """out_i ← table[index_i]; out (entries, units)."""
    for i in range(index.size):
        for j in range(out.shape[1]):
            out[i, j] = table[index[i], j]


@compiled
def add_rows(x: Any, index: Any, first: Any, out: Any) -> None:
    """Rows first, first + 1, … of zeros with x_i added at row index_i."""
    fill(window1(out, 0, out.size), F(0.0))
    for i in range(index.size):
        row = index[i] - first
        if row >= 0 and row < out.shape[0]:
            for j in range(out.shape[1]):
                out[row, j] += x[i, j]


@compiled
def differs(x: Any, value: Any, out: Any) -> None:
    """1 where any of a row of x differs from `value`, else 0."""
    for i in range(out.size):
        out[i] = 0
        for j in range(x.shape[1]):
            if x[i, j] != value:
                out[i] = 1
