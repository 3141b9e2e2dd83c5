"""Matrix products: the tile and the division of a product by its shape, and its calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from nnctl.backends.cuda.calls import (
    MULTIPROCESSORS,
    THREADS,
    Argument,
    Call,
    ProductPrecision,
    Scratch,
    blocks_for,
    elements,
    emits_in_precision,
)
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.device import SHARED_EVERYWHERE
from nnctl.backends.cuda.kernels.ends import End, emits_with_end, reading
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot

_A_ACROSS, _B_ACROSS, _TURNED, _ACCUMULATING = 1, 2, 4, 8

Memory: TypeAlias = Slot | Scratch


@dataclass(frozen=True)
class Matrix:
    """A matrix in memory, by rows. transposed: whether the product takes its transpose."""

    memory: Memory
    transposed: bool = False


@dataclass(frozen=True)
class Update:
    """A product that changes what there is: C ← β·old + α·A·B; alpha and beta of shape ()."""

    old: Memory
    alpha: Slot
    beta: Slot


@dataclass(frozen=True)
class Tile:
    """The part of C that one block makes, and how much of k it holds at once.

    rate: multiplications in a cycle that a multiprocessor makes with it where there are blocks enough. stages:
    pairs of panels that a block holds. precision: to which operands are rounded.
    """

    rows: int
    columns: int
    depth: int
    rate: float
    stages: int = 2
    precision: ProductPrecision = "float32"

    @property
    def name(self) -> str:
        """The name of its function."""
        rounded = "" if self.precision == "float32" else f"{self.precision}_"
        return f"product_{rounded}{self.rows}x{self.columns}"

    @property
    def file(self) -> str:
        """The file of its function."""
        return "products.cu" if self.precision == "float32" else "rounded_products.cu"

    @property
    def shared(self) -> int:
        """Bytes of shared memory: the panels. The sums of slices, which follow them, take less."""
        return 4 * self.stages * (self._panel(self.rows) + self._panel(self.columns))

    def _panel(self, edge: int) -> int:
        """Floats of a panel with what is behind its rows."""
        if self.precision == "float32":
            return self.depth * (edge + 4)
        return max(self.depth * (edge + 8), edge * (self.depth + 4))

    def cycles(self, together: int) -> float:
        """Cycles for a pair of panels of each of so many blocks of a multiprocessor, which share its arithmetic."""
        return max(_WAIT / (self.stages - 1), together * self.rows * self.columns * self.depth / self.rate)


_SMALL = (Tile(32, 32, 32, 50.0), Tile(16, 32, 64, 40.0))
TILES: Mapping[ProductPrecision, tuple[Tile, ...]] = {
    "float32": (Tile(128, 128, 8, 110.0), Tile(64, 64, 16, 80.0), *_SMALL),
    "tf32": (Tile(128, 128, 32, 350.0, 3, "tf32"), Tile(64, 64, 32, 250.0, 3, "tf32"), *_SMALL),
    "bf16": (Tile(128, 128, 32, 450.0, 3, "bf16"), Tile(64, 64, 32, 300.0, 3, "bf16"), *_SMALL),
}
"""By precision. Where tensor cores would have little to do, a product is made in float32 whatever is asked for."""

SHORT = 16
"""Multiplications of an element up to which reading and writing is all the work of a product."""
OF_SHORT = (Tile(16, 128, SHORT, 60.0), *_SMALL)
"""The tiles for those. They ask for what their ends read as they begin; a large tile would wait for it element by
element. The first has one panel, and is broad: in a persistent kernel a block makes few tiles or one after another."""


@dataclass(frozen=True)
class Division:
    """A product as blocks. turned: Cᵀ is computed, for a tile that is wider than high. part: of k, for each split."""

    tile: Tile
    turned: bool
    splits: int
    part: int


_WAIT = 600
"""Cycles from the request of a pair of panels to its arrival, which nothing hides where a block is alone."""
_ROUNDED = 6000
"""Cycles more that a tile takes where operands are rounded on the way: on an H100 (1024, 2048) by (2048, 10) takes
13 µs by tiles of 64×64 in TF32, 8 by those of 16×32 in float32, and (128, 640) by (640, 100) 6.6 and 4."""
_SECOND_LAUNCH = 2500
"""Cycles that adding the parts of a split product takes at least, as a launch of its own."""
_A_PART = 50
"""Cycles more for each part: a thread asks for some at once, and waits for them."""
_BYTES_A_CYCLE = 1500
"""That memory gives all multiprocessors together."""
_MOST_SPLITS = 64
_LARGE = 1 << 20
"""Elements of a result of which a quarter of the threads still fill a device."""


def divided(m: int, n: int, k: int, precision: ProductPrecision = "float32") -> Division:
    """The division of a product of (m, k) by (k, n) that an estimate of its cycles finds the fastest.

    Of those for short sums that are as fast it is one of the fewest blocks.
    """
    found = _divisions(k, precision)
    return min(found, key=lambda d: (_cycles(d, m, n), d.splits * tiles_of(d, m, n) if k <= SHORT else 0))


def _divisions(k: int, precision: ProductPrecision) -> Iterator[Division]:
    for tile in TILES[precision] if k > SHORT else OF_SHORT:
        panels = blocks_for(k, tile.depth)
        for turned in (False, True)[: 1 if tile.rows == tile.columns else 2]:
            splits = 1
            while splits == 1 or (splits < 2 * panels and splits <= _MOST_SPLITS):
                part = blocks_for(panels, splits) * tile.depth
                yield Division(tile, turned, blocks_for(k, part) if part else 1, part)
                splits *= 2


def tiles_of(division: Division, m: int, n: int) -> int:
    """Tiles that cover C."""
    rows, columns = (n, m) if division.turned else (m, n)
    return blocks_for(rows, division.tile.rows) * blocks_for(columns, division.tile.columns)


def _cycles(division: Division, m: int, n: int) -> float:
    """The estimate: blocks of one multiprocessor hide each other's waiting."""
    tile, splits = division.tile, division.splits
    together = blocks_for(tiles_of(division, m, n) * splits, MULTIPROCESSORS)
    adding = _SECOND_LAUNCH + _A_PART * splits + 8 * splits * m * n / _BYTES_A_CYCLE if splits > 1 else 0.0
    beginning = 0.0 if tile.precision == "float32" else _ROUNDED
    return beginning + division.part // tile.depth * tile.cycles(together) + adding


def product_calls(
    a: Matrix,
    b: Matrix,
    c: Slot,
    sizes: tuple[int, int, int],
    precision: ProductPrecision,
    end: Update | End | None,
) -> list[Call]:
    """The calls of C = op(A)·op(B) with its end. sizes: m, n, k, where op(A) is (m, k), op(B) (k, n)."""
    m, n, k = sizes
    division = divided(m, n, k, precision)
    splits, whole = division.splits, division.splits == 1
    left, right, rows, columns = (a, a.transposed), (b, not b.transposed), m, n
    if division.turned:
        left, right, rows, columns = right, left, n, m
    way = _A_ACROSS * left[1] | _B_ACROSS * right[1] | _TURNED * division.turned
    made = c if whole else Scratch(splits * m * n, key="parts")
    read, flags = _reading(c, end if whole else None)
    arguments = (left[0].memory, right[0].memory, made, *read, rows, columns, k, division.part, way | flags)
    product = _tiled(division, (m, n), arguments)
    return [product] if isinstance(made, Slot) else [product, addition(made, splits, c, end)]


def _tiled(division: Division, size: tuple[int, int], arguments: tuple[Argument, ...]) -> Call:
    """The call of a product's tiles; where a device has too little shared memory for one, of smaller ones."""
    tile = division.tile
    smaller = [each for each in TILES[tile.precision] if each.depth == tile.depth and each.shared <= SHARED_EVERYWHERE]
    instead = (_tiled(replace(division, tile=smaller[0]), size, arguments),) if tile.shared > SHARED_EVERYWHERE else ()
    blocks = division.splits * tiles_of(division, *size)
    return Call(function(tile.file, tile.name), blocks, arguments, tile.shared, instead=instead)


def addition(parts: Memory, splits: int, c: Slot, end: Update | End | None) -> Call:
    """The call of C = the sum of the parts (splits, m, n) of a product, with its end. One part may be C itself."""
    (read, flags), size = _reading(c, end), elements(c)
    by_packs = size % 4 == 0 and (size <= 4 * THREADS or size >= _LARGE)
    pack = 4 if by_packs else 1
    count = size // pack
    sizes = (count, c.shape[1], pack) if splits == 1 else (count, c.shape[1], splits, pack)
    called = function("products.cu", "end_product" if splits == 1 else "add_parts")
    return Call(called, blocks_for(count), (parts, c, *read, *sizes, flags))


def _reading(c: Slot, end: Update | End | None) -> tuple[tuple[Memory, Slot, Slot], int]:
    """The arrays that an end reads, and its flags. A call has all arguments: c in the place of what nobody reads."""
    if isinstance(end, Update):
        return (end.old, end.alpha, end.beta), _ACCUMULATING
    beside, flags = reading(end, c)
    return (beside, c, c), flags


def _product(launch: Launch, a: Slot, b: Slot, precision: ProductPrecision, end: Update | End | None) -> list[Call]:
    ta, tb = (bool(launch.attributes.get(f"transpose_{operand}")) for operand in "ab")
    c = launch.outputs[0]
    (m, n), k = c.shape, a.shape[0 if ta else 1]
    return product_calls(Matrix(a, ta), Matrix(b, tb), c, (m, n, k), precision, end)


@emits_with_end("matmul")
def _matmul(launch: Launch, precision: ProductPrecision, end: End | None) -> list[Call]:
    a, b = launch.inputs
    return _product(launch, a, b, precision, end)


@emits_in_precision("accumulate_product")
def _accumulate_product(launch: Launch, precision: ProductPrecision) -> list[Call]:
    old, a, b, alpha, beta = launch.inputs
    return _product(launch, a, b, precision, Update(old, alpha, beta))
