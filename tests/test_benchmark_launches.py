"""The suite that lists what takes long in a step holds it against limits that this machine was seen to reach."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks/ lies beside a checkout's tests, not beside an sdist's")

from benchmarks import bandwidth, launches
from benchmarks.workloads import CPU
from nnctl.analysis.bench import Bench, Timing


def timing(name: str, microseconds: float, gbytes: float = 0.0, limit: float | None = None, op: str = "relu") -> Timing:
    return Timing(name, "layer", op, microseconds, microseconds, 0.0, gbytes, limit)


def test_the_copy_that_bandwidth_is_measured_by_copies() -> None:
    source, target = bandwidth._aligned(256), bandwidth._aligned(256)
    source[:] = np.arange(256)
    bandwidth._copy()[0](source.ctypes.data, target.ctypes.data, 192, 2)
    assert np.array_equal(target, np.where(np.arange(256) < 192, source, 0))


@pytest.mark.parametrize("threads", [1, 2])
def test_rates_are_those_of_a_power_of_two_of_bytes(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(bandwidth, "_measured", lambda size, threads: sizes.append((size, threads)) or 1.0)
    for moved in (1, 100_000, 1 << 20, 1 << 40):
        bandwidth.copy_rate.__wrapped__(moved, threads)
    assert sizes == [(size, threads) for size in (1 << 14, 1 << 17, 1 << 20, 1 << 27)]


def test_a_copy_has_a_rate() -> None:
    assert 1e8 < bandwidth.copy_rate(1 << 16, 1) < 1e13


def test_the_nearer_limit_counts_and_small_launches_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (
        timing("product", 40.0, gbytes=1.0, limit=80.0, op="matmul"),
        timing("pass", 20.0, gbytes=5.0, limit=2.0),
        timing("small", 9.0, gbytes=1.0, limit=1.0),
        timing("(waiting, calls)", 31.0, op=""),
        timing("(step)", 100.0, op=""),
    )
    monkeypatch.setattr(launches, "measured", lambda *_, **__: Bench("cpu", 2, "2 threads", 10, 1, found))
    monkeypatch.setattr(
        launches, "copy_rate", lambda moved, threads: 1e10 if (moved, threads) == (100_000, 2) else 1e12
    )
    rows = launches.rows_of(CPU[0], 2, 0.0)
    assert [(row["launch"], row["of_limit"], row["bound"]) for row in rows] == [
        ("product", 80.0, "products"), ("pass", 50.0, "bytes"), ("(waiting, calls)", None, "products"),
    ]  # fmt: skip
    assert [line.split(" | ", 2)[2] for line in launches.lines_of(rows)[2:]] == [
        "matmul | 40 | 40 | 80 | products |", "relu | 20 | 20 | **50** | bytes |", " | 31 | 31 |  |  |",
    ]  # fmt: skip


@pytest.mark.compile
@pytest.mark.slow
def test_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    launches.main(["--quick"])
    assert f"\n| {CPU[0].name} | " in capsys.readouterr().out
