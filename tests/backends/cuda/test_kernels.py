"""Every kernel against its reference body, on random and odd shapes, in several orders of threads and blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from backends.cuda.agreement import compare
from backends.cuda.emulator import compiler
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.ops import OPS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

SAMPLES = 12


@pytest.mark.parametrize("order", [0, 1, 7])
@pytest.mark.parametrize("name", sorted(EMITTERS))
def test_kernels_agree_with_their_reference_bodies(name: str, order: int) -> None:
    rng = np.random.default_rng([order, *name.encode()])
    for _ in range(SAMPLES):
        compare(name, *OPS[name].sample(rng), order)


@pytest.mark.parametrize("columns", [1, 2, 31, 32, 33, 255, 256, 257, 1000])
def test_softmax_of_rows_of_any_length(columns: int) -> None:
    z = 5.0 * np.random.default_rng(columns).standard_normal((3, columns))
    for order in (0, 1, 5):
        compare("softmax", [z], {}, order)


def test_softmax_keeps_what_is_no_number() -> None:
    compare("softmax", [np.array([[1.0, math.nan, 2.0], [0.0, 1.0, 2.0], [88.0, 1e4, -1e4]])], {}, 0)
