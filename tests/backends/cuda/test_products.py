"""Matrix products: every tile at its edges, every transpose, split along k or not, and the choice among them."""

from __future__ import annotations

import sys
from typing import Any, get_args

import numpy as np
import pytest

from backends.cuda.agreement import compare_ended
from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.kernels import products
from nnctl.backends.cuda.kernels.ends import EndKind
from nnctl.backends.cuda.kernels.products import OF_SHORT, TILES, Division, Tile, divided, tiles_of
from nnctl.backends.cuda.product_library import worth_a_library
from nnctl.graph.builder import GraphBuilder

emulated = [pytest.mark.slow, pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")]


def run(
    name: str, inputs: list[Any], attributes: dict[str, bool], order: int = 0, precision: ProductPrecision = "float32"
) -> Any:
    """The result of an op on the emulated device, twice the same to the bit."""
    builder = GraphBuilder(name)
    tensors = [builder.input(f"x{i}", x.shape, "real", "optimizer state") for i, x in enumerate(inputs)]
    graph = builder.graph({"y": builder.apply(name, *tensors, **attributes)})
    device = EmulatedDevice(order)
    backend = CudaBackend(device, precision)
    storage = {f"x{i}": device.upload(x) for i, x in enumerate(inputs)}
    executable = backend.load(backend.plan(graph, {}), storage)
    first, again = (executable.start({}, 1).result().outputs["y"][0] for _ in range(2))
    np.testing.assert_array_equal(again, first)
    return first


def rounded(x: Any, precision: ProductPrecision) -> Any:
    """Numbers as a tensor core takes them: to the nearest, tf32 from the middle away from 0, bf16 to the even one."""
    if precision == "float32":
        return x
    bits = x.view(np.uint32).astype(np.uint64)
    half, dropped = (0x1000, 0x1FFF) if precision == "tf32" else (0x7FFF + (bits >> 16 & 1), 0xFFFF)
    return (bits + half & ~np.uint64(dropped)).astype(np.uint32).view(np.float32)


def check(
    m: int, n: int, k: int, ta: bool, tb: bool, *, update: bool = False, order: int = 0,
    precision: ProductPrecision = "float32",
) -> None:  # fmt: skip
    """Compare a product with the one in float64, as closely as sums of float32 products may be."""
    rng = np.random.default_rng([m, n, k, ta, tb])
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n)))
    exact = [rounded(x, precision).astype(np.float64) for x in (a, b)]
    expected, size = exact[0] @ exact[1], np.abs(a).astype(np.float64) @ np.abs(b) + 1.0
    inputs = [a.T.copy() if ta else a, b.T.copy() if tb else b]
    name = "matmul"
    if update:
        c = rng.standard_normal((m, n)).astype(np.float32)
        alpha, beta = np.float32(-0.5), np.float32(0.75)
        inputs, name, expected = [c, *inputs, alpha, beta], "accumulate_product", beta * c + alpha * expected
    found = run(name, inputs, {"transpose_a": ta, "transpose_b": tb}, order, precision)
    assert found.shape == (m, n)
    np.testing.assert_array_less(np.abs(found - expected), 2e-7 * (1 + np.sqrt(k)) * size, f"{m} {n} {k} {ta} {tb}")


@pytest.fixture
def division(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that has all products divided in one way."""

    def use(tile: Tile, turned: bool, panels: int | None) -> None:
        def fixed(m: int, n: int, k: int, precision: ProductPrecision) -> Division:
            part = (panels or max(1, -(-k // tile.depth))) * tile.depth
            return Division(tile, turned, max(1, -(-k // part)), part)

        monkeypatch.setattr(products, "divided", fixed)

    return use


SIZES = [(1, 1, 1), (31, 33, 32), (130, 129, 17), (4, 8, 12), (64, 132, 68), (3, 5, 0)]


EVERY = {
    f"{tile.name}{' turned' if turned else ''}": (tile, turned)
    for tiles in (*TILES.values(), OF_SHORT)
    for tile in tiles
    for turned in {False, tile.rows != tile.columns}
}


@pytest.mark.parametrize(("tile", "turned"), EVERY.values(), ids=EVERY)
class TestEveryTile:
    pytestmark = emulated

    def test_at_its_edges(self, division: Any, tile: Tile, turned: bool) -> None:
        division(tile, turned, None)
        for number, (m, n, k) in enumerate(SIZES):
            for ta in (False, True):
                for tb in (False, True):
                    check(m, n, k, ta, tb, order=number % 3, precision=tile.precision)
            check(m, n, k, False, bool(number % 2), update=True, order=1, precision=tile.precision)

    def test_with_its_ends(self, division: Any, tile: Tile, turned: bool) -> None:
        for number, kind in enumerate(get_args(EndKind)):
            for panels in (None, 1):
                division(tile, turned, panels)
                m, n, k = SIZES[1] if number % 2 else (33, 18, 130)
                compare_ended("matmul", ((m, k), (k, n)), {}, kind, number, tile.precision)

    def test_split_along_k(self, division: Any, tile: Tile, turned: bool) -> None:
        division(tile, turned, 1)
        for number, (m, n, k) in enumerate([(33, 18, 130), (5, 36, 200)]):
            check(m, n, k, bool(number), not number, order=number, precision=tile.precision)
            check(m, n, k, not number, bool(number), update=True, order=7, precision=tile.precision)


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")
@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("panels", [None, 1])
def test_a_tile_that_a_device_has_no_room_for_is_made_of_smaller_ones(
    division: Any, monkeypatch: pytest.MonkeyPatch, precision: ProductPrecision, panels: int | None
) -> None:
    """Devices of compute capability 8.6 and 8.9 give a block 99 KiB."""
    tile, launched = TILES[precision][0], []

    class Small(EmulatedDevice):
        def __init__(self, order: int) -> None:
            super().__init__(order)
            self.most_shared = 99 << 10

        def launch(self, loaded: Any, *given: Any, **more: Any) -> None:
            launched.append(loaded.name)
            super().launch(loaded, *given, **more)

    monkeypatch.setattr(sys.modules[__name__], "EmulatedDevice", Small)
    division(tile, False, panels)
    assert tile.shared > 99 << 10
    check(70, 130, 40, False, True, precision=precision)
    assert f"product_{precision}_64x64" in launched
    assert tile.name not in launched


@pytest.mark.parametrize(
    ("m", "n", "k"),
    [(1, 1, 1), (10, 30, 784), (257, 255, 3), (31, 1, 300), (2, 300, 33), (10, 100, 784), (300, 100, 10)],
)
class TestShapesAsTheyAreDivided:
    pytestmark = emulated

    @pytest.mark.parametrize("order", [0, 1, 7])
    def test_products(self, m: int, n: int, k: int, order: int) -> None:
        check(m, n, k, order == 1, order == 7, order=order)

    def test_updates(self, m: int, n: int, k: int) -> None:
        check(m, n, k, True, False, update=True)


class TestDivision:
    def test_a_large_product_is_made_of_large_tiles(self) -> None:
        for precision, tiles in TILES.items():
            found = divided(2048, 2048, 2048, precision)
            assert (found.tile, found.splits) == (tiles[0], 1)

    def test_a_small_result_of_long_sums_is_split(self) -> None:
        found = divided(10, 30, 784)
        assert found.splits > 4
        assert found.part % found.tile.depth == 0

    def test_short_sums_are_not(self) -> None:
        assert divided(784, 30, 10).splits == 1

    def test_short_sums_are_made_of_few_broad_tiles_in_float32(self) -> None:
        """A block of a persistent kernel makes several in turn, and each asks at once for what its end reads."""
        for precision in TILES:
            found = divided(784, 30, 10, precision)
            assert (found.tile.precision, found.splits) == ("float32", 1)
            assert tiles_of(found, 784, 30) == 14
        assert tiles_of(divided(10, 100, 10), 10, 100) == 1
        assert not worth_a_library(4096, 4096, 16)
        assert worth_a_library(4096, 4096, 17)

    def test_a_product_of_one_panel_a_part_has_as_many_parts(self) -> None:
        assert divided(10, 100, 784).part == divided(10, 100, 784).tile.depth

    def test_few_columns_are_tiled_by_columns(self) -> None:
        found = divided(2048, 10, 1024)
        assert (found.tile.rows, found.turned) == (16, True)
        assert divided(10, 2048, 1024).turned is False

    def test_splits_cover_k_and_none_is_empty(self) -> None:
        rng = np.random.default_rng(0)
        for m, n, k in rng.integers(1, 3000, size=(200, 3)).tolist():
            found = divided(m, n, k)
            assert (found.splits - 1) * found.part < k <= found.splits * found.part
            assert tiles_of(found, m, n) >= 1

    def test_nothing_is_made_of_no_blocks(self) -> None:
        assert tiles_of(divided(0, 3, 4), 0, 3) == 0
