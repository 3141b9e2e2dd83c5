"""Resized feature maps: lengths, and the numbers of PyTorch's and Keras's modes by the fields that say the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_bench import Bench

from nnctl.components.layers.pooling import Upsample
from nnctl.components.layers.resizing import Resize

SQUARES = np.array([0.0, 1.0, 4.0, 9.0, 16.0, 25.0]).reshape(1, 6, 1)


def output(layer: Resize | Upsample, x: Any) -> Any:
    bench = Bench(training=False, batch=len(x))
    return bench.run(bench.builder.build_here(layer, bench.tensor("x", x)))[0]


def test_resizing() -> None:
    x = np.array([0.0, 4.0, 8.0, 4.0]).reshape(1, 4, 1)
    halves = Resize(factor=0.5, interpolation="linear")
    np.testing.assert_allclose(output(halves, x).ravel(), [2, 6])
    np.testing.assert_allclose(output(Resize(size=3, interpolation="linear", coordinates="align_corners"), x).ravel(),
                               [0, 6, 4])  # fmt: skip
    volume = np.random.default_rng(8).standard_normal((2, 3, 4, 5, 2))
    assert output(Resize(factor=(1.0, 1.5, 0.5), interpolation="cubic"), volume).shape == (2, 3, 6, 2, 2)


@pytest.mark.parametrize("factor", [2, 3])
def test_resizing_by_whole_factors_is_upsampling(factor: int) -> None:
    x = np.random.default_rng(9).standard_normal((2, 3, 4, 2))
    for here, there in (("nearest", "nearest"), ("bilinear", "linear")):
        upsampled = output(Upsample(factor=factor, interpolation=here), x)
        np.testing.assert_allclose(output(Resize(factor=float(factor), interpolation=there), x), upsampled)


@pytest.mark.parametrize(
    ("fields", "golden"),
    [
        # torch.nn.functional.interpolate: nearest, nearest-exact, bilinear and bicubic with antialias
        ({"coordinates": "asymmetric", "rounding": "floor"}, {3: [0, 4, 16], 9: [0, 0, 1, 4, 4, 9, 16, 16, 25]}),
        ({"rounding": "round_prefer_ceil"}, {3: [1, 9, 25], 9: [0, 1, 1, 4, 9, 9, 16, 25, 25]}),
        ({"interpolation": "linear", "antialias": True, "exclude_outside": True},
         {3: [1, 7, 18.857142857142854], 4: [0.375, 3.5555555555555554, 10.777777777777779, 21.625]}),
        ({"interpolation": "cubic", "antialias": True, "exclude_outside": True, "coefficient": -0.5},
         {3: [0.41004184100418406, 6.530534351145038, 19.97071129707113],
          4: [0.15857605177993733, 2.9770290964777955, 10.88667687595712, 22.278317152103558]}),
        # Keras's bicubic without antialias, as jax.image.resize has it
        ({"interpolation": "cubic", "coefficient": -0.5, "exclude_outside": True},
         {3: [0.29411764705882354, 6.25, 21.176470588235293],
          9: [-0.06578947368421062, 0.29411764705882354, 1.361111111111111, 3.3611111111111103, 6.25,
              10.027777777777777, 14.694444444444441, 21.176470588235293, 25.592105263157894]}),
    ],
)  # fmt: skip
def test_the_fields_that_say_what_a_mode_of_another_library_does(
    fields: dict[str, Any], golden: dict[int, list[float]]
) -> None:
    for size, expected in golden.items():
        np.testing.assert_allclose(output(Resize(size=size, **fields), SQUARES).ravel(), expected, atol=1e-12)
