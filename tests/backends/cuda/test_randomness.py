"""Random numbers on the device: uniforms the same as on the host to the bit, normals within rounding."""

from __future__ import annotations

import numpy as np
import pytest

from backends.cuda.agreement import compare, outputs
from backends.cuda.emulator import compiler
from nnctl.ops.philox import uniforms

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

SEED = np.array([0xFFFFFFFF, 0x80000001])


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 255, 1024, 1025, 3001])
def test_uniforms_are_those_of_the_reference_to_the_bit(count: int) -> None:
    for step in (0, 7, 2**33 + 5):
        inputs, attributes = [SEED, np.array(step)], {"stream": 3, "shape": (count,)}
        (found,) = outputs("uniform", inputs, attributes, count % 3).values()
        np.testing.assert_array_equal(found, uniforms(SEED, step, 3, count).astype(np.float32))


@pytest.mark.parametrize("count", [1, 2, 3, 511, 512, 513, 3001])
def test_normals_agree_with_the_reference(count: int) -> None:
    inputs, attributes = [SEED, np.array(2**33 + 5)], {"stream": 1, "shape": (count,)}
    compare("normal", inputs, attributes, count % 3, reference=np.float64, rtol=2e-6)
