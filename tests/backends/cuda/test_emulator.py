"""The emulated device itself: what it runs, and what it tells of kernels that do what none may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.codegen.functions import generated_unit, parsed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++ 12"),
]

ORDERS = (0, 1, 2, 3)


class Kernel:
    """The last kernel of a text, to be launched on a device."""

    def __init__(self, text: str, order: int = 0, poison: int = 0xFF) -> None:
        self.function = list(parsed(generated_unit("test", [text])).values())[-1]
        self.device = EmulatedDevice(order, poison)
        self.running = self.device.upload(np.ones(1, np.int32))

    def __call__(self, *arguments: Any, blocks: int = 1, shared: int = 0, cooperative: bool = False) -> None:
        given = [
            np.uint64(self.device.address(a)) if isinstance(a, np.ndarray) else a for a in (self.running, *arguments)
        ]
        self.device.launch(self.device.load(self.function), blocks, 256, shared, given, cooperative)


def numbers(kernel: Kernel, count: int) -> Any:
    return kernel.device.upload(np.arange(count, dtype=np.float32))


# -- grids whose blocks run at the same time --------------------------------------------

ACROSS = """
KERNEL across(Block block, float* x, int* arrived, int rounds) {
    // Each element becomes what stood in the block before, round after round.
    for (int round = 0; round < rounds; ++round) {
        int from = (block.index + block.count - 1) % block.count * THREADS + THREADS - 1 - int(threadIdx.x);
        float found = x[from];
        grid_barrier(block.count, arrived);
        x[element_of(block)] = found + 1.0f;
        grid_barrier(block.count, arrived);
    }
}
"""


def after_rounds(x: Any, blocks: int, rounds: int) -> Any:
    for _ in range(rounds):
        x = np.roll(x.reshape(blocks, 256), 1, axis=0)[:, ::-1].reshape(-1) + np.float32(1.0)
    return x


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("blocks", [1, 2, 3, 8])
def test_blocks_of_a_cooperative_launch_meet(blocks: int, order: int) -> None:
    kernel = Kernel(ACROSS, order)
    x, arrived = numbers(kernel, 256 * blocks), kernel.device.upload(np.zeros(1, np.int32))
    kernel(x, arrived, np.int32(5), blocks=blocks, cooperative=True)
    kernel(x, arrived, np.int32(2), blocks=blocks, cooperative=True)
    np.testing.assert_array_equal(x, after_rounds(np.arange(256.0 * blocks, dtype=np.float32), blocks, 7))
    assert arrived[0] == 2 * 7 * blocks
