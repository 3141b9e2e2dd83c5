"""Elements moved, not computed with: joined, sliced, padded, cast, repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnctl.backends.cuda.calls import Call, Scratch, blocks_for, elements, emits, pack_of
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch, Slot

_FILE = "layout.cu"
_JOINED = 4
"""Arrays that one call of `concatenate` joins."""
_GROUPS = 5
"""Groups of axes, repeated and not in turns, that one call of `broadcast_to` knows."""


@emits("slice")
def _slice(launch: Launch) -> list[Call]:
    x, made = launch.inputs[0], launch.outputs[0]
    inner = _inner(made, launch.attributes["axis"])
    width, row, start = _row(made, launch), _row(x, launch), launch.attributes["start"] * inner
    pack = pack_of(width, row, start) if x.dtype == "real" else 1
    count = elements(made) // pack
    packs = (pack,) if x.dtype == "real" else ()
    numbers = (count, *packs, width // pack, row // pack, start // pack)
    return [Call(function(_FILE, f"slice_{x.dtype}"), blocks_for(count), (x, made, *numbers))]


@emits("pad")
def _pad(launch: Launch) -> list[Call]:
    x, made = launch.inputs[0], launch.outputs[0]
    width, row = _row(x, launch), _row(made, launch)
    start = launch.attributes["before"] * _inner(made, launch.attributes["axis"])
    pack = pack_of(width, row, start)
    count = elements(made) // pack
    numbers = (count, pack, width // pack, row // pack, start // pack)
    return [Call(function(_FILE, "pad"), blocks_for(count), (x, made, *numbers))]


@emits("concatenate")
def _concatenate(launch: Launch) -> list[Call]:
    made = launch.outputs[0]
    row = _row(made, launch)
    widths = [_row(x, launch) for x in launch.inputs]
    pack = pack_of(row, *widths)
    lines = elements(made) // max(1, row)
    calls, start = [], 0
    for first in range(0, len(widths), _JOINED):
        joined, wide = list(launch.inputs[first : first + _JOINED]), widths[first : first + _JOINED]
        width = sum(wide)
        count = lines * width // pack
        absent = _JOINED - len(joined)
        slots = (*joined, *joined[-1:] * absent)
        packs = [n // pack for n in (*wide, *[0] * absent, row, start)]
        calls.append(Call(function(_FILE, "concatenate"), blocks_for(count), (*slots, made, count, pack, *packs)))
        start += width
    return calls


def _inner(slot: Slot, axis: int) -> int:
    """Elements behind an axis."""
    return math.prod(slot.shape[axis % len(slot.shape) + 1 :])


def _row(slot: Slot, launch: Launch) -> int:
    """Consecutive elements of an array for each entry in front of the op's axis."""
    axis: int = launch.attributes["axis"]
    return slot.shape[axis] * _inner(slot, axis)


@emits("cast")
def _cast(launch: Launch) -> list[Call]:
    x, made = launch.inputs[0], launch.outputs[0]
    pack = pack_of(elements(made))
    count = elements(made) // pack
    return [Call(function(_FILE, f"cast_{x.dtype}"), blocks_for(count), (x, made, count, pack))]


@emits("broadcast_to")
def _broadcast_to(launch: Launch) -> list[Call]:
    x, made = launch.inputs[0], launch.outputs[0]
    return _repeated(x, made, _groups(x, made))


def _repeated(x: Slot | Scratch, made: Slot, groups: Sequence[tuple[int, bool]]) -> list[Call]:
    """The calls that repeat x along groups of axes: one, or the inner groups first where one knows not as many."""
    if len(groups) <= _GROUPS:
        return [_repetition(x, made, groups)]
    outer, inner = groups[: 1 - _GROUPS], groups[1 - _GROUPS :]
    kept, width = math.prod(n for n, kept in outer if kept), math.prod(n for n, _ in inner)
    between = Scratch(kept * width, key=f"{len(groups)} groups")
    return [_repetition(x, between, [(kept, True), *inner]), *_repeated(between, made, [*outer, (width, True)])]


def _repetition(x: Slot | Scratch, made: Slot | Scratch, groups: Sequence[tuple[int, bool]]) -> Call:
    groups = [(1, False)] * (_GROUPS - len(groups)) + list(groups)
    lengths = [n for n, _ in groups]
    strides: list[int] = []
    stride = 1
    for length, kept in reversed(groups):
        strides.insert(0, stride if kept else 0)
        stride *= length if kept else 1
    pack = pack_of(lengths[-1])
    count = math.prod(lengths) // pack
    inner = (*lengths[1:-1], lengths[-1] // pack)
    moves = (*strides[:-1], strides[-1] * pack)
    return Call(function(_FILE, "broadcast_to"), blocks_for(count), (x, made, count, pack, *inner, *moves))


def _groups(x: Slot, made: Slot) -> list[tuple[int, bool]]:
    """Axes of the result that are kept or repeated together, from the outermost on: (length, whether kept)."""
    shape = (1,) * (len(made.shape) - len(x.shape)) + x.shape
    groups: list[tuple[int, bool]] = []
    for length, own in zip(made.shape, shape, strict=True):
        if length == 1:
            continue
        kept = own == length
        if groups and groups[-1][1] == kept:
            groups[-1] = (groups[-1][0] * length, kept)
        else:
            groups.append((length, kept))
    return groups or [(1, False)]
