"""Devices that fail: lost at one call after the other, and too small for what is asked of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_contents import contents

from backends.conftest import emulated
from backends.cuda.emulator import EmulatedDevice, compiler
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.cli import main
from nnctl.errors import DeviceFull, DeviceLost, UsageError
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import saving, session

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

SPEC = """
name: tiny
data: {type: blobs, examples: 24, validation: 6, test: 6}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 2, batch_size: 8}
backend: cuda
"""
POINTS = 12
"""Calls at which the device is lost, spread over a run."""


class FailingDevice(EmulatedDevice):
    """A device that is lost at call `dies_at`, counted from 0, and stays so; never if None."""

    def __init__(self, dies_at: int | None = None) -> None:
        super().__init__()
        self.dies_at = dies_at
        self.calls = 0

    def _ask(self) -> None:
        number, self.calls = self.calls, self.calls + 1
        if self.dies_at is not None and number >= self.dies_at:
            raise DeviceLost("device 0 is lost: the launch timed out\n  nvidia-smi tells how it is")

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        self._ask()
        return super().empty(shape, dtype)

    def download(self, array: Any) -> Any:
        self._ask()
        return super().download(array)

    def write(self, array: Any, values: Any, first: int = 0) -> None:
        self._ask()
        super().write(array, values, first)

    def launch(self, *arguments: Any, **named: Any) -> None:
        self._ask()
        super().launch(*arguments, **named)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        self._ask()
        launches = super().capture(work)

        def replay() -> None:
            self._ask()
            launches()

        return replay


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A checkpoint after every chunk.
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(saving, "SAVE_SHARE", 0.0)


def train(out: str, device: EmulatedDevice, **options: Any) -> None:
    with emulated(CudaBackend(device)):
        follow(session.train(load_text(SPEC), out=Path(out), chunk=1, **options), [RunSink()])


def test_a_run_whose_device_is_lost_goes_on_from_its_last_checkpoint() -> None:
    whole = FailingDevice()
    train("whole", whole)
    assert whole.calls > 60
    words = set()
    for point in range(POINTS):
        out = f"at-{point}"
        with pytest.raises(DeviceLost) as raised:
            train(out, FailingDevice(whole.calls * point // POINTS))
        assert raised.value.exit_code == 2
        first, *more = str(raised.value).splitlines()
        assert first == "device 0 is lost: the launch timed out"
        words |= {line.split(";")[-1].strip().replace(str(point), "…") for line in more}
        train(out, EmulatedDevice(), resume=True)
        assert contents(out) == contents("whole"), point
    assert any("no checkpoint had been saved" in each for each in words)
    assert any(each.endswith("is whole, --resume goes on from it") for each in words)


def test_the_command_says_it_and_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    Path("s.yaml").write_text(SPEC)
    whole = FailingDevice()
    with emulated(CudaBackend(whole)):
        assert main(["train", "s.yaml", "--out", "whole"]) == 0
    capsys.readouterr()
    with emulated(CudaBackend(FailingDevice(whole.calls - 3))):
        assert main(["train", "s.yaml", "--out", "run"]) == 2
    said = capsys.readouterr().err
    assert "nnctl: device 0 is lost: the launch timed out\n" in said
    assert "Traceback" not in said
    with emulated(CudaBackend(EmulatedDevice())):
        assert main(["train", "s.yaml", "--out", "run", "--resume"]) == 0


# -- memory ----------------------------------------------------------------------------------

WIDE = """
data: {type: blobs, examples: 4096}
layers:
  - {type: repeat, times: 3, layers: [{type: dense, units: 50, activation: relu}]}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
schedule: {epochs: 1, batch_size: 4096}
backend: cuda
"""


class SmallDevice(EmulatedDevice):
    """A device with so many bytes. honest: whether it says so before it is asked for more."""

    def __init__(self, size: int, *, honest: bool) -> None:
        super().__init__()
        self.size, self.honest = size, honest

    def memory_left(self) -> int:
        return self.size if self.honest else 1 << 40

    def empty(self, shape: tuple[int, ...], dtype: Any) -> Any:
        if int(np.prod(shape)) * np.dtype(dtype).itemsize > self.size:
            self.honest = True
            raise DeviceFull(f"{shape} are asked of device 0, and {self.size} bytes are left")
        return super().empty(shape, dtype)


@pytest.mark.parametrize("honest", [True, False])
def test_a_step_that_does_not_fit_names_its_parts_and_the_batch_that_fits(honest: bool, tmp_path: Path) -> None:
    def trained(batch: int) -> None:
        device = SmallDevice(2_600_000, honest=honest)
        overrides = (f"schedule.batch_size={batch}",)
        with emulated(CudaBackend(device)):
            list(session.train(load_text(WIDE, overrides=overrides), out=tmp_path / f"{batch}-{honest}"))

    with pytest.raises(UsageError if honest else DeviceFull) as raised:
        trained(4096)
    said = str(raised.value)
    assert "a step of 4,096 examples takes " in said
    assert " of scratch memory" in said
    assert "the largest parts are " in said
    assert "repeat1" in said
    fitting = int(said.rpartition("a batch of ")[2].partition(" fits")[0].replace(",", ""))
    assert 1024 <= fitting < 4096
    trained(fitting)
