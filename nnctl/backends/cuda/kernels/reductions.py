"""Sums, means and maxima over axes: in parts by many blocks where they are long, then over the parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from nnctl.backends.codegen.reductions import merged, reduced_axes
from nnctl.backends.cuda.calls import (
    MULTIPROCESSORS,
    THREADS,
    WARP,
    Argument,
    Call,
    Scratch,
    blocks_for,
    emits,
    two_power,
)
from nnctl.backends.cuda.codegen.functions import DeviceFunction, function
from nnctl.late import dataclass
from nnctl.plan.plan import Launch

REDUCTIONS = ("sum", "sum_to", "mean", "max")
_ENOUGH = 4 * MULTIPROCESSORS
"""Blocks that keep the memory of a large device busy."""
_LONG = 32
"""Elements of one thread from which on a second pass is worth its launch."""
_LEAST = 16
"""Elements that each thread of a part should have."""
_FEW = 4
"""Elements of one thread whose loads are under way at once, in any case."""
_MANY = 8
"""Elements of one thread that others had better share, if they have nothing else to do."""


@dataclass(frozen=True)
class Reducer:
    """A function that reduces, and what it is given.

    function: takes `inputs`, as many results as there are scales, six sizes and the scales. again: does the same
    with as many arrays as there are results. scales: of the results.
    """

    function: DeviceFunction
    inputs: tuple[Argument, ...]
    again: DeviceFunction
    scales: tuple[float, ...]


@emits(*REDUCTIONS)
def _reduction(launch: Launch) -> list[Call]:
    of_array = array_reducer(launch)
    reducer = Reducer(of_array, launch.inputs, of_array, (scale_of(launch),))
    return list(passes(reducer, launch.outputs, launch.inputs[0].shape, reduced_axes(launch)))


def array_reducer(launch: Launch) -> DeviceFunction:
    """The function that reduces an array in memory as a launch does."""
    return function("reductions.cu", "maxima" if launch.op.name == "max" else "sums")


def scale_of(launch: Launch) -> float:
    """The factor of a reduction's results: of a mean one over the number of elements."""
    if launch.op.name != "mean":
        return 1.0
    count = math.prod(launch.inputs[0].shape[a] for a in reduced_axes(launch))
    return 1.0 / count if count else math.nan


def passes(
    reducer: Reducer, outputs: Sequence[Argument], shape: Sequence[int], reduced: Sequence[int]
) -> Iterator[Call]:
    """Calls that reduce over axes of a shape; the longest stretch of axes first: it leaves the least to the others."""
    groups = merged((axis in reduced, length) for axis, length in enumerate(shape) if length != 1)
    while True:
        gone = [i for i, (goes, _) in enumerate(groups) if goes]
        at = max(gone, key=lambda i: groups[i][1], default=len(groups))
        outer, inner = (math.prod(n for _, n in some) for some in (groups[:at], groups[at + 1 :]))
        length = groups[at][1] if gone else 1
        if len(gone) <= 1:
            yield from _middle(reducer, outputs, (outer, length, inner))
            return
        kept = _between(outputs, outer * inner, f"{at} of {len(groups)}")
        yield from _middle(_unscaled(reducer), kept, (outer, length, inner))
        reducer = replace(reducer, function=reducer.again, inputs=kept)
        groups = merged([*groups[:at], *groups[at + 1 :]])


def _middle(reducer: Reducer, outputs: Sequence[Argument], shape: tuple[int, int, int]) -> Iterator[Call]:
    """Calls that reduce (outer, length, inner) over the middle axis, in one pass or two."""
    outer, length, inner = shape
    width = min(WARP, two_power(inner))
    each = -(-length // (THREADS // width))
    blocks = max(1, outer * blocks_for(inner, width))
    parts = min(_ENOUGH // blocks, each // _LEAST) if each >= _LONG else 1
    if parts > 1:
        pieces = _between(outputs, outer * parts * inner, f"parts of {outer}, {length}, {inner}")
        yield _pass(_unscaled(reducer), pieces, shape, parts, width)
        reducer, length = replace(reducer, function=reducer.again, inputs=pieces), parts
    # What is left is little: as many threads as can share it, though each reads less than memory gives at once.
    while width > 1 and length * width > _MANY * THREADS and outer * blocks_for(inner, width // 2) <= MULTIPROCESSORS:
        width //= 2
    yield _pass(reducer, outputs, (outer, length, inner), 1, width)


def _between(outputs: Sequence[Argument], elements: int, key: str) -> tuple[Scratch, ...]:
    """Memory between two passes, for each result."""
    return tuple(Scratch(elements, key=f"{key}, result {number}") for number in range(len(outputs)))


def _unscaled(reducer: Reducer) -> Reducer:
    return replace(reducer, scales=(1.0,) * len(reducer.scales))


def _pass(reducer: Reducer, outputs: Sequence[Argument], shape: tuple[int, int, int], parts: int, width: int) -> Call:
    outer, length, inner = shape
    depth = min(THREADS // width, two_power(-(-length // (_FEW * parts))))
    # Threads of a block that no entry is left for have columns.
    while width < inner and 2 * width * depth <= THREADS and outer * parts < THREADS // (width * depth):
        width *= 2
    blocks = blocks_for(inner, width) * blocks_for(outer * parts, THREADS // (width * depth))
    arguments = (*reducer.inputs, *outputs, *shape, parts, width, depth, *reducer.scales)
    return Call(reducer.function, blocks, arguments, shared=4 * THREADS * len(outputs))
