"""Convolutions from patches of pictures: every tile and direction on the emulated device, and what is made so."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from backends.cuda.agreement import compare, compare_ended
from backends.cuda.emulator import compiler
from backends.cuda.test_convolution import directions, window_of
from nnctl.backends.cuda.calls import Call, ProductPrecision
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.kernels import picture_convolution
from nnctl.backends.cuda.kernels.ends import EndKind
from nnctl.backends.cuda.planner import CudaPlanner
from nnctl.graph.builder import GraphBuilder

emulated = [pytest.mark.slow, pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")]

PICTURES: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    # x (batch, height, width, channels), w (kh, kw, channels/groups, filters), the window where it is not the plainest
    "whole images in a tile": ((5, 8, 8, 8), (3, 3, 8, 16), {"padding": ((1, 1), (1, 1))}),
    "a tile within an image": ((1, 32, 32, 32), (3, 3, 32, 32), {"padding": ((1, 1), (1, 1))}),
    "tiles across images": ((3, 12, 12, 24), (5, 5, 24, 40), {}),
    "more channels than a patch, uneven padding": ((2, 9, 12, 40), (3, 2, 40, 72), {"padding": ((1, 2), (0, 1))}),
    "padding over the kernel": ((4, 5, 3, 72), (2, 3, 72, 8), {"padding": ((3, 2), (4, 4))}),
    "two groups": ((2, 7, 9, 16), (3, 3, 8, 48), {"groups": 2, "padding": ((1, 1), (1, 1))}),
}


@pytest.fixture(params=["large", "small"])
def any_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every size is made from patches, with tiles of one size."""
    monkeypatch.setattr(picture_convolution, "_FEWEST_BLOCKS", 0)
    monkeypatch.setattr(picture_convolution, "_LEAST_USED", 0.0)
    monkeypatch.setattr(picture_convolution, "MULTIPROCESSORS", 1 if request.param == "large" else 1 << 20)


@pytest.mark.usefixtures("any_size")
class TestAgreement:
    pytestmark = emulated

    @pytest.mark.parametrize("name", PICTURES)
    def test_they_agree_with_their_reference_bodies(self, name: str) -> None:
        for order in (0, 1, 5):
            for direction in directions(name, order, PICTURES):
                compare(*direction, order, precision="tf32")

    def test_every_tile_has_its_ends(self) -> None:
        kinds: tuple[EndKind, ...] = get_args(EndKind)
        for number, kind in enumerate(kinds):
            x, w, given = PICTURES["whole images in a tile"]
            compare_ended("convolution", (x, w), window_of(w[:-2], given), kind, number, "tf32")


def calls(
    x: tuple[int, ...],
    other: tuple[int, ...],
    given: dict[str, Any],
    precision: ProductPrecision = "tf32",
    name: str = "convolution",
) -> list[Call]:
    """The calls of a convolution, or of a kernel's gradient; other: the shape of the kernel, or of the result."""
    builder = GraphBuilder("net")
    inputs = [builder.input(key, shape, "real", "optimizer state") for key, shape in (("x", x), ("other", other))]
    graph = builder.graph({"made": builder.apply(name, *inputs, **window_of((3, 3), given))})
    (made,) = calls_of(CudaPlanner().plan(graph, {}), precision)
    assert made is not None
    return made


AROUND = {"padding": ((1, 1), (1, 1))}


class TestChoice:
    def name(self, *given: Any, precision: ProductPrecision = "tf32") -> str:
        return calls(*given, precision)[0].function.name

    def test_many_positions_have_large_tiles_and_fewer_small_ones(self) -> None:
        assert self.name((128, 32, 32, 32), (3, 3, 32, 32), AROUND) == "convolution_picture_256x32"
        assert self.name((128, 8, 8, 64), (3, 3, 64, 128), AROUND) == "convolution_picture_128x32"

    @pytest.mark.parametrize(
        ("x", "w", "given"),
        [
            ((10, 8, 8, 64), (3, 3, 64, 64), AROUND),
            ((128, 32, 32, 3), (3, 3, 3, 32), AROUND),
            ((128, 32, 32, 32), (1, 1, 32, 32), {}),
            ((128, 32, 32, 32), (3, 3, 32, 32), {"stride": (2, 2)}),
            ((128, 32, 32, 32), (3, 3, 32, 32), {"dilation": (1, 2)}),
            ((8, 4, 300, 32), (3, 3, 32, 32), AROUND),
        ],
        ids=["few positions", "three channels", "one place", "strides", "dilation", "long rows"],
    )
    def test_others_are_made_without_patches(
        self, x: tuple[int, ...], w: tuple[int, ...], given: dict[str, Any]
    ) -> None:
        assert "picture" not in self.name(x, w, given)

    def test_other_precisions_are_made_without_patches(self) -> None:
        assert "picture" not in self.name((128, 32, 32, 32), (3, 3, 32, 32), AROUND, precision="float32")
        assert "picture" not in self.name((128, 32, 32, 32), (3, 3, 32, 32), AROUND, precision="bf16")

    def test_kernels_are_made_by_places_in_parts_for_all_processors(self) -> None:
        made = calls((128, 16, 16, 64), (128, 16, 16, 64), AROUND | {"kernel": (3, 3)}, name="convolution_kernel")
        assert [call.function.name for call in made] == ["convolution_kernel_places", "add_up"]
        assert 66 <= made[0].blocks <= 132
        assert made[0].shared <= 227 << 10
        assert [call.function.name for call in made[0].instead] == ["convolution_kernel_wide", "add_up"]

    @pytest.mark.parametrize(
        ("x", "y", "kernel"),
        [
            ((128, 32, 32, 3), (128, 32, 32, 32), (3, 3)),
            ((128, 12, 12, 20), (128, 10, 10, 40), (3, 3)),
            ((128, 32, 32, 32), (128, 31, 31, 32), (2, 2)),
            ((2, 8, 8, 32), (2, 8, 8, 32), (3, 3)),
        ],
        ids=["three channels", "half of the channels", "four places", "few positions"],
    )
    def test_other_kernels_are_made_without_patches(
        self, x: tuple[int, ...], y: tuple[int, ...], kernel: tuple[int, int]
    ) -> None:
        given = {"kernel": kernel} | (AROUND if x[1] == y[1] else {})
        assert "places" not in calls(x, y, given, name="convolution_kernel")[0].function.name

    def test_what_takes_much_shared_memory_has_others_in_its_place(self) -> None:
        (little,) = calls((128, 32, 32, 32), (3, 3, 32, 32), AROUND)
        (much,) = calls((128, 16, 16, 64), (3, 3, 64, 64), AROUND)
        assert little.shared <= 99 << 10 < much.shared <= 227 << 10
        assert little.instead == ()
        assert [call.function.name for call in much.instead] == ["convolution_wide"]
