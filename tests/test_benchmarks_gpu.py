"""The GPU suite, as far as it goes without one: it refuses, keeps its time, and its table says what failed."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks/ lies beside a checkout's tests, not beside an sdist's")

from backends.cuda.emulator import EmulatedDevice, compiler
from devices import cuda_devices

from benchmarks.data import Images
from benchmarks.gpu import judgement, suite, timing
from benchmarks.gpu.budget import Budget
from benchmarks.nets import mlp
from benchmarks.ours import nnctl_on_device, spec
from benchmarks.trainer import DeviceTrainer
from benchmarks.workloads import GPU, Workload
from nnctl.backends.cuda.backend import CudaBackend
from nnctl.backends.cuda.component import Cuda
from nnctl.errors import UsageError
from nnctl.spec.load import load_text

RESULT = {
    "date": "2026-01-01",
    "device": {"name": "A GPU"},
    "python": "3.11",
    "versions": {"nnctl": "0.1.0"},
    "kernels": {"outcome": "failed with 1"},
    "sanitizer": {"memcheck": {"outcome": "passed"}},
    "parity": [
        {"spec": "xor", "steps": 100, "worst": 1e-7, "left": None, "said": ""},
        {"spec": "digits", "steps": 100, "worst": 1e-2, "left": 7, "said": "dense1.a (relu)"},
        {"spec": "echo", "steps": 0, "worst": None, "left": None, "said": "no memory"},
    ],
    "timings": [
        {
            "workload": "MLP", "precision": "tf32", "median_ms": {"nnctl": 0.5, "torch graph": 1.0}, "costs": {},
            "host_ms": {"nnctl": 0.6, "torch graph": 1.25},
            "left_out": {"torch compile": "no time left to compile"}, "ratio": 2.0, "goal": 1.0, "teraflops": 3.0,
        }
    ],
}  # fmt: skip


@pytest.mark.skipif(cuda_devices() > 0, reason="there is a CUDA device on this machine")
def test_without_a_device_the_suite_says_so_in_a_sentence() -> None:
    with pytest.raises(UsageError, match="needs a CUDA device"):
        suite.run(0.1, None)


def test_the_table_says_what_failed() -> None:
    lines = suite.rendered(RESULT).splitlines()
    assert "- kernels against reference bodies: failed with 1" in lines
    assert "- parity with the reference: 1 of 3 specs within rounding" in lines
    assert "  - digits: left in step 7: dense1.a (relu)" in lines
    assert "  - echo: not run: no memory" in lines
    assert "| MLP | tf32 | 0.5 | 0.6 | – | – | – | – | 1 | 1.25 | 2.00 | 1.0 | 3.00 |" in lines
    assert "MLP, tf32: torch compile: no time left to compile" in lines


def test_every_goal_is_of_a_workload_and_every_workload_is_a_spec() -> None:
    assert {workload.name for workload in GPU} == set(timing.GOALS)
    for workload in GPU:
        for precision in timing.PRECISIONS:
            text = spec(workload, f"{{type: cuda, precision: {precision}}}")
            assert load_text(text).spec.backend.type == "cuda"


def test_what_a_process_says_is_its_outcome() -> None:
    good = judgement._run([sys.executable, "-c", "print('3 passed')"], 20.0)
    assert (good["outcome"], good["said"]) == ("passed", ["3 passed"])
    bad = judgement._run([sys.executable, "-c", "print('1 failed'); raise SystemExit(9)"], 20.0)
    assert bad["outcome"] == "failed with 9"
    assert "1 failed" in bad["said"]
    assert judgement._run([sys.executable, "-c", "import time; time.sleep(30)"], 0.3)["outcome"] == "out of time"


def test_a_contestant_that_fails_is_a_result_and_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def ours(workload: Workload, precision: str) -> DeviceTrainer:
        return DeviceTrainer(lambda rows: 2.3, lambda steps: 0.003 * steps)

    def broken(workload: Workload, form: str, precision: str) -> DeviceTrainer:
        raise RuntimeError("no such device")

    monkeypatch.setattr(timing, "_ours", ours)
    monkeypatch.setattr(timing, "_torch", broken)
    monkeypatch.setattr(timing, "find_spec", lambda name: object())
    monkeypatch.setattr(timing, "_SECONDS", 1e-6)
    rows = list(timing.timings(Budget(1000.0)))
    assert [(row["workload"], row["precision"]) for row in rows] == [
        (workload.name, precision) for workload in GPU for precision in timing.PRECISIONS
    ]
    assert rows[0]["left_out"] == dict.fromkeys(
        ("torch eager", "torch compile", "torch graph"), "RuntimeError: no such device"
    )
    assert rows[0]["ratio"] is None
    # By the events, which are given here; the host's clock is another.
    assert rows[0]["median_ms"]["nnctl"] == pytest.approx(3.0)
    assert 0.0 < rows[0]["host_ms"]["nnctl"] < 3.0
    assert rows[0]["teraflops"] == pytest.approx(GPU[0].flops / 0.003 / 1e12)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")
def test_events_are_around_the_steps_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []

    class Logging(EmulatedDevice):
        def mark(self) -> float:
            log.append("mark")
            return float(log.count("mark"))

        def in_stream(self, work: Any) -> None:
            def logged() -> None:
                log.append("work")
                work()

            super().in_stream(logged)

        def download(self, array: Any) -> Any:
            log.append("read")
            return super().download(array)

    monkeypatch.setattr(Cuda, "obstacle", lambda self: None)
    monkeypatch.setattr(Cuda, "open", lambda self, workers=None: CudaBackend(Logging(), self.precision))
    workload = Workload("a small net", mlp(3, activation="sigmoid"), Images((2, 2, 1), examples=20), 5)
    trainer = nnctl_on_device(workload, "tf32")
    assert trainer.step(np.arange(5)) > 0.0
    log.clear()
    assert trainer.seconds(3) == 1.0
    marks = [place for place, what in enumerate(log) if what == "mark"]
    assert marks[0] == 0
    assert set(log[1 : marks[1]]) == {"work"}
    assert set(log[marks[1] + 1 :]) == {"read"}


def test_when_the_time_is_over_nothing_more_is_timed() -> None:
    assert list(timing.timings(Budget(1.0))) == []


@pytest.mark.slow
@pytest.mark.compile
def test_the_sanitizer_has_tests_to_run() -> None:
    command = [sys.executable, *judgement._TESTS, "-k", judgement._SMALL, "--collect-only"]
    assert judgement._run(command, 60.0)["outcome"] == "passed"
