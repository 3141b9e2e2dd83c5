"""Sums, means and maxima over axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnctl.backends.codegen.reductions import merged_axes, reduced_axes
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import LOOP_VARIABLES, Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.division import division_of
from nnctl.backends.cpu.kernels.layout import fill
from nnctl.backends.cpu.vectors.sums import total_of
from nnctl.plan.plan import Launch, Slot


@compiled
def total(x: Any) -> Any:
    """Σ x, in the order of `vectors.sums`."""
    return total_of(x.size, x)


def _scale(writer: Writer, x: Slot, reduced: Sequence[int]) -> str:
    """One over the number of elements that a mean runs over."""
    inner = math.prod(x.shape[a] for a in reduced if a != 0)
    if 0 not in reduced:
        return writer.number(1.0 / max(1, inner))
    return f"(F(1.0) / F({writer.length(x)} * {inner}))"


def _layout(lengths: Sequence[int]) -> list[str | int] | None:
    """The shape of a view whose axes after the first have these lengths."""
    return ["-", *lengths] if lengths else None


@emits("sum", "mean", "sum_to", calls=(fill, total), rows=True, blocks=True)
def _sum(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    reduced = reduced_axes(launch)
    scale = _scale(writer, x, reduced) if launch.op.name == "mean" else None
    groups = merged_axes(x, reduced)
    if all(gone for gone, _ in groups):
        name = writer.scalar(out) if out.shape == () else writer.names.fresh("total")
        writer.line(f"{name} = total({writer.view(x, 'full')})")
        if scale is not None:
            writer.line(f"{name} = {name} * {scale}")
        if out.shape != ():
            writer.line(f"{writer.view(out, 'full')}[0] = {name}")
        return
    _sum_some(writer, launch, groups)
    if scale is not None:
        flat = writer.view(out, part_of(launch))
        with writer.block(f"for i in range({flat}.size):"):
            writer.line(f"{flat}[i] *= {scale}")


def _sum_some(writer: Writer, launch: Launch, groups: list[tuple[bool, int]]) -> None:
    """Loops over all axes of x, adding into the entries of out."""
    x, out, part = launch.inputs[0], launch.outputs[0], part_of(launch)
    rowwise = division_of(launch) == "rows"
    kept = [g for g, (gone, _) in enumerate(groups) if not gone]
    source = writer.view(x, "partition" if rowwise else "full", _layout([n for _, n in groups[1:]]))
    target = writer.view(out, part, _layout([groups[g][1] for g in kept[1:]]))
    writer.line(f"fill({writer.view(out, part)}, F(0.0))")
    variables = LOOP_VARIABLES[: len(groups)]
    turns, shift = [], ""
    for g, (_, length) in enumerate(groups):
        turn = str(length)
        if g == 0 and x.batched:
            turn = f"{writer.count(x, part if rowwise else 'full')} * {length // max(1, x.shape[0])}"
        elif part == "partition" and not rowwise and g == kept[0]:
            # A block of the result: its first kept axis begins at the thread's partition.
            inner = length // max(1, out.shape[0])
            first, _ = writer.bounds(out)
            turn = f"{writer.count(out)} * {inner}"
            shift = "" if first == "0" else f" + {first} * {inner}"
        turns.append(turn)
    to = ", ".join(variables[g] for g in kept)
    of = ", ".join(v + shift if g == kept[0] else v for g, v in enumerate(variables))
    writer.nest(variables, turns, [f"{target}[{to}] += {source}[{of}]"])


@emits("max", calls=(fill,))
def _max(writer: Writer, launch: Launch) -> None:
    """Loops over all axes of x, keeping in the entries of out what is larger, or no number."""
    x, out = launch.inputs[0], launch.outputs[0]
    groups = merged_axes(x, reduced_axes(launch))
    kept = [g for g, (gone, _) in enumerate(groups) if not gone]
    source = writer.view(x, "full", _layout([n for _, n in groups[1:]]))
    variables = LOOP_VARIABLES[: len(groups)]
    if not kept:
        target = writer.scalar(out) if out.shape == () else f"{writer.view(out, 'full')}[0]"
        writer.line(f"{target} = F(-math.inf)")
    else:
        writer.line(f"fill({writer.view(out, 'full')}, F(-math.inf))")
        view = writer.view(out, "full", _layout([groups[g][1] for g in kept[1:]]))
        target = f"{view}[{', '.join(variables[g] for g in kept)}]"
    turns = [f"{source}.shape[0]", *(str(length) for _, length in groups[1:])]
    value = f"{source}[{', '.join(variables)}]"
    writer.nest(variables, turns, [f"if {value} > {target} or {value} != {value}:", f"    {target} = {value}"])
