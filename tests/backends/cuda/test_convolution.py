"""Convolutions in all directions: every tile, sums in parts, windows of odd geometry, and how tiles are chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import numpy as np
import pytest

from backends.cuda.agreement import compare, compare_ended, outputs
from backends.cuda.emulator import compiler
from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.kernels import convolution
from nnctl.backends.cuda.kernels.convolution import KERNEL_TILES, TILES, tiling
from nnctl.backends.cuda.kernels.ends import EndKind
from nnctl.ops import OPS
from nnctl.ops.namespaces import RealNamespace
from nnctl.ops.windows import output_lengths

emulated = [pytest.mark.slow, pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")]

GEOMETRIES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    # x (batch, *lengths, channels), w (*kernel, channels/groups, filters), the window where it is not the plainest
    "one channel, five by five": ((3, 12, 12, 1), (5, 5, 1, 20), {}),
    "three channels": ((2, 9, 7, 3), (3, 3, 3, 5), {"padding": ((1, 1), (1, 1))}),
    "33 channels, 33 filters": ((2, 6, 5, 33), (3, 2, 33, 33), {}),
    "fours": ((2, 9, 9, 8), (3, 3, 8, 36), {"padding": ((1, 1), (1, 1))}),
    "fours, in a small picture": ((1, 5, 4, 12), (2, 2, 12, 36), {}),
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


def directions(
    name: str, order: int, among: Mapping[str, Any] = GEOMETRIES
) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    """The three ops of a geometry, what they are given, and their attributes."""
    shape, kernel, given = among[name]
    window = window_of(kernel[:-2], given)
    rng = np.random.default_rng([order, *name.encode()])
    positions = output_lengths(shape[1:-1], kernel[:-2], window["stride"], window["padding"], window["dilation"])
    # Of small whole numbers every sum is exact, in whatever order and precision.
    x, w, y = (rng.integers(-8, 9, s) / 1.0 for s in (shape, kernel, (shape[0], *positions, kernel[-1])))
    yield "convolution", [x, w], window
    yield "convolution_transpose", [y, w], window | {"lengths": shape[1:-1]}
    yield "convolution_kernel", [x, y], window | {"kernel": kernel[:-2]}


def rounded(x: Any, precision: ProductPrecision) -> Any:
    """Float32 as tensor cores take it: TF32 has 13 bits less, its ties go away from 0; bfloat16 16, ties to even."""
    bits = np.asarray(x, np.float32).view(np.uint32)
    if precision == "tf32":
        return (bits + 0x1000 & 0xFFFFE000).astype(np.uint32).view(np.float32)
    return (bits + 0x7FFF + (bits >> 16 & 1) & 0xFFFF0000).astype(np.uint32).view(np.float32)


class TestDirections:
    pytestmark = emulated

    @pytest.mark.parametrize("name", GEOMETRIES)
    def test_they_agree_with_their_reference_bodies(self, name: str) -> None:
        for order in (0, 1, 5):
            for direction in directions(name, order):
                compare(*direction, order)

    @pytest.mark.parametrize("parts", [1, 3])
    @pytest.mark.parametrize("number", range(3))
    def test_every_tile_serves_every_shape(self, number: int, parts: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(convolution, "tiling", lambda tiles, *_: (tiles[number], parts))
        for order, name in enumerate(GEOMETRIES):
            for direction in directions(name, order):
                compare(*direction, order % 3)

    @pytest.mark.parametrize("number", range(3))
    @pytest.mark.parametrize("precision", ["tf32", "bf16"])
    def test_every_tile_is_made_by_tensor_cores(
        self, precision: ProductPrecision, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(convolution, "tiling", lambda tiles, *_: (tiles[number], 2))
        for order, name in enumerate(("three channels", "fours, in a small picture")):
            for direction in directions(name, order):
                compare(*direction, order, precision=precision)

    @pytest.mark.parametrize("precision", TILES)
    def test_every_tile_has_its_ends(self, precision: ProductPrecision, monkeypatch: pytest.MonkeyPatch) -> None:
        kinds: tuple[EndKind, ...] = get_args(EndKind)
        cases = [
            (tile, name, 1) for tile in TILES[precision] for name in ("three channels", "fours, in a small picture")
        ]
        for number, (tile, name, parts) in enumerate([*cases, (TILES[precision][2], "fours, in a small picture", 3)]):
            monkeypatch.setattr(convolution, "tiling", lambda *_, chosen=(tile, parts): chosen)
            x, w, given = GEOMETRIES[name]
            compare_ended("convolution", (x, w), window_of(w[:-2], given), kinds[number % 4], number, precision)

    @pytest.mark.parametrize("precision", ["tf32", "bf16"])
    def test_tensor_cores_round_what_they_multiply(self, precision: ProductPrecision) -> None:
        shapes = (2, 7, 7, 8), (3, 3, 8, 20), (2, 5, 5, 20)
        x, w, y = (np.random.default_rng(i).standard_normal(shape) for i, shape in enumerate(shapes))
        window = window_of((3, 3), {})
        for name, inputs, attributes in [
            ("convolution", [x, w], window),
            ("convolution_transpose", [y, w], window | {"lengths": (7, 7)}),
            ("convolution_kernel", [x, y], window | {"kernel": (3, 3)}),
        ]:
            (found,) = outputs(name, inputs, attributes, 0, precision).values()
            (plain,) = outputs(name, [rounded(i, precision) for i in inputs], attributes, 0).values()
            np.testing.assert_allclose(found, plain, atol=2e-5)
            assert np.abs(found - OPS[name].body(RealNamespace(np), *inputs, **attributes)).max() > 1e-4


class TestTiling:
    def test_small_results_of_long_sums_are_split(self) -> None:
        tile, parts = tiling(KERNEL_TILES["float32"], 1, 25, 20, 128 * 24 * 24)
        assert tile.name == "small"
        assert parts >= 64

    def test_large_products_have_large_tiles_and_one_part(self) -> None:
        for tiles in TILES.values():
            wide, narrow, _ = tiles
            assert tiling(tiles, 1, 128 * 32 * 32, 64, 9 * 64) == (wide, 1)
            assert tiling(tiles, 1, 128 * 32 * 32, 32, 9 * 32) == (narrow, 1)

    @pytest.mark.parametrize("batch", [10, 128])
    def test_the_layers_of_small_nets_keep_the_processors_busy(self, batch: int) -> None:
        for tiles, rows, columns, depth in [
            (TILES, batch * 24 * 24, 20, 25),
            (TILES, batch * 8 * 8, 40, 500),
            (KERNEL_TILES, 500, 40, batch * 8 * 8),
            (KERNEL_TILES, 25, 20, batch * 24 * 24),
        ]:
            for of_precision in tiles.values():
                tile, parts = tiling(of_precision, 1, rows, columns, depth)
                assert parts * tile.count(rows, columns) >= 20

    def test_no_part_is_empty(self) -> None:
        for depth in (1, 7, 32, 33, 100, 1000, 12345):
            for tiles in (*TILES.values(), *KERNEL_TILES.values()):
                tile, parts = tiling(tiles, 1, 5, 5, depth)
                panels = -(-depth // tile.depth)
                assert (parts - 1) * -(-panels // parts) < panels
