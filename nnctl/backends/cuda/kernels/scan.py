"""The division of a recurrent cell's scan among launches and blocks, and what its calls have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nnctl.backends.cuda.calls import THREADS, WARP, Argument, Call, Scratch, blocks_for
from nnctl.backends.cuda.codegen.functions import DeviceFunction, function
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot

_OUTPUTS = 128
"""Examples times units of a tile."""
_PARTS = 4 * (THREADS // WARP) * 16 * 36
"""Bytes of a tile's sums, in parts: SCAN_PARTS of scan.cuh."""
_LINE = 16
"""Numbers that a group of blocks counts itself in: a line of the cache."""
MOST = 160 * 1024
"""Bytes of shared memory that a block may take which makes all turns: not every device has so many."""
WEIGHTS = 48 * 1024
"""Bytes of the weights that a block of a single turn holds at once; with the states, every device has room for them."""


@dataclass(frozen=True)
class Division:
    """The blocks of a scan.

    at_once: whether one launch makes all turns, else a launch makes one. together: whether its blocks wait for one
    another, else each of them has all units. quads: of examples a block. tiles: of 32/quads units a block. chunk:
    rows of the weights in shared memory at once. shared: bytes.
    """

    at_once: bool
    together: bool
    blocks: int
    quads: int
    tiles: int
    chunk: int
    shared: int


@dataclass(frozen=True)
class Product:
    """The product of a turn. gates: columns a unit, 1 or 4. depth: its inner length."""

    gates: int
    depth: int


def alone(batch: int, units: int, products: Sequence[Product]) -> Division | None:
    """Blocks that walk through the whole sequence, each with all units of four examples; None without the memory.

    Nothing is faster: a launch for each turn costs two microseconds, and so does waiting for other blocks, while the
    product of a turn takes less as long as its weights fit into shared memory. Four examples are the fewest that a
    block can have, so that as many multiprocessors as possible share the work.
    """
    tiles = blocks_for(units, _OUTPUTS // 4)
    shared = sum(_shared(1, tiles, product, product.depth, alone=True) for product in products)
    if shared > MOST:
        return None
    return Division(True, False, blocks_for(batch, 4), 1, tiles, max(p.depth for p in products), shared)


def together(batch: int, units: int, products: Sequence[Product]) -> Division | None:
    """Blocks that keep their units' weights and meet after each turn; None without the memory, or for one block.

    A barrier costs half of a launch, and the weights are loaded once. With two quads of examples, even where one
    has no example, a block has half of the units, whose weights take half of the memory.
    """
    for quads in range(_quads(batch), 3):
        wide = _OUTPUTS // 4 // quads
        shared = sum(_shared(quads, 1, product, product.depth) for product in products)
        if shared <= MOST and units > wide:
            blocks = blocks_for(batch, 4 * quads) * blocks_for(units, wide)
            return Division(True, True, blocks, quads, 1, max(p.depth for p in products), shared)
    return None


def turn_by_turn(batch: int, units: int, products: Sequence[Product]) -> list[Division]:
    """A launch for each turn: of each product of a turn, one after another."""
    quads = _quads(batch)
    wide = _OUTPUTS // 4 // quads
    blocks = blocks_for(batch, 4 * quads) * blocks_for(units, wide)
    chunks = [min(product.depth, WEIGHTS // (4 * wide * product.gates)) for product in products]
    return [
        Division(False, False, blocks, quads, 1, chunk, _shared(quads, 1, product, chunk))
        for product, chunk in zip(products, chunks, strict=True)
    ]


def _quads(batch: int) -> int:
    return 1 if batch <= 4 else 2


def _shared(quads: int, tiles: int, product: Product, chunk: int, *, alone: bool = False) -> int:
    """See `scan_of` in scan.cuh."""
    weights = 4 * tiles * chunk * (_OUTPUTS // 4 // quads) * product.gates
    states = 4 * quads * (4 * chunk + 16)
    return weights + states * (1 + alone) + _PARTS * min(tiles, 2)


def scan_calls(
    called: DeviceFunction,
    products: Sequence[Product],
    turns: int,
    pointers: Sequence[Argument],
    numbers: Sequence[int | float],
) -> list[Call]:
    """The calls of so many turns of a cell's function, which takes pointers, numbers, its turns and the division.

    products: of a turn after the other, over and over. numbers: batch, steps and units come first.
    """
    batch, _, units, *_ = map(int, numbers)
    lonely, meeting = alone(batch, units, products), together(batch, units, products)
    arrived = Scratch(_LINE * (1 if meeting is None else meeting.blocks), "index", "arrived")
    taken = (*pointers, arrived, *numbers)
    divided = turn_by_turn(batch, units, products)
    calls = [_call(called, divided[turn % len(divided)], (*taken, turn, 1)) for turn in range(turns)]
    if meeting is not None and turns > 1:
        nobody = function("recurrence.cu", "nobody_has_arrived")
        clear = Call(nobody, blocks_for(arrived.elements), (arrived, arrived.elements))
        calls = [clear, replace(_call(called, meeting, (*taken, 0, turns), calls), cooperative=True)]
    return calls if lonely is None else [_call(called, lonely, (*taken, 0, turns), calls)]


def _call(
    called: DeviceFunction, division: Division, arguments: tuple[Argument, ...], instead: Sequence[Call] = ()
) -> Call:
    arguments = (*arguments, division.quads, division.tiles, division.chunk)
    return Call(called, division.blocks, arguments, shared=division.shared, instead=tuple(instead))


def optional_mask(slots: Sequence[Slot]) -> tuple[Argument, int]:
    """The mask, or memory in its place that is not read; and whether there is one."""
    return (slots[0], 1) if slots else (Scratch(1, "index", "no mask"), 0)


def gradients_given(launch: Launch, rest: Sequence[Slot], outputs: Sequence[str]) -> tuple[list[Argument], list[int]]:
    """The gradients of the cell's outputs and the mask, in order, and which of them there are."""
    given = launch.attributes["given"]
    there = dict(zip(given, rest))
    mask, masked = optional_mask(rest[len(given) :])
    gradients = [there.get(name, Scratch(1, "real", "no gradient")) for name in outputs]
    return [*gradients, mask], [*(int(name in there) for name in outputs), masked]
