"""Convolution, its transpose and the gradient of its kernel: a tile and a number of parts for each shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nnctl.backends.cuda.calls import THREADS, Call, Scratch, blocks_for, elements, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch, Slot

_FILE = "convolution.cu"
_PAD = 4
_PROCESSORS = 132
_LAUNCH = 300_000
"""The cost of a second launch, in multiplications that one processor makes meanwhile."""
_PART = 0.7
"""The cost of an element of a part, which is written and read again, in the same."""


@dataclass(frozen=True)
class Tile:
    """A tile of a product: what a block makes, and the depth of the panels that it holds.

    slices: groups of warps that share a panel's depth. speed: of its inner loop, to the best one's.
    """

    rows: int
    columns: int
    depth: int
    slices: int
    speed: float

    @property
    def shared(self) -> int:
        """Bytes of shared memory: two pairs of panels, or the slices' sums."""
        panels = 2 * self.depth * (self.rows + self.columns + 2 * _PAD)
        return 4 * max(panels, self.slices * self.rows * self.columns if self.slices > 1 else 0)

    def count(self, rows: int, columns: int) -> int:
        """Tiles of a product of that size."""
        return blocks_for(rows, self.rows) * blocks_for(columns, self.columns)


TILES = (Tile(128, 64, 8, 1, 1.0), Tile(128, 32, 16, 2, 0.9), Tile(32, 32, 32, 4, 0.6))
"""As convolution.cu has them."""


def tiling(products: int, rows: int, columns: int, depth: int) -> tuple[Tile, int]:
    """The tile for so many products (rows, depth)·(depth, columns), and the parts into which their sums are split.

    The one of least cost by a model of a device with 132 processors: a processor is kept busy by two blocks or
    more, all have as many blocks as the one that has most, and parts are written and read again.
    """

    def cost(choice: tuple[Tile, int]) -> float:
        tile, parts = choice
        blocks = products * parts * tile.count(rows, columns)
        panels = -(-blocks_for(depth, tile.depth) // parts)
        turns = max(2, blocks_for(blocks, _PROCESSORS))
        work = turns * tile.rows * tile.columns * tile.depth * panels / tile.speed
        return work + (_LAUNCH + _PART * parts * products * rows * columns if parts > 1 else 0)

    def parts_of(tile: Tile) -> list[int]:
        panels = max(1, blocks_for(depth, tile.depth))
        return sorted({-(-panels // each) for each in {max(1, panels >> i) for i in range(9)}})

    return min(((tile, parts) for tile in TILES for parts in parts_of(tile)), key=cost)


def two(values: Sequence[Any], missing: Any) -> tuple[Any, Any]:
    """Something for height and width, where there may be a width alone."""
    first, second = (missing, *values)[-2:]
    return first, second


@dataclass(frozen=True)
class Geometry:
    """A convolution over images; one spatial axis is an image of height 1. The fields are those of convolution.cu."""

    images: int
    height: int
    width: int
    channels: int
    rows: int
    columns: int
    filters: int
    kh: int
    kw: int
    down: int
    across: int
    spread_down: int
    spread_across: int
    top: int
    left: int
    groups: int

    @property
    def numbers(self) -> tuple[int, ...]:
        """All of them, as arguments."""
        return tuple(vars(self).values())


def geometry(x: Sequence[int], kernel: Sequence[int], y: Sequence[int], window: Any) -> Geometry:
    """The geometry of x (images, *lengths, channels) convolved to y (images, *positions, filters)."""
    (down, across), (spread_down, spread_across) = two(window["stride"], 1), two(window["dilation"], 1)
    (top, _), (left, _) = two(window["padding"], (0, 0))
    sizes = (*two(x[1:-1], 1), x[-1], *two(y[1:-1], 1), y[-1], *two(kernel, 1))
    return Geometry(x[0], *sizes, down, across, spread_down, spread_across, top, left, window["groups"])


def _calls(launch: Launch, g: Geometry, products: int, rows: int, columns: int, depth: int) -> list[Call]:
    """The product in tiles, and the sum of its parts where it has some."""
    tile, parts = tiling(products, rows, columns, depth)
    out = launch.outputs[0]
    to: Slot | Scratch = out if parts == 1 else Scratch(parts * elements(out))
    name = f"{launch.op.name}_{tile.rows}x{tile.columns}"
    blocks = products * parts * tile.count(rows, columns) if elements(out) else 0
    calls = [Call(function(_FILE, name), blocks, (*launch.inputs, to, parts, *g.numbers), tile.shared)]
    return calls if parts == 1 else [*calls, _sum(to, out, parts)]


def _sum(parts: Slot | Scratch, out: Slot, number: int) -> Call:
    blocks = blocks_for(elements(out), 32)
    return Call(function(_FILE, "add_convolved"), blocks, (parts, out, elements(out), number), 4 * THREADS)


@emits("convolution")
def _convolution(launch: Launch) -> list[Call]:
    x, w = launch.inputs
    y = launch.outputs[0]
    g = geometry(x.shape, w.shape[:-2], y.shape, launch.attributes)
    depth = math.prod(w.shape[:-1])
    return _calls(launch, g, g.groups, math.prod(y.shape[:-1]), g.filters // g.groups, depth)


@emits("convolution_transpose")
def _convolution_transpose(launch: Launch) -> list[Call]:
    y, w = launch.inputs
    x = launch.outputs[0]
    g = geometry(x.shape, w.shape[:-2], y.shape, launch.attributes)
    # Pixels in classes of those that lie a stride apart; of the kernel's places each class meets its share.
    classes = g.down * g.across
    pixels = g.images * blocks_for(g.height, g.down) * blocks_for(g.width, g.across)
    depth = blocks_for(g.kh, g.down) * blocks_for(g.kw, g.across) * g.filters // g.groups
    return _calls(launch, g, g.groups * classes, pixels, g.channels // g.groups, depth)


@emits("convolution_kernel")
def _convolution_kernel(launch: Launch) -> list[Call]:
    x, y = launch.inputs
    w = launch.outputs[0]
    g = geometry(x.shape, w.shape[:-2], y.shape, launch.attributes)
    inputs = math.prod(w.shape[:-1])
    return _calls(launch, g, g.groups, inputs, g.filters // g.groups, math.prod(y.shape[:-1]))
