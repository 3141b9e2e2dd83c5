"""Sums, means and maxima over axes: in parts by many blocks where they are long, then over the parts."""

from __future__ import annotations

import math
from collections.abc import Iterator

from nnctl.backends.codegen.reductions import merged, merged_axes, reduced_axes
from nnctl.backends.cuda.calls import THREADS, Argument, Call, Scratch, blocks_for, emits, two_power
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch, Slot

_FILE = "reductions.cu"
_ENOUGH = 528
"""Blocks that keep the memory of a large device busy."""
_LONG = 32
"""Elements of one thread from which on a second pass is worth its launch."""
_LEAST = 8
"""Elements that each thread of a part should have."""


@emits("sum", "sum_to")
def _sum(launch: Launch) -> list[Call]:
    return list(_passes(launch, "sums", 1.0))


@emits("mean")
def _mean(launch: Launch) -> list[Call]:
    count = math.prod(launch.inputs[0].shape[a] for a in reduced_axes(launch))
    return list(_passes(launch, "sums", 1.0 / count if count else math.nan))


@emits("max")
def _max(launch: Launch) -> list[Call]:
    return list(_passes(launch, "maxima", None))


def _passes(launch: Launch, name: str, scale: float | None) -> Iterator[Call]:
    """The longest stretch of axes first: what is left for the others is smaller by its length."""
    source: Slot | Scratch = launch.inputs[0]
    groups = merged(g for g in merged_axes(launch.inputs[0], reduced_axes(launch)) if g[1] != 1)
    while True:
        gone = [i for i, (reduced, _) in enumerate(groups) if reduced]
        at = max(gone, key=lambda i: groups[i][1], default=len(groups))
        outer, inner = (math.prod(n for _, n in some) for some in (groups[:at], groups[at + 1 :]))
        length = groups[at][1] if gone else 1
        last = len(gone) <= 1
        target = launch.outputs[0] if last else Scratch(outer * inner, key=f"axis {at} of {len(groups)}")
        yield from middle(name, source, target, (outer, length, inner), scale if last or scale is None else 1.0)
        if last:
            return
        source, groups = target, merged([*groups[:at], *groups[at + 1 :]])


def middle(
    name: str, x: Slot | Scratch, y: Slot | Scratch, shape: tuple[int, int, int], scale: float | None
) -> Iterator[Call]:
    """Calls that reduce x of shape (outer, length, inner) over its middle axis into y, in one pass or two."""
    outer, length, inner = shape
    width = min(32, two_power(inner))
    each = -(-length // (THREADS // width))
    blocks = max(1, outer * blocks_for(inner, width))
    parts = min(_ENOUGH // blocks, each // _LEAST) if each >= _LONG else 1
    if parts > 1:
        pieces = Scratch(outer * parts * inner, key=f"parts of {outer}, {length}, {inner}")
        yield _pass(name, x, pieces, shape, parts, width, None if scale is None else 1.0)
        x, length = pieces, parts
    yield _pass(name, x, y, (outer, length, inner), 1, width, scale)


def _pass(
    name: str,
    x: Slot | Scratch,
    y: Slot | Scratch,
    shape: tuple[int, int, int],
    parts: int,
    width: int,
    scale: float | None,
) -> Call:
    outer, length, inner = shape
    # A few elements for each thread: their loads are under way at once.
    depth = min(THREADS // width, two_power(-(-length // (4 * parts))))
    blocks = blocks_for(inner, width) * blocks_for(outer * parts, THREADS // (width * depth))
    arguments: tuple[Argument, ...] = (x, y, *shape, parts, width, depth)
    if scale is not None:
        arguments = (*arguments, scale)
    return Call(function(_FILE, name), blocks, arguments, shared=4 * THREADS)
