"""Convolutions of groups that are too small for tiles, depthwise ones above all."""

from __future__ import annotations

from nnctl.backends.cuda.calls import MULTIPROCESSORS, Call, Scratch, blocks_for, elements
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.geometry import Geometry
from nnctl.backends.cuda.kernels.parts import added_up
from nnctl.plan.plan import Launch

_FILE = "grouped_convolution.cu"
_FEW = 16
"""Columns of a group's product below which a tile would stay empty for the most part."""
_BLOCKS = 8 * MULTIPROCESSORS
"""Blocks that fill a device: a multiprocessor holds no more than eight."""


def scattered(g: Geometry, made: int) -> bool:
    """True where groups share the `made` channels of a result into so few each."""
    return g.groups > 1 and made // g.groups < _FEW


def grouped(launch: Launch, g: Geometry) -> Call:
    """The call of a convolution or its transpose, a thread an element."""
    out = launch.outputs[0]
    called = function(_FILE, f"grouped_{launch.op.name}")
    return Call(called, blocks_for(elements(out)), (*launch.inputs, out, *g.numbers))


def grouped_kernel(launch: Launch, g: Geometry) -> list[Call]:
    """The calls that make the gradient of a kernel: of its elements, each from some rows of positions a thread."""
    out = launch.outputs[0]
    tiles = blocks_for(elements(out))
    parts = max(1, min(g.images * g.rows, _BLOCKS // max(1, tiles)))
    called = function(_FILE, "grouped_convolution_kernel")
    if parts == 1:
        return [Call(called, tiles, (*launch.inputs, out, 1, *g.numbers))]
    to = Scratch(parts * elements(out))
    return [Call(called, tiles * parts, (*launch.inputs, to, parts, *g.numbers)), added_up(to, out, parts)]
