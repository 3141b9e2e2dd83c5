"""Rows of tables by index, rows added at their indices, one-hot rows, and steps that are filled up."""

from __future__ import annotations

import math

import numpy as np

from nnctl.backends.cuda.calls import THREADS, WARP, Call, blocks_for, elements, emits, pack_of
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch

_FILE = "lookup.cu"


@emits("gather", "lookup")
def _rows(launch: Launch) -> list[Call]:
    table, index = launch.inputs
    made = launch.outputs[0]
    inner = math.prod(table.shape[1:])
    pack = pack_of(inner)
    count = elements(made) // pack
    arguments = (table, index, made, count, pack, inner // pack)
    return [Call(function(_FILE, f"rows_{table.dtype}"), blocks_for(count), arguments)]


@emits("add_rows")
def _add_rows(launch: Launch) -> list[Call]:
    """Blocks find their entries among all indices, so that nothing is sorted and no two blocks add to one place.

    That is rows·entries comparisons; of a table of more rows than entries most rows stay 0, and each entry is
    compared with all others instead.
    """
    x, index = launch.inputs
    made = launch.outputs[0]
    rows, units = made.shape
    entries = elements(index)
    pack = pack_of(units)
    pieces = blocks_for(units, WARP * pack)
    arguments = (x, index, made, entries, units, pack, pieces)
    shared = 4 * THREADS * pack
    if rows <= entries:
        return [Call(function(_FILE, "add_rows"), rows * pieces, arguments, shared)]
    count = rows * units // pack
    return [
        Call(function(_FILE, "zeros"), blocks_for(count), (made, count, pack)),
        Call(function(_FILE, "add_few_rows"), entries * pieces, arguments, shared),
    ]


@emits("as_index")
def _as_index(launch: Launch) -> list[Call]:
    x, made = launch.inputs[0], launch.outputs[0]
    count = elements(made)
    return [Call(function(_FILE, "as_index"), blocks_for(count), (x, made, count))]


@emits("one_hot")
def _one_hot(launch: Launch) -> list[Call]:
    labels, made = launch.inputs[0], launch.outputs[0]
    count = elements(made)
    return [Call(function(_FILE, "one_hot"), blocks_for(count), (labels, made, count, made.shape[-1]))]


@emits("differs")
def _differs(launch: Launch) -> list[Call]:
    x, made = launch.inputs[0], launch.outputs[0]
    count, value = elements(made), float(launch.attributes["value"])
    if x.dtype == "index":
        # An index may have more digits than one float32, not more than two.
        rest = value - float(np.float32(value))
        return [Call(function(_FILE, "differs_index"), blocks_for(count), (x, made, count, value, rest))]
    arguments = (x, made, count, x.shape[-1], value)
    return [Call(function(_FILE, "differs_real"), blocks_for(count, THREADS // WARP), arguments)]
