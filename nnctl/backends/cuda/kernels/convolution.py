"""Convolution, its transpose and the gradient of its kernel: a tile and a number of parts for each shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nnctl.backends.cuda.calls import (
    MULTIPROCESSORS,
    Argument,
    Call,
    ProductPrecision,
    Scratch,
    blocks_for,
    elements,
    emits_in_precision,
)
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.ends import End, emits_with_end, reading
from nnctl.backends.cuda.kernels.geometry import Geometry, geometry_of
from nnctl.backends.cuda.kernels.grouped_convolution import grouped, grouped_kernel, scattered
from nnctl.backends.cuda.kernels.parts import added_up
from nnctl.plan.plan import Launch, Slot

_LAUNCH = 300_000
"""The cost of a second launch, in multiplications that one multiprocessor makes meanwhile."""
_PART = 0.7
"""The cost of an element of a part, which is written and read again, in the same."""


@dataclass(frozen=True)
class Tile:
    """A tile of a product: what a block makes, and the depth of the panels that it holds.

    stages: pairs of panels in use or under way. slices: groups of warps that share a panel's depth. speed: of its inner
    loop, to that of the fastest in float32.
    """

    rows: int
    columns: int
    depth: int
    stages: int
    slices: int
    speed: float

    @property
    def shared(self) -> int:
        """Bytes of shared memory: the spots of four panels' steps, and pairs of panels or the slices' sums."""
        # Whichever way panels and sums lie, the floats behind their rows are no more than these.
        each = max(4 * self.rows, 8 * self.depth) + max(4 * self.columns, 8 * self.depth)
        panels = self.stages * (self.depth * (self.rows + self.columns) + each)
        sums = self.slices * self.rows * (self.columns + 8)
        return 4 * (16 * self.depth + max(panels, sums))

    def count(self, rows: int, columns: int) -> int:
        """Tiles of a product of that size."""
        return blocks_for(rows, self.rows) * blocks_for(columns, self.columns)


TILES: Mapping[ProductPrecision, tuple[Tile, ...]] = {
    "float32": (Tile(128, 64, 16, 3, 2, 1.0), Tile(128, 32, 32, 3, 4, 0.9), Tile(32, 32, 32, 3, 8, 0.6)),
    "tf32": (Tile(128, 64, 32, 3, 1, 3.0), Tile(128, 32, 32, 3, 2, 2.5), Tile(32, 32, 64, 3, 4, 1.2)),
    "bf16": (Tile(128, 64, 32, 3, 1, 3.5), Tile(128, 32, 32, 3, 2, 3.0), Tile(32, 32, 64, 3, 4, 1.4)),
}
"""As convolution_kernels.cuh has them."""
_FILES: Mapping[ProductPrecision, str] = {
    "float32": "convolution.cu",
    "tf32": "convolution_tf32.cu",
    "bf16": "convolution_bf16.cu",
}


def tiling(
    products: int, rows: int, columns: int, depth: int, precision: ProductPrecision = "float32"
) -> tuple[Tile, int]:
    """The tile for so many products (rows, depth)·(depth, columns), and the parts into which their sums are split.

    The one of least cost by a model: a multiprocessor is kept busy by two blocks or more, all have as many blocks as
    the one that has most, and parts are written and read again.
    """

    def cost(choice: tuple[Tile, int]) -> float:
        tile, parts = choice
        blocks = products * parts * tile.count(rows, columns)
        panels = -(-blocks_for(depth, tile.depth) // parts)
        turns = max(2, blocks_for(blocks, MULTIPROCESSORS))
        work = turns * tile.rows * tile.columns * tile.depth * panels / tile.speed
        return work + (_LAUNCH + _PART * parts * products * rows * columns if parts > 1 else 0)

    def parts_of(tile: Tile) -> list[int]:
        panels = max(1, blocks_for(depth, tile.depth))
        return sorted({-(-panels // each) for each in {max(1, panels >> i) for i in range(9)}})

    return min(((tile, parts) for tile in TILES[precision] for parts in parts_of(tile)), key=cost)


def _calls(
    launch: Launch,
    g: Geometry,
    sizes: tuple[int, int, int, int],
    precision: ProductPrecision,
    end: End | None = None,
) -> list[Call]:
    """The product in tiles, and the sum of its parts where it has some. sizes: products, and of each m, n, k."""
    products, rows, columns, depth = sizes
    tile, parts = tiling(products, rows, columns, depth, precision)
    out = launch.outputs[0]
    called = function(_FILES[precision], f"{launch.op.name}_{tile.rows}x{tile.columns}")
    blocks = products * parts * tile.count(rows, columns) if elements(out) else 0
    to = out if parts == 1 else Scratch(parts * elements(out))
    given: tuple[Argument, ...] = (*launch.inputs, to, parts)
    if launch.op.name == "convolution":
        beside, flags = reading(end if parts == 1 else None, out)
        given = (*launch.inputs, beside, to, parts, flags)
    product = Call(called, blocks, (*given, *g.numbers), tile.shared)
    return [product] if isinstance(to, Slot) else [product, added_up(to, out, parts, end)]


@emits_with_end("convolution")
def _convolution(launch: Launch, precision: ProductPrecision, end: End | None) -> list[Call]:
    g = geometry_of(launch)
    if scattered(g, g.filters):
        return [grouped(launch, g)]
    depth = g.kh * g.kw * g.channels // g.groups
    sizes = (g.groups, g.images * g.rows * g.columns, g.filters // g.groups, depth)
    return _calls(launch, g, sizes, precision, end)


@emits_in_precision("convolution_transpose")
def _convolution_transpose(launch: Launch, precision: ProductPrecision) -> list[Call]:
    g = geometry_of(launch)
    if scattered(g, g.channels):
        return [grouped(launch, g)]
    # Pixels in classes of those that lie a stride apart; of the kernel's places each class meets its share.
    pixels = g.images * blocks_for(g.height, g.down) * blocks_for(g.width, g.across)
    depth = blocks_for(g.kh, g.down) * blocks_for(g.kw, g.across) * g.filters // g.groups
    sizes = (g.groups * g.down * g.across, pixels, g.channels // g.groups, depth)
    return _calls(launch, g, sizes, precision)


@emits_in_precision("convolution_kernel")
def _convolution_kernel(launch: Launch, precision: ProductPrecision) -> list[Call]:
    g = geometry_of(launch)
    if scattered(g, g.filters):
        return grouped_kernel(launch, g)
    inputs = g.kh * g.kw * g.channels // g.groups
    sizes = (g.groups, inputs, g.filters // g.groups, g.images * g.rows * g.columns)
    return _calls(launch, g, sizes, precision)
