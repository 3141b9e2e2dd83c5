"""Convolutions in all directions: every tile, sums in parts, windows of odd geometry, and how tiles are chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.cuda.agreement import compare
from backends.cuda.emulator import compiler
from nnctl.backends.cuda.kernels import convolution
from nnctl.backends.cuda.kernels.convolution import TILES, Tile, tiling
from nnctl.ops.windows import output_lengths

emulated = [pytest.mark.slow, pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")]

GEOMETRIES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    # x (batch, *lengths, channels), w (*kernel, channels/groups, filters), the window where it is not the plainest
    "one channel, five by five": ((3, 12, 12, 1), (5, 5, 1, 20), {}),
    "three channels": ((2, 9, 7, 3), (3, 3, 3, 5), {"padding": ((1, 1), (1, 1))}),
    "33 channels, 33 filters": ((2, 6, 5, 33), (3, 2, 33, 33), {}),
    "fours": ((2, 9, 9, 8), (3, 3, 8, 36), {"padding": ((1, 1), (1, 1))}),
    "one of everything": ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    "a kernel larger than the picture": ((2, 2, 3, 4), (5, 6, 4, 3), {"padding": ((2, 2), (1, 3))}),
    "a stride over the kernel": ((2, 11, 10, 4), (2, 1, 4, 8), {"stride": (3, 4)}),
    "a stride and a dilation with a common divisor": (
        (2, 13, 17, 3),
        (3, 3, 3, 4),
        {"stride": (2, 6), "dilation": (4, 4), "padding": ((1, 0), (2, 1))},
    ),
    "pixels that no window meets": ((1, 8, 9, 2), (2, 2, 2, 3), {"stride": (3, 4)}),
    "one axis": ((3, 40, 5), (3, 5, 7), {"stride": (2,), "padding": ((1, 2),)}),
    "two groups": ((2, 7, 6, 8), (3, 3, 4, 40), {"groups": 2, "dilation": (2, 1)}),
    "groups of three, far apart": (
        (2, 9, 11, 6),
        (3, 2, 2, 9),
        {"groups": 3, "stride": (2, 3), "dilation": (1, 2), "padding": ((2, 0), (1, 3))},
    ),
    "depthwise, more weights than a block has threads": ((3, 5, 6, 70), (2, 3, 1, 70), {"groups": 70}),
    "depthwise, two filters each": ((2, 8, 8, 5), (3, 3, 1, 10), {"groups": 5, "padding": ((1, 1), (1, 1))}),
}


def window_of(kernel: tuple[int, ...], given: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a window, all of them."""
    ones = (1,) * len(kernel)
    return {"stride": ones, "dilation": ones, "padding": ((0, 0),) * len(kernel), "groups": 1} | given


def compare_directions(name: str, order: int) -> None:
    """The three ops of a geometry, each against its reference body."""
    shape, kernel, given = GEOMETRIES[name]
    window = window_of(kernel[:-2], given)
    rng = np.random.default_rng([order, *name.encode()])
    positions = output_lengths(shape[1:-1], kernel[:-2], window["stride"], window["padding"], window["dilation"])
    # Of small whole numbers every sum is exact, in whatever order.
    x, w, y = (rng.integers(-8, 9, s) / 1.0 for s in (shape, kernel, (shape[0], *positions, kernel[-1])))
    compare("convolution", [x, w], window, order)
    compare("convolution_transpose", [y, w], window | {"lengths": shape[1:-1]}, order)
    compare("convolution_kernel", [x, y], window | {"kernel": kernel[:-2]}, order)


class TestDirections:
    pytestmark = emulated

    @pytest.mark.parametrize("name", GEOMETRIES)
    def test_they_agree_with_their_reference_bodies(self, name: str) -> None:
        for order in (0, 1, 5):
            compare_directions(name, order)

    @pytest.mark.parametrize("parts", [1, 3])
    @pytest.mark.parametrize("tile", TILES, ids=lambda tile: f"{tile.rows}x{tile.columns}")
    def test_every_tile_serves_every_shape(self, tile: Tile, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(convolution, "tiling", lambda *_: (tile, parts))
        for order, name in enumerate(GEOMETRIES):
            compare_directions(name, order % 3)


class TestTiling:
    def test_small_results_of_long_sums_are_split(self) -> None:
        tile, parts = tiling(1, 25, 20, 128 * 24 * 24)
        assert tile == TILES[2]
        assert parts >= 64

    def test_large_products_have_large_tiles_and_one_part(self) -> None:
        assert tiling(1, 128 * 32 * 32, 64, 9 * 64) == (TILES[0], 1)
        assert tiling(1, 128 * 32 * 32, 32, 9 * 32) == (TILES[1], 1)

    @pytest.mark.parametrize("batch", [10, 128])
    def test_the_layers_of_small_nets_keep_the_processors_busy(self, batch: int) -> None:
        for rows, columns, depth in [
            (batch * 24 * 24, 20, 25),
            (batch * 8 * 8, 40, 500),
            (500, 40, batch * 8 * 8),
            (25, 20, batch * 24 * 24),
        ]:
            tile, parts = tiling(1, rows, columns, depth)
            assert parts * tile.count(rows, columns) >= 66

    def test_no_part_is_empty(self) -> None:
        for depth in (1, 7, 32, 33, 100, 1000, 12345):
            tile, parts = tiling(1, 5, 5, depth)
            panels = -(-depth // tile.depth)
            assert (parts - 1) * -(-panels // parts) < panels
