"""The passes of recurrent cells: all that a cell does with an example at a step, but for the products, in one loop.

Each is a function of the units, of the way of the scan, of scalars and of arrays, what it writes
last. `z` is the product with the state; `cell` and `state` are what the next step starts from, `c`
and `h` the same in the sequence. On the way back `of_…` is the gradient that comes from outside, 0
where there is none, `dh` and `dc` are what comes from the step behind; `d` is a copy of the sums'
gradient for the product back.

Examples of a sequence lie far apart, so the processor does not see coming what the next step reads
and writes: each step asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.backends.cpu.vectors.formulas_ir import Formula, Units, Vector, VectorCode, declarations, function_of
from nnctl.late import dataclass

PREFIX = "nnctl_"


@dataclass(frozen=True)
class Pass:
    """Formulas, the names of scalars, and arrays: how many gates of each lie between steps, 0 for others.

    formulas: each goes over all units before the next. A long one would have few units under way at a time, whose
    operations wait for one another.
    """

    formulas: tuple[Formula, ...]
    scalars: tuple[str, ...]
    arrays: Mapping[str, int]


def _sigmoid_slope(code: VectorCode, a: Vector) -> Vector:
    return a * (code.constant(1.0) - a)


def _tanh_slope(code: VectorCode, a: Vector) -> Vector:
    return code.constant(1.0) - a * a


def _mixed(code: VectorCode, x: Vector, y: Vector, z: Vector) -> Vector:
    """(1 − z)∘x + z∘y."""
    return (code.constant(1.0) - z) * x + z * y


# -- the plain cell ------------------------------------------------------------------------


def _rnn_tanh(code: VectorCode, p: Units, z: Units, state: Units, h: Units) -> None:
    state[0] = h[0] = code.tanh(p[0] + z[0])


def _rnn_relu(code: VectorCode, p: Units, z: Units, state: Units, h: Units) -> None:
    total, zero = p[0] + z[0], code.constant(0.0)
    # A NaN stays.
    state[0] = h[0] = code.where("olt", total, zero, zero, total)


def _leaky_rnn(code: VectorCode, leak: Vector, p: Units, z: Units, before: Units, state: Units, h: Units) -> None:
    state[0] = h[0] = _mixed(code, before[0], code.tanh(p[0] + z[0]), leak)


def _rnn_tanh_back(code: VectorCode, h: Units, of_h: Units, dh: Units, d: Units, dp: Units) -> None:
    gradient = (dh[0] + of_h[0]) * _tanh_slope(code, h[0])
    d[0] = dp[0] = gradient
    dh[0] = code.constant(0.0)


def _rnn_relu_back(code: VectorCode, h: Units, of_h: Units, dh: Units, d: Units, dp: Units) -> None:
    zero = code.constant(0.0)
    gradient = code.where("ogt", h[0], zero, dh[0] + of_h[0], zero)
    d[0] = dp[0] = gradient
    dh[0] = zero


# -- the long short-term memory ------------------------------------------------------------


def _lstm_gates(
    code: VectorCode, p: Units, z: Units, before: Units, cell: Units, state: Units, h: Units, c: Units, gates: Units
) -> None:
    i, f = code.sigmoid(p[0] + z[0]), code.sigmoid(p[1] + z[1])
    g, o = code.tanh(p[2] + z[2]), code.sigmoid(p[3] + z[3])
    gates[0], gates[1], gates[2], gates[3] = i, f, g, o


def _lstm_state(
    code: VectorCode, p: Units, z: Units, before: Units, cell: Units, state: Units, h: Units, c: Units, gates: Units
) -> None:
    i, f, g, o = (gates.made(k) for k in range(4))
    new = f * before[0] + i * g
    out = o * code.tanh(new)
    cell[0] = c[0] = new
    state[0] = h[0] = out


def _lstm_back(
    code: VectorCode, gates: Units, c: Units, before: Units, of_h: Units, of_c: Units, of_gates: Units, dh: Units,
    dc: Units, d: Units, dp: Units,
) -> None:  # fmt: skip
    i, f, g, o = (gates[k] for k in range(4))
    squashed, hidden = code.tanh(c[0]), dh[0] + of_h[0]
    cell = dc[0] + of_c[0] + hidden * o * _tanh_slope(code, squashed)
    found = (
        (cell * g + of_gates[0]) * _sigmoid_slope(code, i),
        (cell * before[0] + of_gates[1]) * _sigmoid_slope(code, f),
        (cell * i + of_gates[2]) * _tanh_slope(code, g),
        (hidden * squashed + of_gates[3]) * _sigmoid_slope(code, o),
    )
    dc[0], dh[0] = cell * f, code.constant(0.0)
    for k, gradient in enumerate(found):
        d[k] = dp[k] = gradient


# -- the gated recurrent unit --------------------------------------------------------------


def _gru_gates(
    code: VectorCode, p: Units, bias: Units, z: Units, before: Units, state: Units, h: Units, gates: Units
) -> None:
    gates[0], gates[1] = (code.sigmoid(bias[k] + z[k] + p[k]) for k in range(2))


def _gru_state(
    code: VectorCode, p: Units, bias: Units, z: Units, before: Units, state: Units, h: Units, gates: Units
) -> None:
    of_state = bias[2] + z[2]
    n = code.tanh(of_state * gates.made(0) + p[2])
    state[0] = h[0] = _mixed(code, n, before[0], gates.made(1))
    gates[2], gates[3] = n, of_state


def _gru_back(
    code: VectorCode, gates: Units, before: Units, of_h: Units, of_gates: Units, dh: Units, d: Units, ds: Units,
    dp: Units,
) -> None:  # fmt: skip
    r, of_state = gates[0], gates[3]
    du, dn, kept = _candidate_gradient(code, gates, before, of_h, of_gates, dh)
    dr = (dn * of_state + of_gates[0]) * _sigmoid_slope(code, r)
    of_sum = dn * r + of_gates[3]
    dh[0] = kept
    dp[0], dp[1], dp[2] = dr, du, dn
    for array in (d, ds):
        array[0], array[1], array[2] = dr, du, of_sum


def _gru_switches(code: VectorCode, p: Units, bias: Units, z: Units, state: Units, kept: Units, gates: Units) -> None:
    r, u = (code.sigmoid(bias[k] + p[k] + z[k]) for k in range(2))
    kept[0] = r * state[0]
    gates[0], gates[1] = r, u


def _gru_candidate(
    code: VectorCode, p: Units, bias: Units, z: Units, before: Units, state: Units, h: Units, gates: Units
) -> None:
    u, n = gates[1], code.tanh(bias[2] + p[2] + z[0])
    state[0] = h[0] = _mixed(code, n, before[0], u)
    gates[2] = n


def _gru_candidate_back(
    code: VectorCode, gates: Units, before: Units, of_h: Units, of_gates: Units, dh: Units, d: Units, ds: Units,
    dp: Units,
) -> None:  # fmt: skip
    du, dn, kept = _candidate_gradient(code, gates, before, of_h, of_gates, dh)
    dh[0] = kept
    for array in (d, ds, dp):
        array[1], array[2] = du, dn


def _gru_switches_back(
    code: VectorCode, gates: Units, before: Units, through: Units, of_gates: Units, dh: Units, d: Units, ds: Units,
    dp: Units,
) -> None:  # fmt: skip
    r, back = gates[0], through[0]
    dr = (back * before[0] + of_gates[0]) * _sigmoid_slope(code, r)
    dh[0] = back * r + dh[0]
    d[0] = ds[0] = dp[0] = dr


def _candidate_gradient(
    code: VectorCode, gates: Units, before: Units, of_h: Units, of_gates: Units, dh: Units
) -> tuple[Vector, Vector, Vector]:
    """Gradients of the sums of z and n, and what of the state's goes straight to the step before."""
    u, n, state = gates[1], gates[2], dh[0] + of_h[0]
    du = (state * (before[0] - n) + of_gates[1]) * _sigmoid_slope(code, u)
    dn = (state * (code.constant(1.0) - u) + of_gates[2]) * _tanh_slope(code, n)
    return du, dn, state * u


def _pass(formulas: Formula | tuple[Formula, ...], arrays: str, *scalars: str) -> Pass:
    """A pass over the arrays that the words name; one in a sequence says how many gates it has."""
    words = (word.partition(":") for word in arrays.split())
    return Pass(
        formulas if isinstance(formulas, tuple) else (formulas,),
        scalars,
        {name: int(gates or 0) for name, _, gates in words},
    )


PASSES = {
    "rnn_tanh": _pass(_rnn_tanh, "p:1 z state h:1"),
    "rnn_relu": _pass(_rnn_relu, "p:1 z state h:1"),
    "leaky_rnn_tanh": _pass(_leaky_rnn, "p:1 z before state h:1", "leak"),
    "rnn_tanh_back": _pass(_rnn_tanh_back, "h:1 of_h:1 dh d dp:1"),
    "rnn_relu_back": _pass(_rnn_relu_back, "h:1 of_h:1 dh d dp:1"),
    "lstm_gates": _pass((_lstm_gates, _lstm_state), "p:4 z before cell state h:1 c:1 gates:4"),
    # What is c at the next step is `before` at this one.
    "lstm_gates_back": _pass(_lstm_back, "gates:4 c before:1 of_h:1 of_c of_gates dh dc d dp:4"),
    "gru_gates": _pass((_gru_gates, _gru_state), "p:3 bias z before state h:1 gates:4"),
    "gru_gates_back": _pass(_gru_back, "gates:4 before:1 of_h:1 of_gates dh d ds:3 dp:3"),
    "gru_switches": _pass(_gru_switches, "p:3 bias z state kept gates:3"),
    "gru_candidate": _pass(_gru_candidate, "p:3 bias z before state h:1 gates:3"),
    "gru_candidate_back": _pass(_gru_candidate_back, "gates:3 before:1 of_h:1 of_gates dh d ds:3 dp:3"),
    "gru_switches_back": _pass(_gru_switches_back, "gates:3 before through of_gates dh d ds:3 dp:3"),
}
"""Every pass by its name."""


def module_text(bits: int) -> str:
    """The module of all passes for vectors of so many bits."""
    lanes = bits // 32
    functions = [function_of(PREFIX + name, p.formulas, p.arrays, p.scalars, lanes) for name, p in PASSES.items()]
    return "\n".join([declarations(lanes), *functions])
