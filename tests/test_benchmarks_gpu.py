"""The GPU suite, as far as it goes without one: it refuses, keeps its time, and its table says what failed."""

from __future__ import annotations

import gc
import json
import re
import sys
import time
import weakref
from contextlib import nullcontext
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks/ lies beside a checkout's tests, not beside an sdist's")

from backends.cuda.emulator import EmulatedDevice, compiler
from devices import cuda_devices

from benchmarks import ours
from benchmarks.data import Images
from benchmarks.gpu import judgement, one_spec, suite, timing
from benchmarks.gpu.budget import Budget
from benchmarks.gpu.contest import DeviceContestant, Figures, Row, Seat, figures_of, leave, seated
from benchmarks.nets import mlp
from benchmarks.ours import nnctl_on_device, spec
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
    "sanitizer": {"memcheck": {"outcome": "passed", "said": ["30 passed"]}},
    "parity": [
        {"spec": "xor", "steps": 100, "worst": 1e-7, "left": None, "said": ""},
        {"spec": "digits", "steps": 100, "worst": 1e-2, "left": 7, "said": "dense1.a (relu)"},
        {"spec": "echo", "steps": 0, "worst": None, "left": None, "said": "no memory"},
    ],
    "timings": [
        {
            "workload": "MLP", "precision": "tf32", "median_ms": {"nnctl": 0.5, "torch graph": 1.0}, "costs": {},
            "host_ms": {"nnctl": 0.6, "torch graph": 1.25, "JAX scan": 1.5}, "way": "captured",
            "left_out": {"torch compile": "not installed"}, "ratio": 2.0, "best_peer": "torch graph", "goal": 1.0,
            "teraflops": 3.0,
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
    assert "- memcheck: passed: 30 passed" in lines
    assert "- parity with the reference: 1 of 3 specs within rounding, 100 to 100 steps each" in lines
    assert "  - digits: left in step 7: dense1.a (relu)" in lines
    assert "  - echo: not run: no memory" in lines
    heads = (
        "| workload | precision | nnctl | *host* | torch graph | *host* | JAX scan, *host* | best peer / ours | goal | "
    )
    assert heads + "ours by | TFLOP/s |" in lines
    assert "| MLP | tf32 | 0.5 | 0.6 | 1 | 1.25 | 1.5 | 2.00 torch graph | 1.0 | captured | 3.00 |" in lines
    assert "- MLP, tf32: torch compile: not installed" in lines
    assert f"- {2 * len(GPU) - 1} rows: no time was left for them" in lines


@pytest.mark.parametrize("stages", [[], ["kernels"], ["kernels", "parity"], ["kernels", "parity", "sanitizer"]])
def test_a_table_is_kept_from_the_first_stage_on(stages: list[str]) -> None:
    begun = {"date", "device", "python", "versions", *stages}
    lines = suite.rendered({name: found for name, found in RESULT.items() if name in begun}).splitlines()
    assert "| workload | precision | best peer / ours | goal | ours by | TFLOP/s |" in lines


def test_every_goal_is_of_a_workload_and_every_workload_is_a_spec() -> None:
    assert {workload.name for workload in GPU} == set(timing.GOALS)
    rows = [row for group in timing.GROUPS for row in group]
    assert sorted((row.workload.name, row.precision) for row in rows) == sorted(
        (workload.name, precision) for workload in GPU for precision in ("float32", "tf32")
    )
    for workload in GPU:
        for precision in ("float32", "tf32"):
            text = spec(workload, f"{{type: cuda, precision: {precision}}}")
            assert load_text(text).spec.backend.type == "cuda"


def test_what_a_process_says_is_its_outcome() -> None:
    good = judgement._run([sys.executable, "-c", "print('3 passed')"], 20.0)
    assert (good["outcome"], good["said"]) == ("passed", ["3 passed"])
    bad = judgement._run([sys.executable, "-c", "print('1 failed'); raise SystemExit(9)"], 20.0)
    assert bad["outcome"] == "failed with 9"
    assert "1 failed" in bad["said"]
    assert judgement._run([sys.executable, "-c", "import time; time.sleep(30)"], 0.3)["outcome"] == "out of time"


def doubles(*names: str) -> dict[str, DeviceContestant]:
    return {name: DeviceContestant("benchmarks", "device_contestants", name) for name in names}


@pytest.mark.slow
def test_what_a_contestant_spoils_is_its_own() -> None:
    row = Row(GPU[0], "float32")
    everyone = doubles("good", "dying", "raising", "by_the_clock", "not_finite")
    seats = seated([row], everyone, 60.0, 2)[row]
    try:
        figures = figures_of(seats, lambda: 60.0)
    finally:
        leave(seats.values())
    assert list(figures) == ["good", "by_the_clock"]
    assert figures["good"].events == pytest.approx(0.003)
    assert figures["good"].host > 0.0
    assert (figures["by_the_clock"].events, figures["by_the_clock"].host) == (None, pytest.approx(0.001))
    assert (figures["by_the_clock"].steps, figures["good"].way) == (8, "captured")
    reasons = {name: seat.failed for name, seat in seats.items() if seat.failed}
    died = reasons.pop("dying")
    assert died.startswith("its process ended with 7: ")
    assert died.endswith("an assertion of a kernel")
    assert reasons == {
        "raising": "RuntimeError: no such device",
        "not_finite": "RuntimeError: first costs are [nan, nan, nan]",
    }
    for seat in seats.values():
        assert seat.child is not None
        with pytest.raises(OSError, match="closed"):
            seat.child.ask("time", 1.0)


@pytest.mark.slow
def test_whoever_takes_too_long_is_ended() -> None:
    row = Row(GPU[0], "float32")
    slow = {"hanging": replace(doubles("hanging")["hanging"], compiles=True)}
    began = time.monotonic()
    seats = seated([row], slow, 4.0, 2)[row]
    assert time.monotonic() - began < 120.0
    assert figures_of(seats, lambda: 60.0) == {}
    assert seats["hanging"].failed is not None
    # On a busy machine it has not even been imported by then.
    assert re.match(r"no answer to '(open|prepare)' within -?\d+ s", seats["hanging"].failed)
    leave(seats.values())


@pytest.mark.slow
def test_who_compiles_nothing_can_begin_late() -> None:
    row = Row(GPU[0], "float32")
    everyone = doubles("good", "by_the_clock")
    everyone["by_the_clock"] = replace(everyone["by_the_clock"], compiles=True)
    seats = seated([row], everyone, -1.0, 1)[row]
    assert (seats["good"].child, seats["good"].failed) == (None, None)
    assert (seats["by_the_clock"].child, seats["by_the_clock"].failed) == (
        None,
        "there was no time left of -1 s to begin",
    )
    figures = figures_of(seats, lambda: 60.0)
    leave(seats.values())
    assert list(figures) == ["good"]


@pytest.mark.slow
def test_rows_come_group_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(doubles("raising")["raising"], compiles=True)
    everyone = {
        "nnctl": doubles("good")["good"],
        "torch graph": broken,
        "JAX scan": doubles("by_the_clock")["by_the_clock"],
    }
    monkeypatch.setattr(timing, "CONTESTANTS", everyone)
    monkeypatch.setattr(timing, "GROUPS", (timing.GROUPS[0][:2], timing.GROUPS[2][:1]))
    rows = list(timing.timings(Budget(1000.0), without=["JAX scan"]))
    small, other = GPU[0].name, GPU[1].name
    assert [(row["workload"], row["precision"]) for row in rows] == [
        (small, "float32"), (other, "float32"), (small, "tf32"),
    ]  # fmt: skip
    failed, asked = {"torch graph": "RuntimeError: no such device"}, {"JAX scan": "was to take no part"}
    assert [row["left_out"] for row in rows] == [
        failed | asked, failed | asked, asked | {"torch graph": "was ready for none of the rows before"},
    ]  # fmt: skip
    assert (rows[0]["ratio"], rows[0]["best_peer"], rows[0]["way"]) == (None, None, "captured")
    assert rows[0]["teraflops"] == pytest.approx(GPU[0].flops / 0.003 / 1e12)


@pytest.mark.slow
def test_ours_is_tried_again_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = {"nnctl": replace(doubles("good")["good"], compiles=True)}
    monkeypatch.setattr(timing, "CONTESTANTS", slow)
    monkeypatch.setattr(timing, "GROUPS", (timing.GROUPS[0][:1],))
    monkeypatch.setattr(timing, "_BEGINNING", 0.0)
    (row,) = timing.timings(Budget(1000.0))
    assert (row["left_out"], row["median_ms"]) == ({}, {"nnctl": pytest.approx(3.0)})


def seat(cost: float) -> Seat:
    return Seat(doubles("good")["good"], Row(GPU[0], "float32"), costs=[cost] * 3)


def test_ratios_are_like_with_like_and_to_the_best() -> None:
    row = Row(GPU[0], "float32")
    figures = {
        "nnctl": Figures(0.002, 0.004, 8, "one kernel"),
        "torch graph": Figures(0.007, 0.009, 8, ""),
        "JAX scan": Figures(None, 0.012, 8, ""),
    }
    found = timing.row_of(row, dict.fromkeys(figures, seat(2.3)), figures, {"torch eager": "not installed"})
    assert (found["best_peer"], found["ratio"]) == ("JAX scan", pytest.approx(3.0))
    assert found["median_ms"] == pytest.approx({"nnctl": 2.0, "torch graph": 7.0})
    assert found["host_ms"]["JAX scan"] == pytest.approx(12.0)
    assert found["left_out"] == {"torch eager": "not installed"}
    assert found["way"] == "one kernel"


@pytest.mark.parametrize(("precision", "apart"), [("float32", 1e-4), ("tf32", 3e-3)])
def test_whoever_does_other_work_has_no_figures(precision: str, apart: float) -> None:
    figures = {name: Figures(0.002, 0.004, 8, "") for name in ("nnctl", "torch graph", "JAX scan")}
    seats = {"nnctl": seat(2.3), "torch graph": seat(2.3 * (1.0 + 2.0 * apart)), "JAX scan": seat(2.3 + 1e-5)}
    found = timing.row_of(Row(GPU[0], precision), seats, figures, {})
    assert (set(found["host_ms"]), found["best_peer"]) == ({"nnctl", "JAX scan"}, "JAX scan")
    assert "the first steps from the same weights cost" in found["left_out"]["torch graph"]


def test_every_contestant_has_its_functions() -> None:
    for contestant in timing.CONTESTANTS.values():
        if contestant.installed:
            module = import_module(contestant.module)
            assert callable(module.open_device)
            assert callable(getattr(module, contestant.function))


def test_what_a_captured_graph_reads_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from benchmarks import peer_torch

    class Graph:
        def replay(self) -> None:
            pass

    class Stream:
        def wait_stream(self, other: Stream) -> None:
            pass

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: nullcontext())
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: nullcontext())
    net = peer_torch._Net(Workload("a small net", mlp(3, activation="sigmoid"), Images((2, 2, 1), examples=20), 5))
    held = weakref.ref(net)
    trainer = peer_torch._captured(net.workload, net)
    del net
    gc.collect()
    assert held() is not None
    del trainer
    gc.collect()
    assert held() is None


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
    assert trainer.costs(np.arange(5)[None])[0] > 0.0
    log.clear()
    assert trainer.seconds(3) == 1.0
    marks = [place for place, what in enumerate(log) if what == "mark"]
    assert marks[0] == 0
    assert set(log[1 : marks[1]]) == {"work"}
    assert set(log[marks[1] + 1 :]) == {"read"}
    assert trainer.way() == "captured"


def test_when_the_time_is_over_nothing_more_is_timed() -> None:
    assert list(timing.timings(Budget(1.0))) == []


class Slow:
    """Ways of which the kernel of one is compiled when it has been asked for three times."""

    def __init__(self) -> None:
        self.asked = 0

    def compiled(self, *, begin: bool) -> bool:
        self.asked += begin
        return self.asked >= 3


def test_time_is_taken_once_all_ways_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "FastestSteps", Slow)
    loaded = Slow()
    monkeypatch.setattr(ours._Net, "_executable", loaded)
    net = object.__new__(ours._Net)
    net.wait_for_kernels()
    assert loaded.asked == 3
    loaded.asked = -1000
    monkeypatch.setattr(ours, "_COMPILING", 0.05)
    with pytest.raises(RuntimeError, match="was not compiled within"):
        net.wait_for_kernels()


@pytest.mark.slow
@pytest.mark.compile
def test_the_sanitizer_has_tests_to_run() -> None:
    for part in judgement._parts():
        found = judgement._run([*judgement._PYTEST, "-n", "0", *part, "--collect-only"], 60.0)
        assert found["outcome"] == "passed", found
        assert f"{len(part)} tests collected" in found["said"][0]


def test_parts_of_a_tool_are_one_outcome() -> None:
    passed = {"outcome": "passed", "seconds": 3.0, "said": ["10 passed"]}
    late = {"outcome": "out of time", "seconds": 9.0, "said": ["..."]}
    assert judgement._together([passed, passed])["outcome"] == "passed"
    together = judgement._together([passed, late])
    assert (together["outcome"], together["seconds"], together["said"]) == ("out of time", 9.0, ["10 passed", "..."])


@pytest.mark.compile
def test_the_parity_of_one_spec() -> None:
    path = judgement.ROOT / "specs" / "xor.yaml"
    row = one_spec.compared(path, 5.0, "cpu")
    assert (row["spec"], row["left"]) == ("xor", None)
    assert row["steps"] > 2
    assert 0.0 <= row["worst"] < 1e-3


@pytest.mark.slow
@pytest.mark.skipif(cuda_devices() > 0, reason="there is a CUDA device on this machine")
def test_a_spec_that_cannot_be_judged_says_why() -> None:
    found = judgement._run([sys.executable, "-m", "benchmarks.gpu.one_spec", "specs/xor.yaml", "1"], 60.0)
    row = json.loads(found["said"][-1])
    assert (row["steps"], row["left"]) == (0, None)
    assert "cuda" in row["said"]
