"""The generated code of structured ops: one writer an op."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Part, Writer, part_of
from nnctl.backends.cpu.division import division_of
from nnctl.backends.cpu.gemm.product import room
from nnctl.plan.plan import Launch, Slot


def _matrix(writer: Writer, slot: Slot, part: Part) -> str:
    """A slot as (rows, last axis)."""
    return writer.view(slot, part, ["-", slot.shape[-1]])


# -- products --------------------------------------------------------------------------------------


def _product(writer: Writer, launch: Launch, a: Slot, b: Slot, c: Slot, alpha: str, beta: str) -> None:
    ta, tb = (bool(launch.attributes.get(f"transpose_{x}")) for x in "ab")
    inner = writer.length(a) if ta else str(a.shape[1])
    columns = c.shape[1]
    part = part_of(launch)
    rows = writer.count(c, part)
    if division_of(launch) == "rows":
        a_text = writer.view(a, "own")
    elif part == "own":
        # A block of C's rows needs these columns of A if A is transposed, else these rows.
        first, _ = writer.bounds(c)
        offset = first if ta else f"{first} * {a.shape[1]}"
        flat = writer.view(a, "whole")
        a_text = f"window1({flat}, {offset}, {flat}.size - {offset})"
    else:
        a_text = writer.view(a, "whole")
    arguments = [
        "1" if ta else "0", "1" if tb else "0", rows, str(columns), inner, alpha,
        a_text, str(a.shape[1]), writer.view(b, "whole"), str(b.shape[1]), beta,
        writer.view(c, part), str(columns), "room", "1", "0",
    ]  # fmt: skip
    writer.needs_room(room(c.shape[0], a.shape[0] if ta else a.shape[1], transposed=ta))
    writer.line(f"gemm({', '.join(arguments)})")


@emits("matmul", rows=True, blocks=True, whole=(1,))
def _matmul(writer: Writer, launch: Launch) -> None:
    a, b = launch.inputs
    _product(writer, launch, a, b, launch.outputs[0], "F(1.0)", "F(0.0)")


@emits("accumulate_product", blocks=True, own=(0,))
def _accumulate_product(writer: Writer, launch: Launch) -> None:
    c, a, b, alpha, beta = launch.inputs
    out = launch.outputs[0]
    if (out.place, out.key, out.offset) != (c.place, c.key, c.offset):
        part = part_of(launch)
        writer.line(f"copy({writer.view(c, part)}, {writer.view(out, part)})")
    _product(writer, launch, a, b, out, writer.scalar(alpha), writer.scalar(beta))


# -- sums ------------------------------------------------------------------------------------------


def _reduced_axes(launch: Launch) -> tuple[int, ...]:
    x = launch.inputs[0].shape
    if launch.op.name == "sum_to":
        shape = launch.attributes["shape"]
        missing = len(x) - len(shape)
        return (*range(missing), *(i + missing for i, n in enumerate(shape) if n == 1 and x[i + missing] != 1))
    return tuple(a % len(x) for a in launch.attributes["axes"])


def _scale(writer: Writer, x: Slot, reduced: Sequence[int]) -> str:
    """One over the number of elements that a mean runs over."""
    inner = math.prod(x.shape[a] for a in reduced if a != 0)
    if 0 not in reduced:
        return writer.number(1.0 / max(1, inner))
    return f"(F(1.0) / F({writer.length(x)} * {inner}))"


def _merged(x: Slot, reduced: Sequence[int]) -> list[tuple[bool, int]]:
    """Neighbouring axes of equal fate as one: (is it summed over, length)."""
    groups: list[tuple[bool, int]] = []
    for axis, length in enumerate(x.shape):
        gone = axis in reduced
        if groups and groups[-1][0] == gone:
            groups[-1] = (gone, groups[-1][1] * length)
        else:
            groups.append((gone, length))
    return groups or [(True, 1)]


@emits("sum", "mean", "sum_to", rows=True, blocks=True)
def _sum(writer: Writer, launch: Launch) -> None:
    x, out = launch.inputs[0], launch.outputs[0]
    reduced = _reduced_axes(launch)
    scale = _scale(writer, x, reduced) if launch.op.name == "mean" else None
    groups = _merged(x, reduced)
    if all(gone for gone, _ in groups):
        name = writer.scalar(out) if out.shape == () else writer.fresh("total")
        writer.line(f"{name} = total({writer.view(x, 'whole')})")
        if scale is not None:
            writer.line(f"{name} = {name} * {scale}")
        if out.shape != ():
            writer.line(f"{writer.view(out, 'whole')}[0] = {name}")
        return
    _sum_some(writer, launch, x, out, groups, scale)


def _sum_some(
    writer: Writer, launch: Launch, x: Slot, out: Slot, groups: list[tuple[bool, int]], scale: str | None
) -> None:
    """Loops over all axes of x, adding into the entries of out."""
    part = part_of(launch)
    rowwise = division_of(launch) == "rows"
    kept = [g for g, (gone, _) in enumerate(groups) if not gone]
    source = writer.view(x, "own" if rowwise else "whole", ["-", *(n for _, n in groups[1:])] if groups[1:] else None)
    target = writer.view(out, part, ["-", *(groups[g][1] for g in kept[1:])] if kept[1:] else None)
    writer.line(f"fill({writer.view(out, part)}, F(0.0))")
    variables = "ijklmn"[: len(groups)]
    heads, shift = [], ""
    for g, (_, length) in enumerate(groups):
        head = str(length)
        if g == 0 and x.batched:
            head = f"{writer.count(x, part if rowwise else 'whole')} * {length // max(1, x.shape[0])}"
        elif part == "own" and not rowwise and g == kept[0]:
            # A block of the result: its first kept axis begins at the thread's part.
            inner = length // max(1, out.shape[0])
            first, _ = writer.bounds(out)
            head = f"{writer.count(out)} * {inner}"
            shift = "" if first == "0" else f" + {first} * {inner}"
        heads.append(head)
    _nest(writer, variables, heads, [
        f"{target}[{', '.join(variables[g] for g in kept)}] += "
        f"{source}[{', '.join(v + shift if g == kept[0] else v for g, v in enumerate(variables))}]"
    ])  # fmt: skip
    if scale is not None:
        flat = writer.view(out, part)
        with writer.block(f"for i in range({flat}.size):"):
            writer.line(f"{flat}[i] *= {scale}")


@emits("max")
def _max(writer: Writer, launch: Launch) -> None:
    """Loops over all axes of x, keeping in the entries of out what is larger, or no number."""
    x, out = launch.inputs[0], launch.outputs[0]
    groups = _merged(x, _reduced_axes(launch))
    kept = [g for g, (gone, _) in enumerate(groups) if not gone]
    source = writer.view(x, "whole", ["-", *(n for _, n in groups[1:])] if groups[1:] else None)
    if not kept:
        target = writer.scalar(out) if out.shape == () else f"{writer.view(out, 'whole')}[0]"
        writer.line(f"{target} = F(-math.inf)")
    else:
        writer.line(f"fill({writer.view(out, 'whole')}, F(-math.inf))")
        view = writer.view(out, "whole", ["-", *(groups[g][1] for g in kept[1:])] if kept[1:] else None)
        target = f"{view}[{', '.join('ijklmn'[g] for g in kept)}]"
    variables = "ijklmn"[: len(groups)]
    heads = [f"{source}.shape[0]", *(str(length) for _, length in groups[1:])]
    value = f"{source}[{', '.join(variables)}]"
    _nest(writer, variables, heads, [f"if {value} > {target} or {value} != {value}:", f"    {target} = {value}"])


def _nest(writer: Writer, variables: Sequence[str], heads: Sequence[str], inside: Sequence[str]) -> None:
    if not heads:
        for line in inside:
            writer.line(line)
        return
    with writer.block(f"for {variables[0]} in range({heads[0]}):"):
        _nest(writer, variables[1:], heads[1:], inside)


# -- classification --------------------------------------------------------------------------------


@emits("softmax", rows=True)
def _softmax(writer: Writer, launch: Launch) -> None:
    z, a = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    writer.line(f"softmax({_matrix(writer, z, part)}, {_matrix(writer, a, part)})")


def _class_numbers(writer: Writer, weights: Sequence[float] | None, classes: int) -> str:
    """A tuple of the classes' weights."""
    values = weights if weights is not None else (1.0,) * classes
    return f"({', '.join(writer.number(float(w)) for w in values)},)"


@emits("softmax_log_likelihood", "log_likelihood", "target_distribution", rows=True)
def _likelihood(writer: Writer, launch: Launch) -> None:
    *scores, labels = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    attributes: dict[str, Any] = dict(launch.attributes)
    weights = attributes.get("class_weights")
    smoothing = float(attributes.get("label_smoothing") or 0.0)
    read = [_matrix(writer, s, part) for s in scores]
    label_view, result = writer.view(labels, part), writer.view(out, part)
    if launch.op.name == "target_distribution":
        read, result = [], _matrix(writer, out, part)
    plain = weights is None and not smoothing and scores
    if plain:
        writer.line(f"{launch.op.name}({', '.join([*read, label_view, result])})")
        return
    classes = scores[0].shape[-1] if scores else out.shape[-1]
    numbers = [writer.number(smoothing), _class_numbers(writer, weights, classes)]
    name = launch.op.name if not scores else f"{launch.op.name}_weighted"
    writer.line(f"{name}({', '.join([*read, label_view, *numbers, result])})")


@emits("label_weight", rows=True)
def _label_weight(writer: Writer, launch: Launch) -> None:
    labels, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    weights = launch.attributes["weights"]
    numbers = _class_numbers(writer, weights, len(weights))
    writer.line(f"label_weight({writer.view(labels, part)}, {numbers}, {writer.view(out, part)})")


@emits("one_hot", rows=True)
def _one_hot(writer: Writer, launch: Launch) -> None:
    labels, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    writer.line(f"one_hot({writer.view(labels, part)}, {_matrix(writer, out, part)})")


@emits("argmax", rows=True)
def _argmax(writer: Writer, launch: Launch) -> None:
    part = part_of(launch)
    writer.line(f"argmax({_matrix(writer, launch.inputs[0], part)}, {writer.view(launch.outputs[0], part)})")


@emits("same", rows=True)
def _same(writer: Writer, launch: Launch) -> None:
    part = part_of(launch)
    a, b, out = (writer.view(s, part) for s in (*launch.inputs, launch.outputs[0]))
    with writer.block(f"for i in range({out}.size):"):
        writer.line(f"{out}[i] = F(1.0) if {a}[i] == {b}[i] else F(0.0)")


@emits("in_top_k", rows=True)
def _in_top_k(writer: Writer, launch: Launch) -> None:
    scores, labels = launch.inputs
    part = part_of(launch)
    out = writer.view(launch.outputs[0], part)
    k = launch.attributes["k"]
    writer.line(f"in_top_k({_matrix(writer, scores, part)}, {writer.view(labels, part)}, {k}, {out})")


# -- moving elements -------------------------------------------------------------------------------


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
    variables = "ijklmn"[: len(out.shape)]
    target = writer.view(out, part, ["-", *out.shape[1:]] if len(out.shape) > 1 else None)
    own = division_of(launch) == "rows" and x.batched
    source = writer.view(x, "own" if own else "whole", ["-", *x.shape[1:]] if len(x.shape) > 1 else None)
    first = writer.bounds(out)[0] if part == "own" else "0"
    index = []
    for axis, length in enumerate(x.shape):
        variable = variables[axis + shift]
        moved = f"{variable} + {first}" if axis + shift == 0 and not own and first != "0" else variable
        index.append("0" if length == 1 and not (axis == 0 and x.batched) else moved)
    heads = [writer.count(out, part), *map(str, out.shape[1:])]
    value = f"{source}[{', '.join(index)}]" if x.shape else writer.scalar(x)
    _nest(writer, variables, heads, [f"{target}[{', '.join(variables)}] = {value}"])


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


@emits("pad", rows=True)
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
        source, target = (writer.view(s, "whole", ["-", inner]) for s in (x, out))
        places = [f"i + {start}, j" if start else "i, j" for start in starts]
        _nest(writer, "ij", [str(length), str(inner)], [f"{target}[{places[1]}] = {source}[{places[0]}]"])
        return
    before, after = _around(out.shape, axis)
    source = writer.view(x, part, ["-", before, x.shape[axis], after])
    target = writer.view(out, part, ["-", before, out.shape[axis], after])
    heads = [writer.count(out, part), str(before), str(length), str(after)]
    places = [f"i, j, k + {start}, l" if start else "i, j, k, l" for start in starts]
    _nest(writer, "ijkl", heads, [f"{target}[{places[1]}] = {source}[{places[0]}]"])


# -- randomness ------------------------------------------------------------------------------------


@emits("uniform", "normal", rows=True, blocks=True)
def _random(writer: Writer, launch: Launch) -> None:
    seed, step = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    first = f"{writer.bounds(out)[0]} * {math.prod(out.shape[1:])}" if part == "own" else "0"
    target = writer.view(out, part)
    stream = launch.attributes["stream"]
    writer.line(f"{launch.op.name}({writer.view(seed, 'whole')}, {writer.scalar(step)}, {stream}, {first}, {target})")
