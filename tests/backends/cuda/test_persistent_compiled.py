"""Persistent kernels by NVRTC: without spills, and with registers for a block on every multiprocessor."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from backends.cuda.emulator import EmulatedDevice
from backends.spec_steps import FOLDER, spec_steps
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.compilation import compile_now
from nnctl.backends.cuda.device import UNASKED_SHARED
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.persistent.choice import complete
from nnctl.backends.cuda.persistent.rounds import rounds_of
from nnctl.backends.cuda.persistent.tasks import tasks_of
from nnctl.backends.cuda.persistent.text import kernel_of, layout_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("cupy") is None, reason="CuPy, which finds NVRTC, is not installed"),
]


@pytest.mark.parametrize(
    ("architecture", "cluster"), [("sm_80", 0), ("sm_90", 0), ("sm_90", 16), ("sm_100", 0), ("sm_100", 16)]
)
@pytest.mark.parametrize("name", ["book/ch1-30", "book/ch1-100"])
def test_small_nets_fit_a_multiprocessor(name: str, architecture: str, cluster: int) -> None:
    spec = spec_steps(FOLDER / f"{name}.yaml", 10, 20)
    plan = CudaBackend(EmulatedDevice()).plan(spec.network.training_step, spec.sizes)
    calls = calls_of(plan)
    assert complete(calls)
    rounds = rounds_of(tasks_of(plan, calls))
    layout = layout_of(rounds)
    assert layout.shared <= UNASKED_SHARED
    kernel = kernel_of(plan.name, rounds, layout, cluster)
    assert kernel.function.cluster == cluster
    _, said = compile_now(kernel.function.unit, architecture, "--ptxas-options=-v")
    registers = [int(found) for found in re.findall(r"Used (\d+) registers", said)]
    assert registers
    assert max(registers) <= 255
    assert re.findall(r"(\d+) bytes spill", said) == ["0", "0"]
