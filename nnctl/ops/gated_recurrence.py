"""The gated cells over a full sequence, LSTM and GRU; `recurrence.py` has what all cells share.

The gradient ops take the gradients of those outputs alone that the objective
depends on; `given` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.ops.recurrence import (
    before,
    cell_sample,
    check_cell,
    gate_slices,
    in_time,
    joined,
    kept,
    order,
    outer,
    scan_cost,
    sigmoid,
    skipped,
    split,
    weight_gradient,
)
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import Sample, op
from nnctl.ops.unrolling import unrolled_gradients


def _given(gradients: Sequence[Any], names: Sequence[str]) -> tuple[list[Any], tuple[str, ...]]:
    """The gradients that there are, and the names of their outputs."""
    there = [(g, name) for g, name in zip(gradients, names, strict=True) if g is not None]
    return [g for g, _ in there], tuple(name for _, name in there)


def _some(rng: Any, names: Sequence[str]) -> tuple[str, ...]:
    """Names, at least one of them, for a sample."""
    chosen = tuple(name for name in names if rng.integers(2))
    return chosen or (names[0],)


def _with(gradients: dict[str, Any], name: str, t: int, gradient: Any) -> Any:
    """A state's gradient from the later steps, with what step t adds."""
    return gradient + gradients[name][:, t] if name in gradients else gradient


# -- long short-term memory --------------------------------------------------------------

_LSTM_OUTPUTS = ("h", "c", "gates")


def _lstm_sample(rng: Any) -> Sample:
    inputs, mask, reverse = cell_sample(rng, 4, 2)
    return [*inputs, *mask], {"reverse": reverse}


def _lstm_type(
    p: TensorType, weight: TensorType, h: TensorType, c: TensorType, *mask: TensorType, **_: Any
) -> tuple[TensorType, ...]:
    units = check_cell(p, weight, [h, c], mask, 4)
    states = TensorType((*p.shape[:2], units))
    return states, states, TensorType(p.shape)


def _lstm_derivative(
    builder: Any, gradients: Any, outputs: Any, p: Any, weight: Any, h0: Any, c0: Any, *mask: Any, reverse: bool
) -> list[Any]:
    h, c, gates = outputs
    there, given = _given(gradients, _LSTM_OUTPUTS)
    dp, dh0, dc0 = builder.apply_all("lstm_gradient", gates, weight, c, c0, *there, *mask, given=given, reverse=reverse)
    return [dp, weight_gradient(builder, h, h0, dp, reverse=reverse), dh0, dc0, *(None for _ in mask)]


@op("lstm", type_rule=_lstm_type, derivative=_lstm_derivative, cost=scan_cost, sample=_lstm_sample)
def lstm(xp: Any, p: Any, weight: Any, h: Any, c: Any, *mask: Any, reverse: bool) -> tuple[Any, Any, Any]:
    """Long short-term memory (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

    (i, f, g, o) = (σ, σ, tanh, σ)(p_t + h_{t−1}·R); c_t = f∘c_{t−1} + i∘g; h_t = o∘tanh c_t.
    Gives all h and c (batch, time, units) and the gates (batch, time, 4·units).
    """
    units = weight.shape[0]
    hs, cs, gates = {}, {}, {}
    for t, _ in order(p.shape[1], reverse):
        zi, zf, zg, zo = gate_slices(p[:, t] + xp.matmul(h, weight), units, 4)
        i, f, g, o = sigmoid(xp, zi), sigmoid(xp, zf), xp.tanh(zg), sigmoid(xp, zo)
        skip = skipped(xp, mask, t)
        new = f * c + i * g
        h, c = kept(xp, skip, h, o * xp.tanh(new)), kept(xp, skip, c, new)
        hs[t], cs[t], gates[t] = h, c, xp.concatenate([i, f, g, o], axis=1)
    return xp.stack(in_time(hs), axis=1), xp.stack(in_time(cs), axis=1), xp.stack(in_time(gates), axis=1)


def _lstm_gradient_type(gates: TensorType, weight: TensorType, *_: TensorType, **__: Any) -> tuple[TensorType, ...]:
    state = TensorType((gates.shape[0], weight.shape[0]))
    return TensorType(gates.shape), state, state


def _lstm_gradient_sample(rng: Any) -> Sample:
    (p, weight, _, c0, *mask), attributes = _lstm_sample(rng)
    shapes = dict.fromkeys(("h", "c"), (*p.shape[:2], weight.shape[0])) | {"gates": p.shape}
    given = _some(rng, _LSTM_OUTPUTS)
    there = [rng.standard_normal(shapes[name]) for name in given]
    return [p, weight, rng.standard_normal(shapes["c"]), c0, *there, *mask], {**attributes, "given": given}


@op(
    "lstm_gradient",
    type_rule=_lstm_gradient_type,
    derivative=lambda builder, gradients, outputs, *inputs, **attributes: unrolled_gradients(
        lstm_gradient, builder, gradients, inputs, **attributes
    ),
    cost=scan_cost,
    sample=_lstm_gradient_sample,
)
def lstm_gradient(
    xp: Any, gates: Any, weight: Any, c: Any, c0: Any, *rest: Any, given: tuple[str, ...], reverse: bool
) -> tuple[Any, Any, Any]:
    """∂C/∂p (batch, time, 4·units), ∂C/∂(first h) and ∂C/∂(first c), from the gradients of the outputs `given`."""
    units = weight.shape[0]
    gradients, mask = dict(zip(given, rest)), rest[len(given) :]
    dp = {}
    dh, dc = xp.zeros_like(c0), xp.zeros_like(c0)
    for t, earlier in reversed(order(gates.shape[1], reverse)):
        i, f, g, o = gate_slices(gates[:, t], units, 4)
        skip = skipped(xp, mask, t)
        dh, dh_passed = split(xp, skip, _with(gradients, "h", t, dh))
        dc, dc_passed = split(xp, skip, _with(gradients, "c", t, dc))
        squashed = xp.tanh(c[:, t])
        dc = dc + dh * o * (1.0 - squashed * squashed)
        slopes = [dc * g, dc * (c0 if earlier is None else c[:, earlier]), dc * i, dh * squashed]
        if "gates" in gradients:
            slopes = [a + b for a, b in zip(slopes, gate_slices(gradients["gates"][:, t], units, 4))]
        di, df, dg, do = slopes
        inner = [di * i * (1.0 - i), df * f * (1.0 - f), dg * (1.0 - g * g), do * o * (1.0 - o)]
        dp[t] = xp.concatenate(inner, axis=1)
        dh = joined(xp.matmul(dp[t], weight.T), dh_passed)
        dc = joined(dc * f, dc_passed)
    return xp.stack(in_time(dp), axis=1), dh, dc


# -- gated recurrent unit ----------------------------------------------------------------

_GRU_OUTPUTS = ("h", "gates")


def _gru_sample(rng: Any) -> Sample:
    (p, weight, h), mask, reverse = cell_sample(rng, 3, 1)
    return [p, weight, rng.standard_normal(p.shape[2]), h, *mask], {
        "reset_after": bool(rng.integers(2)),
        "reverse": reverse,
    }


def _gru_type(
    p: TensorType, weight: TensorType, bias: TensorType, h: TensorType, *mask: TensorType, reset_after: bool, **_: Any
) -> tuple[TensorType, ...]:
    units = check_cell(p, weight, [h], mask, 3)
    return TensorType((*p.shape[:2], units)), TensorType((*p.shape[:2], (4 if reset_after else 3) * units))


def _gru_derivative(
    builder: Any, gradients: Any, outputs: Any, p: Any, weight: Any, bias: Any, h0: Any, *mask: Any,
    reset_after: bool, reverse: bool,
) -> list[Any]:  # fmt: skip
    h, gates = outputs
    units = weight.shape[0]
    there, given = _given(gradients, _GRU_OUTPUTS)
    dp, ds, dh0 = builder.apply_all(
        "gru_gradient", gates, weight, h, h0, *there, *mask, given=given, reset_after=reset_after, reverse=reverse
    )
    earlier = before(builder, h, h0, reverse=reverse)
    if reset_after:
        dweight = outer(builder, earlier, ds)
    else:
        reset, switches, candidate = (
            builder.apply("slice", x, axis=2, start=start, stop=stop)
            for x, start, stop in ((gates, 0, units), (ds, 0, 2 * units), (ds, 2 * units, 3 * units))
        )
        products = [outer(builder, earlier, switches), outer(builder, reset * earlier, candidate)]
        dweight = builder.apply("concatenate", *products, axis=1)
    return [dp, dweight, builder.apply("sum", ds, axes=(0, 1)), dh0, *(None for _ in mask)]


@op("gru", type_rule=_gru_type, derivative=_gru_derivative, cost=scan_cost, sample=_gru_sample)
def gru(
    xp: Any, p: Any, weight: Any, bias: Any, h: Any, *mask: Any, reset_after: bool, reverse: bool
) -> tuple[Any, Any]:
    """The gated recurrent unit (Cho et al. 2014): r, z = σ(…), n = tanh(…), h_t = (1 − z)∘n + z∘h_{t−1}.

    With s = h_{t−1}·R + b: r = σ(p_r + s_r), z = σ(p_z + s_z), and n = tanh(p_n + r∘s_n) where
    `reset_after`, else n = tanh(p_n + (r∘h_{t−1})·R_n + b_n). Gives h (batch, time, units) and the
    gates r, z, n side by side, with s_n after them where `reset_after`.
    """
    units = weight.shape[0]
    hs, gates = {}, {}
    for t, _ in order(p.shape[1], reverse):
        pr, pz, pn = gate_slices(p[:, t], units, 3)
        if reset_after:
            sr, sz, sn = gate_slices(xp.matmul(h, weight) + bias, units, 3)
            r, z = sigmoid(xp, pr + sr), sigmoid(xp, pz + sz)
            n = xp.tanh(pn + r * sn)
            gates[t] = xp.concatenate([r, z, n, sn], axis=1)
        else:
            sr, sz = gate_slices(xp.matmul(h, weight[:, : 2 * units]) + bias[: 2 * units], units, 2)
            r, z = sigmoid(xp, pr + sr), sigmoid(xp, pz + sz)
            n = xp.tanh(pn + xp.matmul(r * h, weight[:, 2 * units :]) + bias[2 * units :])
            gates[t] = xp.concatenate([r, z, n], axis=1)
        h = kept(xp, skipped(xp, mask, t), h, (1.0 - z) * n + z * h)
        hs[t] = h
    return xp.stack(in_time(hs), axis=1), xp.stack(in_time(gates), axis=1)


def _gru_gradient_type(
    gates: TensorType, weight: TensorType, h: TensorType, h0: TensorType, *_: TensorType, **__: Any
) -> tuple[TensorType, ...]:
    sums = TensorType((*gates.shape[:2], weight.shape[1]))
    return sums, sums, h0


def _gru_gradient_sample(rng: Any) -> Sample:
    (p, weight, _, h0, *mask), attributes = _gru_sample(rng)
    units = weight.shape[0]
    kept_gates = (*p.shape[:2], (4 if attributes["reset_after"] else 3) * units)
    shapes = {"h": (*p.shape[:2], units), "gates": kept_gates}
    given = _some(rng, _GRU_OUTPUTS)
    there = [rng.standard_normal(shapes[name]) for name in given]
    states = [rng.standard_normal(kept_gates), weight, rng.standard_normal(shapes["h"]), h0]
    return [*states, *there, *mask], {**attributes, "given": given}


@op(
    "gru_gradient",
    type_rule=_gru_gradient_type,
    derivative=lambda builder, gradients, outputs, *inputs, **attributes: unrolled_gradients(
        gru_gradient, builder, gradients, inputs, **attributes
    ),
    cost=scan_cost,
    sample=_gru_gradient_sample,
)
def gru_gradient(
    xp: Any, gates: Any, weight: Any, h: Any, h0: Any, *rest: Any,
    given: tuple[str, ...], reset_after: bool, reverse: bool,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """∂C/∂p and ∂C/∂s (batch, time, 3·units), s the recurrent part of the sums, and ∂C/∂(first h)."""
    units = weight.shape[0]
    gradients, mask = dict(zip(given, rest)), rest[len(given) :]
    of_inputs, of_products = {}, {}
    dh = xp.zeros_like(h0)
    for t, earlier in reversed(order(gates.shape[1], reverse)):
        r, z, n, *s = gate_slices(gates[:, t], units, 4 if reset_after else 3)
        last = h0 if earlier is None else h[:, earlier]
        dh, passed = split(xp, skipped(xp, mask, t), _with(gradients, "h", t, dh))
        count = 3 + len(s)
        dgates = gate_slices(gradients["gates"][:, t], units, count) if "gates" in gradients else [0.0] * count
        dz = dh * (last - n) + dgates[1]
        dn = (dh * (1.0 - z) + dgates[2]) * (1.0 - n * n)
        if reset_after:
            dr, ds = dn * s[0] + dgates[0], dn * r + dgates[3]
            switches = xp.concatenate([dr * r * (1.0 - r), dz * z * (1.0 - z)], axis=1)
            of_products[t] = xp.concatenate([switches, ds], axis=1)
            backwards = xp.matmul(of_products[t], weight.T)
        else:
            through = xp.matmul(dn, weight[:, 2 * units :].T)
            dr = through * last + dgates[0]
            switches = xp.concatenate([dr * r * (1.0 - r), dz * z * (1.0 - z)], axis=1)
            of_products[t] = xp.concatenate([switches, dn], axis=1)
            backwards = xp.matmul(switches, weight[:, : 2 * units].T) + through * r
        of_inputs[t] = xp.concatenate([switches, dn], axis=1)
        dh = joined(dh * z + backwards, passed)
    return xp.stack(in_time(of_inputs), axis=1), xp.stack(in_time(of_products), axis=1), dh
