"""Rows of tables by index, and where a sequence is filled up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled, independent
from nnctl.backends.cpu.kernels.layout import fill
from nnctl.plan.plan import Launch


@compiled
def lookup(table: Any, index: Any, out: Any) -> None:
    """out_i ← table[index_i]; out (entries, units)."""
    units = out.shape[1]
    for i in range(index.size):
        row = index[i]
        for j in independent(units):
            out[i, j] = table[row, j]


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


@compiled
def as_index(x: Any, out: Any) -> None:
    """out ← x, whole numbers."""
    for i in range(out.size):
        out[i] = np.int64(x[i])


@emits("as_index", calls=(as_index,), rows=True)
def _as_index(writer: Writer, launch: Launch) -> None:
    part = part_of(launch)
    writer.line(f"as_index({writer.view(launch.inputs[0], part)}, {writer.view(launch.outputs[0], part)})")


@emits("lookup", calls=(lookup,), rows=True, full=(0,))
def _lookup(writer: Writer, launch: Launch) -> None:
    table, index = launch.inputs
    part = part_of(launch)
    out, rows = writer.matrix(launch.outputs[0], part), writer.matrix(table, "full")
    writer.line(f"lookup({rows}, {writer.view(index, part)}, {out})")


@emits("add_rows", calls=(add_rows,), blocks=True)
def _add_rows(writer: Writer, launch: Launch) -> None:
    x, index = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    first = writer.bounds(out)[0] if part == "partition" else "0"
    rows, result = writer.matrix(x, "full"), writer.matrix(out, part)
    writer.line(f"add_rows({rows}, {writer.view(index, 'full')}, {first}, {result})")


@emits("differs", calls=(differs,), rows=True)
def _differs(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    features = 1 if x.dtype == "index" else math.prod(x.shape[len(out.shape) :])
    value = launch.attributes["value"]
    text = str(int(value)) if x.dtype == "index" else writer.number(float(value))
    writer.line(f"differs({writer.view(x, part, ['-', features])}, {text}, {writer.view(out, part)})")
