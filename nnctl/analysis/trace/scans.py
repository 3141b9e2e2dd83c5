"""Recurrent cells step by step: what a scan computes at each time, and what its way back does.

A scan is one op of the graph. Its results are read from the graph's arrays; the gradients that reach a step from
those behind it are what the same op gives for these steps alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nnctl.analysis.trace.stages import Array, Line, Quantity, places
from nnctl.analysis.trace.substitution import Attributes, Writer
from nnctl.graph.ir import Node
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.recurrence import order

ENDS = 2
"""Steps of a long sequence that are shown of its beginning, and of its end."""
MOST = 6
"""Steps of a sequence that are all shown."""

Written = Callable[[int], str]
"""The numbers of a unit."""


class Scan:
    """A scan of one example. arrays: of the op's inputs; results: of its outputs."""

    def __init__(
        self, node: Node, arrays: Sequence[Array], results: Sequence[Array], attributes: Attributes, write: Writer
    ) -> None:
        self.node, self.arrays, self.results, self.attributes = node, arrays, results, attributes
        self.write, self.number = write, write.number
        self.steps = int(results[0].shape[1])
        self.order = order(self.steps, bool(attributes.get("reverse")))
        self.backward = node.op.name.endswith("_gradient")

    def shown(self) -> list[tuple[int, int | None]]:
        """(t, the step before it in the scan) of the steps that are shown, in the order in which they are computed."""
        every = self.order[::-1] if self.backward else self.order
        return every if self.steps <= MOST else [*every[:ENDS], *every[-ENDS:]]

    def behind(self, t: int) -> slice | None:
        """The steps that the scan comes to after t, in the order of time; None after its last."""
        part = slice(0, t) if self.attributes.get("reverse") else slice(t + 1, self.steps)
        return part if part.stop > part.start else None

    def run(self, arrays: Sequence[Array], attributes: Attributes) -> tuple[Array, ...]:
        """The op's results for other arrays."""
        return tuple(np.asarray(r) for r in self.node.op.run(numpy_namespace(), arrays, attributes))

    def quantity(self, name: str, t: int, formula: str, array: Array, written: Written, equation: str = "") -> Quantity:
        """A row of a step, (units,)."""
        lines = tuple(Line((j,), written(j), float(array[j])) for (j,) in places(array))
        return Quantity(f"{name}[t={t}]", formula, array, lines, equation)

    def skipped(self, mask: Sequence[Array], t: int) -> bool:
        """True where the step is filled in, and is passed over."""
        return bool(mask) and float(mask[0][0, t]) == 0.0


def scan_of(
    node: Node, arrays: Sequence[Array], results: Sequence[Array], attributes: Attributes, write: Writer
) -> list[Quantity]:
    """The steps of a scan, unrolled within bounds; nothing for other ops."""
    unroll = _UNROLLED.get(node.op.name)
    if unroll is None:
        return []
    scan = Scan(node, arrays, results, attributes, write)
    return list(unroll(scan))


def omitted(steps: int) -> str:
    """Words on the steps of a sequence that are not shown; "" where all are."""
    return "" if steps <= MOST else f"{steps - 2 * ENDS:,} of {steps:,} time steps between them are computed alike"


def _gates(row: Array, units: int, count: int) -> list[Array]:
    return [row[k * units : (k + 1) * units] for k in range(count)]


def _passed(scan: Scan, name: str, t: int, state: Array) -> Quantity:
    return Quantity(f"{name}[t={t}]", "the step is filled in: the state stays", state)


# -- forward -----------------------------------------------------------------------------


def _rnn(scan: Scan) -> Iterator[Quantity]:
    p, weight, first, *mask = (array for array in scan.arrays)
    (h,) = scan.results
    activation = scan.attributes["activation"]
    f = "tanh" if activation == "tanh" else "max"
    before_it = "" if f == "tanh" else "0, "
    for t, earlier in scan.shown():
        last = first[0] if earlier is None else h[0, earlier]
        if scan.skipped(mask, t):
            yield _passed(scan, "h", t, h[0, t])
            continue

        def state(j: int, t: int = t, last: Array = last) -> str:
            return f"{f}({before_it}{scan.number(p[0, t, j])} + {scan.write.total(last, weight[:, j])})"

        yield scan.quantity("h", t, f"h_t = {activation}(p_t + h_(t−1)·R)", h[0, t], state)


def _leaky(scan: Scan) -> Iterator[Quantity]:
    p, weight, first = scan.arrays
    (h,) = scan.results
    leak = scan.attributes["leak"]
    for t, earlier in scan.shown():
        last = first[0] if earlier is None else h[0, earlier]

        def state(j: int, t: int = t, last: Array = last) -> str:
            inner = f"{scan.number(p[0, t, j])} + {scan.write.total(last, weight[:, j])}"
            return f"{scan.number(1.0 - leak)}·{scan.number(last[j])} + {scan.number(leak)}·tanh({inner})"

        yield scan.quantity("h", t, "h_t = (1 − α)·h_(t−1) + α·tanh(p_t + h_(t−1)·R)", h[0, t], state)


def _lstm(scan: Scan) -> Iterator[Quantity]:
    p, weight, h0, c0, *mask = scan.arrays
    h, c, gates = scan.results
    units = weight.shape[0]
    n = scan.number
    for t, earlier in scan.shown():
        last_h, last_c = (h0[0], c0[0]) if earlier is None else (h[0, earlier], c[0, earlier])
        if scan.skipped(mask, t):
            yield _passed(scan, "h", t, h[0, t])
            continue
        values = _gates(gates[0, t], units, 4)
        for k, (gate, f) in enumerate((("i", "σ"), ("f", "σ"), ("g", "tanh"), ("o", "σ"))):

            def opened(j: int, k: int = k, f: str = f, t: int = t, last: Array = last_h) -> str:
                column = k * units + j
                return f"{f}({n(p[0, t, column])} + {scan.write.total(last, weight[:, column])})"

            yield scan.quantity(gate, t, f"{gate}_t = {f}(p_t + h_(t−1)·R)", values[k], opened)
        i, f_, g, o = values

        def cell(j: int, i: Array = i, f: Array = f_, g: Array = g, last: Array = last_c) -> str:
            return f"{n(f[j])}·{n(last[j])} + {n(i[j])}·{n(g[j])}"

        def state(j: int, o: Array = o, t: int = t) -> str:
            return f"{n(o[j])}·tanh({n(c[0, t, j])})"

        yield scan.quantity("c", t, "c_t = f_t∘c_(t−1) + i_t∘g_t", c[0, t], cell)
        yield scan.quantity("h", t, "h_t = o_t∘tanh(c_t)", h[0, t], state)


def _gru(scan: Scan) -> Iterator[Quantity]:
    p, weight, bias, h0, *mask = scan.arrays
    h, gates = scan.results
    units, after = weight.shape[0], scan.attributes["reset_after"]
    n = scan.number
    for t, earlier in scan.shown():
        last = h0[0] if earlier is None else h[0, earlier]
        if scan.skipped(mask, t):
            yield _passed(scan, "h", t, h[0, t])
            continue
        r, z, new, *s = _gates(gates[0, t], units, 4 if after else 3)

        def recurrent(column: int, state: Array) -> str:
            return f"{scan.write.total(state, weight[:, column])} + {n(bias[column])}"

        for k, (gate, values) in enumerate((("r", r), ("z", z))):

            def opened(j: int, k: int = k, t: int = t, last: Array = last) -> str:
                column = k * units + j
                return f"σ({n(p[0, t, column])} + {recurrent(column, last)})"

            yield scan.quantity(gate, t, f"{gate}_t = σ(p_t + h_(t−1)·R + b)", values, opened)
        if after:

            def sums(j: int, last: Array = last) -> str:
                return recurrent(2 * units + j, last)

            def candidate(j: int, t: int = t, r: Array = r, s: Array = s[0]) -> str:
                return f"tanh({n(p[0, t, 2 * units + j])} + {n(r[j])}·{n(s[j])})"

            yield scan.quantity("s", t, "s_t = h_(t−1)·R + b", s[0], sums)
            yield scan.quantity("n", t, "n_t = tanh(p_t + r_t∘s_t)", new, candidate)
        else:

            def reset(j: int, t: int = t, r: Array = r, last: Array = last) -> str:
                return f"tanh({n(p[0, t, 2 * units + j])} + {recurrent(2 * units + j, r * last)})"

            yield scan.quantity("n", t, "n_t = tanh(p_t + (r_t∘h_(t−1))·R + b)", new, reset)

        def state(j: int, z: Array = z, new: Array = new, last: Array = last) -> str:
            return f"(1 - {n(z[j])})·{n(new[j])} + {n(z[j])}·{n(last[j])}"

        yield scan.quantity("h", t, "h_t = (1 − z_t)∘n_t + z_t∘h_(t−1)", h[0, t], state)


# -- backward ----------------------------------------------------------------------------


def _sum(scan: Scan, own: Array | None, later: Array) -> tuple[Array, Written]:
    """∂C/∂(a state) as the sum of what its step's output is given, and what comes from the steps behind it."""
    if own is None:
        return later, lambda j: scan.number(later[j])
    return own + later, lambda j: f"{scan.number(own[j])} + {scan.number(later[j])}"


def _rnn_gradient(scan: Scan) -> Iterator[Quantity]:
    h, weight, g, *mask = scan.arrays
    dp, _ = scan.results
    tanh = scan.attributes["activation"] == "tanh"
    n = scan.number
    for t, _ in scan.shown():
        later = np.zeros(weight.shape[0])
        if (part := scan.behind(t)) is not None:
            cut = [h[:, part], weight, g[:, part], *(m[:, part] for m in mask)]
            later = scan.run(cut, scan.attributes)[1][0]
        dh, written = _sum(scan, g[0, t], later)
        yield scan.quantity("∂C/∂h", t, "∂C/∂h_t = what reads h_t + δ_(t+1)·Rᵀ", dh, written)
        if scan.skipped(mask, t):
            yield _passed(scan, "δ", t, dp[0, t])
            continue

        def delta(j: int, t: int = t, dh: Array = dh) -> str:
            a = h[0, t, j]
            slope = f"(1 - {n(a)}·{n(a)})" if tanh else ("1" if a > 0 else "0")
            return f"{n(dh[j])}·{slope}"

        formula = "δ_t = ∂C/∂h_t∘(1 − h_t²)" if tanh else "δ_t = ∂C/∂h_t∘(h_t > 0)"
        yield scan.quantity("δ", t, formula, dp[0, t], delta, "BP2")


def _given(scan: Scan, first: int) -> tuple[dict[str, Array], Sequence[Array]]:
    """(gradients of the op's outputs by name, the mask) from the inputs after the first."""
    names = scan.attributes["given"]
    rest = scan.arrays[first:]
    return dict(zip(names, rest)), rest[len(names) :]


def _lstm_gradient(scan: Scan) -> Iterator[Quantity]:
    gates, weight, c, c0 = scan.arrays[:4]
    given, mask = _given(scan, 4)
    dp = scan.results[0]
    units = weight.shape[0]
    n = scan.number
    for t, earlier in scan.shown():
        later_h, later_c = np.zeros(units), np.zeros(units)
        if (part := scan.behind(t)) is not None:
            cut = [gates[:, part], weight, c[:, part], c[:, t], *(a[:, part] for a in scan.arrays[4:])]
            _, dh_, dc_ = scan.run(cut, scan.attributes)
            later_h, later_c = dh_[0], dc_[0]
        dh, written = _sum(scan, given["h"][0, t] if "h" in given else None, later_h)
        yield scan.quantity("∂C/∂h", t, "∂C/∂h_t = what reads h_t + δ_(t+1)·Rᵀ", dh, written)
        if scan.skipped(mask, t):
            yield _passed(scan, "δ", t, dp[0, t])
            continue
        i, f, g, o = _gates(gates[0, t], units, 4)
        squashed = np.tanh(c[0, t])
        own = given["c"][0, t] + later_c if "c" in given else later_c
        dc = own + dh * o * (1.0 - squashed * squashed)

        def cell(j: int, own: Array = own, dh: Array = dh, o: Array = o, t: int = t) -> str:
            return f"{n(own[j])} + {n(dh[j])}·{n(o[j])}·(1 - tanh({n(c[0, t, j])})²)"

        yield scan.quantity("∂C/∂c", t, "∂C/∂c_t = ∂C/∂c_(t+1)∘f_(t+1) + ∂C/∂h_t∘o_t∘(1 − tanh²c_t)", dc, cell)
        last = c0[0] if earlier is None else c[0, earlier]
        parts = (
            ("i", "∂C/∂c_t∘g_t∘i_t∘(1 − i_t)", dc, g, i, "{0}·(1 - {0})"),
            ("f", "∂C/∂c_t∘c_(t−1)∘f_t∘(1 − f_t)", dc, last, f, "{0}·(1 - {0})"),
            ("g", "∂C/∂c_t∘i_t∘(1 − g_t²)", dc, i, g, "(1 - {0}²)"),
            ("o", "∂C/∂h_t∘tanh(c_t)∘o_t∘(1 − o_t)", dh, squashed, o, "{0}·(1 - {0})"),
        )
        more = _gates(given["gates"][0, t], units, 4) if "gates" in given else None
        for k, (gate, formula, outer, factor, value, slope) in enumerate(parts):

            def delta(
                j: int,
                k: int = k,
                outer: Array = outer,
                factor: Array = factor,
                value: Array = value,
                slope: str = slope,
                more: Any = more,
            ) -> str:
                product = f"{n(outer[j])}·{n(factor[j])}"
                if more is not None:
                    product = f"({product} + {n(more[k][j])})"
                return f"{product}·{slope.format(n(value[j]))}"

            array = _gates(dp[0, t], units, 4)[k]
            yield scan.quantity(f"δ_{gate}", t, f"δ_{gate},t = {formula}", array, delta, "BP2")


def _gru_gradient(scan: Scan) -> Iterator[Quantity]:
    gates, weight, h, h0 = scan.arrays[:4]
    given, mask = _given(scan, 4)
    dp, ds, _ = scan.results
    units, after = weight.shape[0], scan.attributes["reset_after"]
    n = scan.number
    for t, earlier in scan.shown():
        later = np.zeros(units)
        if (part := scan.behind(t)) is not None:
            cut = [gates[:, part], weight, h[:, part], h[:, t], *(a[:, part] for a in scan.arrays[4:])]
            later = scan.run(cut, scan.attributes)[2][0]
        dh, written = _sum(scan, given["h"][0, t] if "h" in given else None, later)
        yield scan.quantity("∂C/∂h", t, "∂C/∂h_t = what reads h_t + what h_(t+1) sends back", dh, written)
        if scan.skipped(mask, t):
            yield _passed(scan, "δ", t, dp[0, t])
            continue
        r, z, new, *s = _gates(gates[0, t], units, 4 if after else 3)
        last = h0[0] if earlier is None else h[0, earlier]
        more = _gates(given["gates"][0, t], units, 4 if after else 3) if "gates" in given else None
        dr, dz, dn = _gates(dp[0, t], units, 3)

        def added(k: int, product: str, j: int, more: Any = more) -> str:
            return product if more is None else f"({product} + {n(more[k][j])})"

        def of_new(j: int, dh: Array = dh, z: Array = z, new: Array = new) -> str:
            return f"{added(2, f'{n(dh[j])}·(1 - {n(z[j])})', j)}·(1 - {n(new[j])}²)"

        def of_update(j: int, dh: Array = dh, last: Array = last, new: Array = new, z: Array = z) -> str:
            product = f"{n(dh[j])}·({n(last[j])} - {n(new[j])})"
            return f"{added(1, product, j)}·{n(z[j])}·(1 - {n(z[j])})"

        def of_reset(j: int, dn: Array = dn, last: Array = last, r: Array = r, s: Any = s) -> str:
            if after:
                product = f"{n(dn[j])}·{n(s[0][j])}"
            else:
                product = f"({scan.write.total(dn, weight[j, 2 * units :])})·{n(last[j])}"
            return f"{added(0, product, j)}·{n(r[j])}·(1 - {n(r[j])})"

        yield scan.quantity("δ_n", t, "δ_n,t = ∂C/∂h_t∘(1 − z_t)∘(1 − n_t²)", dn, of_new, "BP2")
        yield scan.quantity("δ_z", t, "δ_z,t = ∂C/∂h_t∘(h_(t−1) − n_t)∘z_t∘(1 − z_t)", dz, of_update, "BP2")
        way = "δ_n,t∘s_t" if after else "(δ_n,t·R_nᵀ)∘h_(t−1)"
        yield scan.quantity("δ_r", t, f"δ_r,t = {way}∘r_t∘(1 − r_t)", dr, of_reset, "BP2")
        if after:
            array = _gates(ds[0, t], units, 3)[2]

            def of_sums(j: int, dn: Array = dn, r: Array = r) -> str:
                return added(3, f"{n(dn[j])}·{n(r[j])}", j)

            yield scan.quantity("∂C/∂s", t, "∂C/∂s_t = δ_n,t∘r_t", array, of_sums)


_UNROLLED: Mapping[str, Callable[[Scan], Iterator[Quantity]]] = {
    "rnn": _rnn,
    "leaky_rnn": _leaky,
    "lstm": _lstm,
    "gru": _gru,
    "rnn_gradient": _rnn_gradient,
    "lstm_gradient": _lstm_gradient,
    "gru_gradient": _gru_gradient,
}
