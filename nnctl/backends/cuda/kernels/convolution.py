"""Convolution, its transpose and the gradient of its kernel: a tile and a number of parts for each shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from nnctl.backends.cuda.kernels.picture_convolution import from_patches, kernel_from_patches
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot

_LAUNCH = 5000.0
"""Nanoseconds of a second launch, with what the first one waits for it."""
_PART = 0.003
"""Nanoseconds of an element of a part, which is written and read again."""
_BLOCK = 1000.0
"""Nanoseconds of a block beside its panels."""
_ALONE = 1.3
"""Factor of the time of a block that has nobody to fill its pauses."""


@dataclass(frozen=True)
class Tile:
    """A tile of a product: what a block makes, and the depth of the panels that it holds.

    stages: pairs of panels in use or under way. slices: groups of warps that share a panel's depth. panel: the
    nanoseconds in which a multiprocessor of an H200 multiplies a pair of panels, whether its blocks are one or two.
    """

    name: str
    rows: int
    columns: int
    depth: int
    stages: int
    slices: int
    panel: float

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


_BY_TENSOR_CORES = (
    Tile("wide", 128, 64, 32, 3, 1, 960.0),
    Tile("narrow", 256, 32, 16, 3, 1, 850.0),
    Tile("small", 64, 32, 64, 3, 4, 800.0),
)
_KERNEL_BY_TENSOR_CORES = (
    Tile("wide", 128, 64, 32, 3, 2, 1100.0),
    Tile("narrow", 64, 32, 64, 3, 4, 820.0),
    Tile("small", 32, 32, 64, 3, 4, 560.0),
)
TILES: Mapping[ProductPrecision, tuple[Tile, ...]] = {
    "float32": (
        Tile("wide", 128, 64, 16, 2, 1, 1230.0),
        Tile("narrow", 128, 32, 16, 2, 2, 660.0),
        Tile("small", 32, 32, 32, 2, 8, 450.0),
    ),
    "tf32": _BY_TENSOR_CORES,
    "bf16": _BY_TENSOR_CORES,
}
"""Of pictures, as convolution_kernels.cuh has them."""
KERNEL_TILES: Mapping[ProductPrecision, tuple[Tile, ...]] = {
    "float32": (
        Tile("wide", 64, 64, 32, 2, 4, 1100.0),
        Tile("narrow", 64, 32, 32, 3, 4, 620.0),
        Tile("small", 32, 32, 32, 3, 8, 370.0),
    ),
    "tf32": _KERNEL_BY_TENSOR_CORES,
    "bf16": _KERNEL_BY_TENSOR_CORES,
}
"""Of the gradients of kernels."""
_FILES: Mapping[ProductPrecision, str] = {
    "float32": "convolution.cu",
    "tf32": "convolution_tf32.cu",
    "bf16": "convolution_bf16.cu",
}


def tiling(tiles: Sequence[Tile], products: int, rows: int, columns: int, depth: int) -> tuple[Tile, int]:
    """The tile for so many products (rows, depth)·(depth, columns), and the parts into which their sums are split.

    The one of least time by a model: multiprocessors take blocks in turns, each as long as its panels, and parts are
    written and read again.
    """

    def time(choice: tuple[Tile, int]) -> float:
        tile, parts = choice
        turns = blocks_for(products * parts * tile.count(rows, columns), MULTIPROCESSORS)
        panels = -(-blocks_for(depth, tile.depth) // parts)
        work = max(_ALONE, turns) * (panels * tile.panel + _BLOCK)
        return work + (_LAUNCH + _PART * parts * products * rows * columns if parts > 1 else 0.0)

    def parts_of(tile: Tile) -> list[int]:
        panels, blocks = max(1, blocks_for(depth, tile.depth)), products * tile.count(rows, columns)
        full = (turns * MULTIPROCESSORS // max(1, blocks) for turns in range(1, 5))
        each = {blocks_for(panels, parts) for parts in (1, *full) if 0 < parts <= panels}
        return sorted({blocks_for(panels, panels_each) for panels_each in each | {1}})

    return min(((tile, parts) for tile in tiles for parts in parts_of(tile)), key=time)


def _calls(
    launch: Launch,
    g: Geometry,
    sizes: tuple[int, int, int, int],
    precision: ProductPrecision,
    end: End | None = None,
) -> list[Call]:
    """The product in tiles, and the sum of its parts where it has some. sizes: products, and of each m, n, k."""
    products, rows, columns, depth = sizes
    tiles = (KERNEL_TILES if launch.op.name == "convolution_kernel" else TILES)[precision]
    tile, parts = tiling(tiles, products, rows, columns, depth)
    out = launch.outputs[0]
    called = function(_FILES[precision], f"{launch.op.name}_{tile.name}")
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
    calls = _calls(launch, g, sizes, precision, end)
    return (precision == "tf32" and from_patches(launch, g, tuple(calls), end)) or calls


@emits_in_precision("convolution_transpose")
def _convolution_transpose(launch: Launch, precision: ProductPrecision) -> list[Call]:
    g = geometry_of(launch)
    if scattered(g, g.channels):
        return [grouped(launch, g)]
    # Pixels in classes of those that lie a stride apart; of the kernel's places each class meets its share.
    pixels = g.images * blocks_for(g.height, g.down) * blocks_for(g.width, g.across)
    depth = blocks_for(g.kh, g.down) * blocks_for(g.kw, g.across) * g.filters // g.groups
    sizes = (g.groups * g.down * g.across, pixels, g.channels // g.groups, depth)
    calls = _calls(launch, g, sizes, precision)
    return (precision == "tf32" and from_patches(launch, g, tuple(calls))) or calls


@emits_in_precision("convolution_kernel")
def _convolution_kernel(launch: Launch, precision: ProductPrecision) -> list[Call]:
    g = geometry_of(launch)
    if scattered(g, g.filters):
        return grouped_kernel(launch, g)
    inputs = g.kh * g.kw * g.channels // g.groups
    sizes = (g.groups, inputs, g.filters // g.groups, g.images * g.rows * g.columns)
    calls = _calls(launch, g, sizes, precision)
    return (precision == "tf32" and kernel_from_patches(launch, g, tuple(calls))) or calls
