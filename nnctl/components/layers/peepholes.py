"""The long short-term memory whose gates see the cell, step by step in the graph."""

from __future__ import annotations

from typing import Any

from nnctl.components.activations import Sigmoid
from nnctl.components.base import Array, Namespace
from nnctl.components.builder import Builder

_SIGMOID = Sigmoid()


def scan(
    builder: Builder, p: Any, recurrent: Any, peepholes: Any, states: list[Any], mask: list[Any], *, reverse: bool
) -> list[Any]:
    """All h and c (batch, time, units).

    p (batch, time, 4·units): the inputs' part of the sums, gates in the order i, f, g, o. peepholes (3·units,): of i, f
    and o. The scan is made of ops that every backend has, a few for each step: the graph grows with the sequence.
    """
    batch, steps, width = p.shape
    units = width // 4
    h, c = states
    of_input, of_forget, of_output = (_columns(builder, peepholes, gate, units, axis=0) for gate in range(3))
    hs, cs = {}, {}
    for t in reversed(range(steps)) if reverse else range(steps):
        sums = _at(builder, p, t, (batch, width)) + builder.apply("matmul", h, recurrent)
        zi, zf, zg, zo = (_columns(builder, sums, gate, units, axis=1) for gate in range(4))
        new_c = builder.formula("cell", _cell, zi, zf, zg, c, of_input, of_forget)
        new_h = builder.formula("hidden", _hidden, zo, new_c, of_output)
        if mask:
            there = builder.apply("cast", _at(builder, mask[0], t, (batch, 1)))
            h, c = (builder.formula("kept", _kept, there, *pair) for pair in ((new_h, h), (new_c, c)))
        else:
            h, c = new_h, new_c
        hs[t], cs[t] = h, c
    return [_stacked(builder, [found[t] for t in range(steps)]) for found in (hs, cs)]


def _cell(xp: Namespace, zi: Array, zf: Array, zg: Array, c: Array, of_input: Array, of_forget: Array) -> Array:
    kept, let_in = _SIGMOID.body(xp, zf + of_forget * c), _SIGMOID.body(xp, zi + of_input * c)
    return kept * c + let_in * xp.tanh(zg)


def _hidden(xp: Namespace, zo: Array, c: Array, of_output: Array) -> Array:
    return _SIGMOID.body(xp, zo + of_output * c) * xp.tanh(c)


def _kept(xp: Namespace, there: Array, new: Array, old: Array) -> Array:
    return xp.where(xp.greater(there, 0.0), new, old)


def _at(builder: Builder, x: Any, t: int, shape: tuple[Any, ...]) -> Any:
    """Step t of a sequence."""
    return builder.apply("reshape", builder.apply("slice", x, axis=1, start=t, stop=t + 1), shape=shape)


def _columns(builder: Builder, x: Any, gate: int, units: int, *, axis: int) -> Any:
    """The part of a gate."""
    return builder.apply("slice", x, axis=axis, start=gate * units, stop=(gate + 1) * units)


def _stacked(builder: Builder, steps: list[Any]) -> Any:
    """States (batch, units) as a sequence."""
    columns = [builder.apply("reshape", s, shape=(s.shape[0], 1, s.shape[1])) for s in steps]
    return builder.apply("concatenate", *columns, axis=1) if len(columns) > 1 else columns[0]
