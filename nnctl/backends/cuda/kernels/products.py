"""Matrix products: the tile and the division of a product by its shape, and its calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from nnctl.backends.cuda.calls import Call, ProductPrecision, Scratch, blocks_for, elements, emits_in_precision
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch, Slot

_FILE = "products.cu"
_A_ACROSS, _B_ACROSS, _TURNED, _ACCUMULATING = 1, 2, 4, 8
_PAD = 4

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

    efficiency: the share of the device's arithmetic that it reaches where there are blocks enough.
    """

    rows: int
    columns: int
    depth: int
    efficiency: float

    @property
    def shared(self) -> int:
        """Bytes of shared memory: two pairs of panels. The sums of slices, which follow them, take less."""
        return 2 * 4 * self.depth * (self.rows + self.columns + 2 * _PAD)

    @property
    def cycles(self) -> float:
        """Cycles that a multiprocessor needs for one pair of panels: 128 multiplications in each."""
        return self.rows * self.columns * self.depth / 128 / self.efficiency


TILES = (Tile(128, 128, 8, 0.85), Tile(64, 64, 16, 0.65), Tile(32, 32, 32, 0.4), Tile(16, 32, 64, 0.3))


@dataclass(frozen=True)
class Division:
    """A product as blocks. turned: Cᵀ is computed, for a tile that is wider than high. part: of k, for each split."""

    tile: Tile
    turned: bool
    splits: int
    part: int


_MULTIPROCESSORS = 132
"""Of an H100. A device with fewer has its blocks one after the other, which is no more than a little slower."""
_WAIT = 600
"""Cycles from the request of a pair of panels to its arrival, which nothing hides where a block is alone."""
_SECOND_LAUNCH = 2500
"""Cycles that adding the parts of a split product takes at least, as a launch of its own."""
_BYTES_A_CYCLE = 1500
"""That memory gives all multiprocessors together."""
_MOST_SPLITS = 64


def divided(m: int, n: int, k: int) -> Division:
    """The division of a product of (m, k) by (k, n) that an estimate of its cycles finds the fastest."""
    return min(_divisions(m, n, k), key=lambda d: _cycles(d, m, n))


def _divisions(m: int, n: int, k: int) -> Iterator[Division]:
    for tile in TILES:
        panels = blocks_for(k, tile.depth)
        for turned in (False, True)[: 1 if tile.rows == tile.columns else 2]:
            splits = 1
            while splits == 1 or (splits <= panels and splits <= _MOST_SPLITS):
                part = blocks_for(panels, splits) * tile.depth
                yield Division(tile, turned, blocks_for(k, part) if part else 1, part)
                splits *= 2


def tiles_of(division: Division, m: int, n: int) -> int:
    """Tiles that cover C."""
    rows, columns = (n, m) if division.turned else (m, n)
    return blocks_for(rows, division.tile.rows) * blocks_for(columns, division.tile.columns)


def _cycles(division: Division, m: int, n: int) -> float:
    """Blocks of one multiprocessor share its arithmetic, and hide each other's waiting."""
    tile, splits = division.tile, division.splits
    together = blocks_for(tiles_of(division, m, n) * splits, _MULTIPROCESSORS)
    panels = division.part // tile.depth
    adding = _SECOND_LAUNCH + 8 * splits * m * n / _BYTES_A_CYCLE if splits > 1 else 0.0
    return panels * max(_WAIT, together * tile.cycles) + adding


def product_calls(
    a: Matrix, b: Matrix, c: Slot, sizes: tuple[int, int, int], update: Update | None = None, key: str = "parts"
) -> list[Call]:
    """The calls of C = op(A)·op(B), or of an update by it.

    sizes: m, n, k, where op(A) is (m, k), op(B) (k, n). key: of the scratch of a split product.
    """
    m, n, k = sizes
    division = divided(m, n, k)
    tile, splits = division.tile, division.splits
    accumulating = _ACCUMULATING if update else 0
    old, alpha, beta = _scaling(c, update)
    across = (_A_ACROSS * a.transposed, _B_ACROSS * (not b.transposed))
    left, right, rows, columns = a.memory, b.memory, m, n
    way = sum(across)
    if division.turned:
        left, right, rows, columns = right, left, n, m
        way = _TURNED | (_A_ACROSS if across[1] else 0) | (_B_ACROSS if across[0] else 0)
    whole = splits == 1
    made: Memory = c if whole else Scratch(splits * m * n, key=key)
    product = Call(
        function(_FILE, f"product_{tile.rows}x{tile.columns}"),
        splits * tiles_of(division, m, n),
        (left, right, made, old, alpha, beta, rows, columns, k, division.part, way | accumulating * whole),
        tile.shared,
    )
    return [product] if whole else [product, addition(made, splits, c, update)]


def addition(parts: Memory, splits: int, c: Slot, update: Update | None = None) -> Call:
    """The call of C = the sum of the parts of a product, or of an update by it. parts: (splits, m, n)."""
    count, accumulating = elements(c), _ACCUMULATING if update else 0
    arguments = (parts, c, *_scaling(c, update), count, splits, accumulating)
    return Call(function(_FILE, "add_parts"), blocks_for(count), arguments)


def _scaling(c: Slot, update: Update | None) -> tuple[Memory, Slot, Slot]:
    """The arrays that an update reads. A call has all arguments; those of an update no other product reads."""
    return (update.old, update.alpha, update.beta) if update else (c, c, c)


def _product(launch: Launch, a: Slot, b: Slot, update: Update | None) -> list[Call]:
    ta, tb = (bool(launch.attributes.get(f"transpose_{operand}")) for operand in "ab")
    c = launch.outputs[0]
    (m, n), k = c.shape, a.shape[0 if ta else 1]
    return product_calls(Matrix(a, ta), Matrix(b, tb), c, (m, n, k), update)


@emits_in_precision("matmul")
def _matmul(launch: Launch, precision: ProductPrecision) -> list[Call]:
    a, b = launch.inputs
    return _product(launch, a, b, None)


@emits_in_precision("accumulate_product")
def _accumulate_product(launch: Launch, precision: ProductPrecision) -> list[Call]:
    old, a, b, alpha, beta = launch.inputs
    return _product(launch, a, b, Update(old, alpha, beta))
