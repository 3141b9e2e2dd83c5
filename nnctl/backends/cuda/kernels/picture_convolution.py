"""Convolutions in TF32 whose windows move by one, from patches of pictures in shared memory: when, and their calls."""

from __future__ import annotations

from nnctl.backends.cuda.calls import MULTIPROCESSORS, Argument, Call, Scratch, blocks_for, elements
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.device import MOST_SHARED, SHARED_EVERYWHERE
from nnctl.backends.cuda.kernels.ends import End, reading
from nnctl.backends.cuda.kernels.geometry import Geometry
from nnctl.backends.cuda.kernels.parts import added_up
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot

_CHANNELS = 32
"""Channels of a patch."""
_PIXEL = 4 * (_CHANNELS + 4)
"""Bytes of a pixel of a patch, with the gap behind it."""
_STAGES = 3
"""Panels of the kernel that are in shared memory at a time."""
_FRAGMENT = 8
"""Channels that a fragment takes: of fewer some would be multiplied by zeros, at every place of a window."""
_FEWEST_BLOCKS = MULTIPROCESSORS // 2
"""Blocks that keep a large device busy. Where there are fewer, other kernels do better, for they can split sums."""
_PLACES = 9
"""Places of a window whose part of a kernel's gradient one block makes, each of 32 channels and 32 filters."""
_LEAST_USED = 0.7
"""The share of a block's places, channels and filters that a kernel has to fill for its gradient to be made so."""
_POSITIONS = 256
"""Positions that a block of a kernel's gradient takes at a time, about."""
_GRADIENT_PIXEL = 4 * (_CHANNELS + 8)
"""Bytes of a pixel, or of a position's gradients, in a block of a kernel's gradient."""


@dataclass(frozen=True)
class _Tile:
    """A tile of picture_convolution.cu: positions, channels of the result, groups of warps that share the depth."""

    rows: int
    columns: int
    slices: int


_LARGE, _SMALL = _Tile(256, 32, 1), _Tile(128, 32, 2)


@dataclass(frozen=True)
class Picture:
    """The sizes of a launch, each of a group: rows and columns of positions, channels of what is convolved and made."""

    channels: int
    filters: int
    rows: int
    columns: int


def from_patches(launch: Launch, g: Geometry, instead: tuple[Call, ...], end: End | None = None) -> list[Call]:
    """The call of a convolution or its transpose in TF32, from patches; none for one that other kernels make better.

    instead: the calls that do the same where a device has too little shared memory.
    """
    ahead = launch.op.name == "convolution"
    each, filters = g.channels // g.groups, g.filters // g.groups
    picture = Picture(each, filters, g.rows, g.columns) if ahead else Picture(filters, each, g.height, g.width)
    if not _by_steps_of_one(g) or picture.channels % _FRAGMENT or not elements(launch.outputs[0]):
        return []
    tile = _LARGE if _blocks(_LARGE, picture, g) > MULTIPROCESSORS else _SMALL
    if picture.columns > tile.rows or _blocks(tile, picture, g) < _FEWEST_BLOCKS:
        return []
    out, patch = launch.outputs[0], _patch(tile, picture, g)
    given: tuple[Argument, ...] = (*launch.inputs, out, patch // 4)
    if ahead:
        beside, flags = reading(end, out)
        given = (*launch.inputs, beside, out, patch // 4, flags)
    called = function("picture_convolution.cu", f"{launch.op.name}_picture_{tile.rows}x{tile.columns}")
    shared = _shared(tile, picture, patch)
    return [
        Call(
            called,
            _blocks(tile, picture, g),
            (*given, *g.numbers),
            shared,
            instead=instead if shared > SHARED_EVERYWHERE else (),
        )
    ]


def kernel_from_patches(launch: Launch, g: Geometry, instead: tuple[Call, ...]) -> list[Call]:
    """The calls of the gradient of a kernel in TF32, as `from_patches`."""
    each, filters, places, out = g.channels // g.groups, g.filters // g.groups, g.kh * g.kw, launch.outputs[0]
    if not _by_steps_of_one(g) or each % 4 or filters % 4 or not elements(out):
        return []
    tiles = g.groups * blocks_for(each, _CHANNELS) * blocks_for(filters, _CHANNELS) * blocks_for(places, _PLACES)
    used = g.groups * each * filters * places / (tiles * _CHANNELS * _CHANNELS * _PLACES)
    lines = max(1, _POSITIONS // g.columns)
    lines += next(more for more in range(16) if (lines + more) * g.columns % 16 == 0)
    high = _high(lines, g.rows, g.kh)
    stage = high * (g.columns + g.kw - 1) * _GRADIENT_PIXEL + lines * g.columns * (_GRADIENT_PIXEL + 4)
    shared = max(2 * stage, 2 * _PLACES * _CHANNELS * _GRADIENT_PIXEL)
    turns = blocks_for(g.images * g.rows, lines)
    parts = blocks_for(turns, blocks_for(turns, max(1, min(turns, MULTIPROCESSORS // tiles))))
    if used < _LEAST_USED or tiles * parts < _FEWEST_BLOCKS or shared > MOST_SHARED:
        return []
    to = out if parts == 1 else Scratch(parts * elements(out))
    called = function("picture_convolution.cu", "convolution_kernel_places")
    other = instead if shared > SHARED_EVERYWHERE else ()
    product = Call(called, tiles * parts, (*launch.inputs, to, parts, lines, high, *g.numbers), shared, instead=other)
    return [product] if isinstance(to, Slot) else [product, added_up(to, out, parts)]


def _by_steps_of_one(g: Geometry) -> bool:
    """True for a window of two axes and more that moves by steps of one, its places side by side."""
    return (g.down, g.across, g.spread_down, g.spread_across) == (1, 1, 1, 1) and min(g.kh, g.kw) > 1


def _blocks(tile: _Tile, picture: Picture, g: Geometry) -> int:
    """Tiles of whole rows of positions, as many as fit."""
    lines = max(1, tile.rows // picture.columns)
    return g.groups * blocks_for(g.images * picture.rows, lines) * blocks_for(picture.filters, tile.columns)


def _patch(tile: _Tile, picture: Picture, g: Geometry) -> int:
    """Bytes of the largest patch of a tile."""
    return _high(tile.rows // picture.columns, picture.rows, g.kh) * (picture.columns + g.kw - 1) * _PIXEL


def _high(lines: int, rows: int, kh: int) -> int:
    """Rows of the largest patch of so many of positions, `rows` an image: between those of two images are some more."""
    whole = rows % lines == 0 or lines % rows == 0
    between = max(0, lines // rows - 1) if whole else blocks_for(lines - 1, rows)
    return lines + (kh - 1) * (1 + between)


def _shared(tile: _Tile, picture: Picture, patch: int) -> int:
    """Bytes of shared memory: panels of the kernel and a patch, two where there are more channels; or sums."""
    # Whichever way panels lie, the floats behind their rows are no more than these.
    panels = 4 * _STAGES * _CHANNELS * (tile.columns + 8)
    patches = patch * (2 if picture.channels > _CHANNELS else 1)
    return max(panels + patches, 4 * tile.slices * tile.rows * (tile.columns + 8))
