"""Elements moved, not computed with: filled, copied, gathered, cast, broadcast, joined, sliced, padded."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import LOOP_VARIABLES, Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.division import division_of
from nnctl.plan.plan import Launch, Slot


@compiled
def fill(x: Any, value: Any) -> None:
    """x ← value."""
    for i in range(x.size):
        x[i] = value


@compiled
def copy(x: Any, out: Any) -> None:
    """out ← x."""
    for i in range(x.size):
        out[i] = x[i]


@emits("gather", rows=True)
def _gather(writer: Writer, launch: Launch) -> None:
    table, index = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    rows = writer.view(index, part)
    inner = math.prod(out.shape[1:])
    if len(out.shape) == 1:
        with writer.block(f"for i in range({rows}.size):"):
            writer.line(f"{writer.view(out, part)}[i] = {writer.table(table, ())}[{rows}[i]]")
        return
    source, target = writer.table(table, (inner,)), writer.view(out, part, ["-", inner])
    with writer.block(f"for i in range({rows}.size):"):
        writer.line(f"row = {rows}[i]")
        with writer.block(f"for j in range({inner}):"):
            writer.line(f"{target}[i, j] = {source}[row, j]")


@emits("cast", rows=True)
def _cast(writer: Writer, launch: Launch) -> None:
    part = part_of(launch)
    if launch.outputs[0].shape == ():
        writer.line(f"{writer.scalar(launch.outputs[0])} = F({writer.scalar(launch.inputs[0])})")
        return
    x, out = writer.view(launch.inputs[0], part), writer.view(launch.outputs[0], part)
    with writer.block(f"for i in range({out}.size):"):
        writer.line(f"{out}[i] = F({x}[i])")


@emits("broadcast_to", rows=True, blocks=True)
def _broadcast_to(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    shift = len(out.shape) - len(x.shape)
    variables = LOOP_VARIABLES[: len(out.shape)]
    target = writer.view(out, part, ["-", *out.shape[1:]] if len(out.shape) > 1 else None)
    partitioned = division_of(launch) == "rows" and x.batched
    layout: list[int | str] | None = ["-", *x.shape[1:]] if len(x.shape) > 1 else None
    source = writer.view(x, "partition" if partitioned else "full", layout)
    first = writer.bounds(out)[0] if part == "partition" else "0"
    index = []
    for axis, length in enumerate(x.shape):
        variable = variables[axis + shift]
        moved = f"{variable} + {first}" if axis + shift == 0 and not partitioned and first != "0" else variable
        index.append("0" if length == 1 and not (axis == 0 and x.batched) else moved)
    turns = [writer.count(out, part), *map(str, out.shape[1:])]
    value = f"{source}[{', '.join(index)}]" if x.shape else writer.scalar(x)
    writer.nest(variables, turns, [f"{target}[{', '.join(variables)}] = {value}"])


def _around(shape: Sequence[int], axis: int) -> tuple[int, int]:
    """Elements before and after an axis, the batch's own axis apart."""
    return math.prod(shape[1:axis]), math.prod(shape[axis + 1 :])


@emits("concatenate", rows=True)
def _concatenate(writer: Writer, launch: Launch) -> None:
    out = launch.outputs[0]
    axis = launch.attributes["axis"] % len(out.shape)
    start = 0
    for x in launch.inputs:
        _copy_along(writer, launch, x, out, axis, x.shape[axis], (0, start))
        start += x.shape[axis]


@emits("slice", rows=True)
def _slice(writer: Writer, launch: Launch) -> None:
    axis, start = launch.attributes["axis"], launch.attributes["start"]
    length = launch.attributes["stop"] - start
    _copy_along(writer, launch, launch.inputs[0], launch.outputs[0], axis, length, (start, 0))


@emits("pad", calls=(fill,), rows=True)
def _pad(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    axis = launch.attributes["axis"]
    writer.line(f"fill({writer.view(out, part_of(launch))}, F(0.0))")
    _copy_along(writer, launch, x, out, axis, x.shape[axis], (0, launch.attributes["before"]))


def _copy_along(
    writer: Writer, launch: Launch, x: Slot, out: Slot, axis: int, length: int, starts: tuple[int, int]
) -> None:
    """Copy `length` positions along an axis after the first, from and to the given starts."""
    part = part_of(launch)
    if axis == 0:
        if out.batched:
            raise ValueError(f"{launch.op.name} along the batch has no generated code")
        inner = math.prod(out.shape[1:])
        source, target = (writer.view(s, "full", ["-", inner]) for s in (x, out))
        indices = [f"i + {start}, j" if start else "i, j" for start in starts]
        writer.nest("ij", [str(length), str(inner)], [f"{target}[{indices[1]}] = {source}[{indices[0]}]"])
        return
    before, after = _around(out.shape, axis)
    source = writer.view(x, part, ["-", before, x.shape[axis], after])
    target = writer.view(out, part, ["-", before, out.shape[axis], after])
    turns = [writer.count(out, part), str(before), str(length), str(after)]
    indices = [f"i, j, k + {start}, l" if start else "i, j, k, l" for start in starts]
    writer.nest("ijkl", turns, [f"{target}[{indices[1]}] = {source}[{indices[0]}]"])
