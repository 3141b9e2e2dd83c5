"""The passes of recurrent cells for vectors of every width, and the cells at sizes that no vector divides."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
import pytest

from backends.compiled_calls import call
from backends.vector_widths import WIDTHS, engine
from nnctl.backends.cpu.vectors.cells_ir import PASSES, PREFIX, module_text
from nnctl.ops import gated_recurrence, recurrence, reservoir

pytestmark = pytest.mark.compile

GUARD = 16
UNITS = (1, 3, 15, 16, 17, 33)
GATES = {"p": 4, "z": 4, "gates": 4, "of_gates": 4, "d": 4, "dp": 4, "ds": 4, "bias": 4}
"""Gates of an array, 1 of all others; a cell with fewer touches the first alone."""
widths = pytest.mark.parametrize("bits", WIDTHS)


@cache
def compiled(bits):
    return engine(bits, module_text(bits))


def applied(bits, name, units, arrays, scalars=()):
    """Apply a pass to arrays of NumPy, in place; what lies around them must stay."""
    formula = PASSES[name]
    kind = ctypes.CFUNCTYPE(
        None, ctypes.c_int64, ctypes.c_int64, *[ctypes.c_float] * len(scalars), *[ctypes.c_void_p] * len(formula.arrays)
    )
    memory = {key: np.full(array.size + 2 * GUARD, -5.0, np.float32) for key, array in arrays.items()}
    for key, array in arrays.items():
        memory[key][GUARD:-GUARD] = array
    pointers = [memory[key][GUARD:].ctypes.data for key in formula.arrays]
    kind(compiled(bits).get_function_address(PREFIX + name))(units, 1, *scalars, *pointers)
    for key, array in arrays.items():
        array[...] = memory[key][GUARD:-GUARD]
        around = np.concatenate([memory[key][:GUARD], memory[key][-GUARD:]])
        assert np.all(around == -5.0), key


def numbers(name, units, seed=0):
    rng = np.random.default_rng([seed, units])
    return {
        key: rng.standard_normal(GATES.get(key, 1) * units).astype(np.float32) for key in PASSES[name].arrays
    }  # fmt: skip


@widths
@pytest.mark.parametrize("name", PASSES)
def test_a_part_of_a_vector_is_computed_like_a_whole_one(bits, name):
    """Unit by unit, a pass gives what it gives for all at once, and touches nothing else."""
    scalars = tuple(np.float32(0.3) for _ in PASSES[name].scalars)
    for units in UNITS:
        together = numbers(name, units)
        alone = {key: array.copy() for key, array in together.items()}
        applied(bits, name, units, together, scalars)
        changed = 0
        for unit in range(units):
            one = {key: array[unit::units].copy() for key, array in alone.items()}
            applied(bits, name, 1, one, scalars)
            for key, array in one.items():
                changed += not np.array_equal(array, alone[key][unit::units])
                np.testing.assert_allclose(together[key][unit::units], array, rtol=1e-6, atol=1e-7, err_msg=key)
        assert changed >= units


@widths
def test_sigmoid_and_tanh_are_right_everywhere(bits):
    z = np.concatenate([np.linspace(-120, 120, 4001), np.logspace(-30, 30, 999), [0.0, np.inf, -np.inf]])
    z = z.astype(np.float32)
    zeros = np.zeros_like(z)
    arrays = {"p": z, "z": zeros, "state": zeros.copy(), "h": zeros.copy()}
    applied(bits, "rnn_tanh", z.size, arrays)
    np.testing.assert_allclose(arrays["h"], np.tanh(z.astype(float)), rtol=3e-7)
    lstm = {key: np.zeros(GATES.get(key, 1) * z.size, np.float32) for key in PASSES["lstm_gates"].arrays}
    lstm["z"][: z.size] = z
    applied(bits, "lstm_gates", z.size, lstm)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(lstm["gates"][: z.size], 1 / (1 + np.exp(-z.astype(float))), rtol=3e-7, atol=2e-38)


@widths
@pytest.mark.parametrize("name", ["rnn_tanh", "rnn_relu", "lstm_gates", "gru_gates"])
def test_what_is_not_a_number_stays_one(bits, name):
    arrays = {key: np.full(GATES.get(key, 1) * 5, 0.5, np.float32) for key in PASSES[name].arrays}
    arrays["p"][::5] = np.nan
    applied(bits, name, 5, arrays)
    assert np.isnan(arrays["h"][0])
    assert np.all(np.isfinite(arrays["h"][1:]))


SIZES = ((1, 1, 1), (2, 3, 3), (1, 2, 15), (3, 1, 16), (2, 3, 17), (9, 2, 33), (2, 4, 50))
"""(rows, steps, units)."""
SCRATCH = 60_000


def numbers_of(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("reverse", [False, True])
def test_plain_cells_of_any_size_agree_with_their_reference_bodies(reverse):
    for rng, (rows, steps, units), mask in cases():
        p, weight, first = (
            numbers_of(rng, rows, steps, units),
            numbers_of(rng, units, units) / 4,
            numbers_of(rng, rows, units),
        )
        states, dp, dh = np.empty_like(p), np.empty_like(p), np.empty_like(first)
        for activation in ("tanh", "relu"):
            attributes = {"activation": activation, "reverse": reverse}
            flags = (int(activation == "relu"), int(reverse), np.full(SCRATCH, np.nan, np.float32))
            call("rnn", p, weight, first, mask, *flags, states)
            agree([states], [recurrence.rnn(np, p, weight, first, mask, **attributes)])
            g = numbers_of(rng, *p.shape)
            call("rnn_gradient", states, weight, g, mask, *flags, (dp, dh))
            agree([dp, dh], recurrence.rnn_gradient(np, states, weight, g, mask, **attributes))
        call("leaky_rnn", p, weight, first, np.float32(0.3), np.full(SCRATCH, np.nan, np.float32), states)
        agree([states], [reservoir.leaky_rnn(np, p, weight, first, leak=0.3)])


@pytest.mark.parametrize("reverse", [False, True])
def test_lstms_of_any_size_agree_with_their_reference_bodies(reverse):
    for rng, (rows, steps, units), mask in cases():
        p, weight = numbers_of(rng, rows, steps, 4 * units), numbers_of(rng, units, 4 * units) / 4
        h0, c0 = numbers_of(rng, rows, units), numbers_of(rng, rows, units)
        made = [np.empty((rows, steps, units), np.float32) for _ in range(2)] + [np.empty_like(p)]
        flags = (int(reverse), np.full(SCRATCH, np.nan, np.float32))
        call("lstm", p, weight, h0, c0, mask, *flags, tuple(made))
        agree(made, gated_recurrence.lstm(np, p, weight, h0, c0, mask, reverse=reverse))
        gradients = [numbers_of(rng, *array.shape) for array in made]
        _, c, gates = made
        found = (np.empty_like(p), np.empty_like(h0), np.empty_like(c0))
        call("lstm_gradient", gates, weight, c, c0, *gradients, mask, *flags, found)
        attributes = {"given": ("h", "c", "gates"), "reverse": reverse}
        agree(found, gated_recurrence.lstm_gradient(np, gates, weight, c, c0, *gradients, mask, **attributes))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("reset_after", [False, True])
def test_grus_of_any_size_agree_with_their_reference_bodies(reset_after, reverse):
    forward, back = (name if reset_after else f"{name}_reset_before" for name in ("gru", "gru_gradient"))
    for rng, (rows, steps, units), mask in cases():
        p, weight = numbers_of(rng, rows, steps, 3 * units), numbers_of(rng, units, 3 * units) / 4
        bias, h0 = numbers_of(rng, 3 * units), numbers_of(rng, rows, units)
        kept = (3 + reset_after) * units
        made = (np.empty((rows, steps, units), np.float32), np.empty((rows, steps, kept), np.float32))
        flags = (int(reverse), np.full(SCRATCH, np.nan, np.float32))
        attributes = {"reset_after": reset_after, "reverse": reverse}
        call(forward, p, weight, bias, h0, mask, *flags, made)
        agree(made, gated_recurrence.gru(np, p, weight, bias, h0, mask, **attributes))
        gradients = [numbers_of(rng, *array.shape) for array in made]
        h, gates = made
        found = (np.empty_like(p), np.empty_like(p), np.empty_like(h0))
        call(back, gates, weight, h, h0, *gradients, mask, *flags, found)
        attributes["given"] = ("h", "gates")
        agree(found, gated_recurrence.gru_gradient(np, gates, weight, h, h0, *gradients, mask, **attributes))


def cases():
    """(numbers, a size, a mask) of every size, with half of the steps skipped and with none."""
    for size in SIZES:
        rng = np.random.default_rng(size)
        rows, steps, _ = size
        yield rng, size, rng.integers(0, 2, size=(rows, steps))
        yield rng, size, np.ones((rows, steps), np.int64)


def agree(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
