"""The division of a recurrent cell's scan among launches and blocks, and what its calls have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nnctl.backends.cuda.calls import THREADS, Argument, Call, Scratch, blocks_for
from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.plan.plan import Launch, Slot

_OUTPUTS = 128
"""Examples times units of a tile."""
_PARTS = 4 * THREADS // 32 * 16 * 36
"""Bytes of a tile's sums, in parts."""
ALONE = 160 * 1024
"""Shared memory that a block which walks through the whole sequence alone may take: devices from 8.0 on have it."""
WEIGHTS = 64 * 1024
"""Bytes of the weights that a block of a single turn holds at once."""


@dataclass(frozen=True)
class Division:
    """The blocks of a scan.

    alone: whether one launch makes all turns, each block for its examples and all units; else a launch makes one.
    quads: of examples a block. tiles: of 32/quads units a block. chunk: rows of the weights in shared memory at
    once. shared: bytes.
    """

    alone: bool
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


def divisions(batch: int, units: int, *products: Product) -> list[Division]:
    """The division of a scan whose turns have these products, one after another: for each of them.

    A launch for each turn costs about two microseconds, and so does the product of a block that has all units when
    there are so many that its weights no longer fit into shared memory: so a block is alone where they fit. It has
    four examples then, that as many multiprocessors as possible share the work.
    """
    tiles = blocks_for(units, _OUTPUTS // 4)
    shared = sum(_shared(1, tiles, product, product.depth, alone=True) for product in products)
    if shared <= ALONE:
        chunk = max(product.depth for product in products)
        return [Division(True, blocks_for(batch, 4), 1, tiles, chunk, shared)] * len(products)
    quads = 1 if batch <= 4 else 2
    wide = _OUTPUTS // 4 // quads
    blocks = blocks_for(batch, 4 * quads) * blocks_for(units, wide)
    chunks = [min(product.depth, WEIGHTS // (4 * wide * product.gates)) for product in products]
    return [
        Division(False, blocks, quads, 1, chunk, _shared(quads, 1, product, chunk, alone=False))
        for product, chunk in zip(products, chunks, strict=True)
    ]


def _shared(quads: int, tiles: int, product: Product, chunk: int, *, alone: bool) -> int:
    """See `scan_of` in scan.cuh."""
    weights = 4 * tiles * chunk * (_OUTPUTS // 4 // quads) * product.gates
    states = 4 * quads * (4 * chunk + 16)
    return weights + states * (1 + alone) + _PARTS * min(tiles, 2)


def scan_calls(
    called: DeviceFunction,
    divided: Sequence[Division],
    turns: int,
    pointers: Sequence[Argument],
    numbers: Sequence[int | float],
) -> list[Call]:
    """The calls of so many turns of a cell's function: its pointers, its numbers, then turns and division.

    divided: of each turn, over and over.
    """
    if divided[0].alone:
        return [_call(called, divided[0], (*pointers, *numbers, 0, turns))]
    return [_call(called, divided[turn % len(divided)], (*pointers, *numbers, turn, 1)) for turn in range(turns)]


def _call(called: DeviceFunction, division: Division, arguments: tuple[Argument, ...]) -> Call:
    arguments = (*arguments, division.quads, division.tiles, division.chunk)
    return Call(called, division.blocks, arguments, shared=division.shared)


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
