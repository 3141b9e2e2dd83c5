"""`nnctl bench`, `nnctl doctor` and `nnctl inspect --show code`: what they print in a pipe."""

from __future__ import annotations

import ast
import errno
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from nnctl.backends import limits
from nnctl.backends.launch_by_launch import TimedLaunchByLaunch
from nnctl.cli import main
from nnctl.sweep.executors import waiting

SPECS = Path(__file__).parents[2] / "specs"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits measured on little."""
    monkeypatch.setattr(limits, "_SIZE", 64)
    monkeypatch.setattr(limits, "_COPIED", 1 << 12)


def rows(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(arguments) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


# -- bench ------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["cpu", "numpy"])
def test_a_bench_has_a_row_a_launch_and_adds_up(capsys: pytest.CaptureFixture[str], backend: str) -> None:
    found = rows(capsys, "bench", str(SPECS / "xor.yaml"), "--steps", "20", "--backend", backend)
    *launches, waiting, step = found
    assert [row["launch"] for row in (waiting, step)] == ["(waiting, calls)", "(step)"]
    assert {"dense1.matmul", "dense2.matmul"} <= {row["launch"] for row in launches}
    assert all(row["microseconds"] >= 0.0 and row["gflops"] >= 0.0 for row in found)
    assert step["percent"] == pytest.approx(100.0)
    assert step["microseconds"] > 0.0
    assert sum(row["microseconds"] for row in (*launches, waiting)) >= 0.99 * step["microseconds"]


def test_a_bench_says_how_trials_of_a_sweep_do_best(capsys: pytest.CaptureFixture[str]) -> None:
    for step, said in (("train", True), ("evaluate", False)):
        assert main(["bench", str(SPECS / "xor.yaml"), "--steps", "2", "--backend", "numpy", "--step", step]) == 0
        assert ("trials of a sweep do best in a process each" in capsys.readouterr().err) == said


def test_a_bench_where_nothing_can_be_written_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(waiting.tempfile, "NamedTemporaryFile", refused)
    assert main(["bench", str(SPECS / "xor.yaml"), "--steps", "2", "--backend", "numpy"]) == 0
    assert "nothing can be written here: Read-only file system" in capsys.readouterr().err


@pytest.mark.compile
def test_a_bench_says_what_trials_of_one_process_gain(capsys: pytest.CaptureFixture[str]) -> None:
    for step, said in (("train", True), ("evaluate", False)):
        assert main(["bench", str(SPECS / "xor.yaml"), "--steps", "2", "--backend", "cpu", "--step", step]) == 0
        found = re.search(r"8 trials .* \(sweep\.together: 8\): (\S+) × as many steps", capsys.readouterr().err)
        assert (found is not None) == said
        assert found is None or float(found[1]) > 0.0


def test_a_launch_that_another_makes_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TimedLaunchByLaunch, "elsewhere", lambda self: frozenset({1}))
    found = rows(capsys, "bench", str(SPECS / "xor.yaml"), "--steps", "2", "--backend", "numpy")
    assert [row["launch"].endswith(" (within another)") for row in found[:3]] == [False, True, False]


def test_a_bench_of_evaluation_has_no_update(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("bench", str(SPECS / "xor.yaml"), "--steps", "5", "--backend", "numpy", "--step", "evaluate")
    assert not any("⁺" in row["launch"] for row in rows(capsys, *arguments))


def test_a_larger_batch_has_more_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    small, large = (
        rows(capsys, "bench", str(SPECS / "xor.yaml"), "--steps", "2", "--backend", "numpy", "--batch", batch)[-1]
        for batch in ("1", "4096")
    )
    work = [row["gflops"] * row["microseconds"] for row in (small, large)]
    assert work[1] > 100.0 * work[0]


# -- doctor -------------------------------------------------------------------------------


def test_the_machine_in_rows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", "/dev/null/nowhere")
    found = {row["what"]: row for row in rows(capsys, "doctor")}
    assert {
        "nnctl",
        "Python",
        "numpy",
        "llvmlite",
        "processor",
        "threads",
        "BLAS",
        "limit of one core",
        "backend cuda",
    } <= set(found)
    assert "GFLOP/s" in found["limit of one core"]["value"]
    assert found["compiled code"]["words"].startswith("cannot be written")


@pytest.mark.parametrize(
    ("asked", "words"),
    [("HASWELL", "OPENBLAS_CORETYPE=HASWELL, set by the user"), (None, "chosen by the library itself")],
)
def test_who_chose_the_kernels(monkeypatch: pytest.MonkeyPatch, asked: str | None, words: str) -> None:
    from nnctl.backends import blas

    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    monkeypatch.setattr(blas, "wants_wide_kernels", lambda: False)
    if asked is not None:
        monkeypatch.setenv("OPENBLAS_CORETYPE", asked)
    blas.prepare_blas()
    assert blas.kernels_asked_for() == words


def test_kernels_chosen_here_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnctl.backends import blas

    # Set and deleted through monkeypatch, so that it takes back what the function sets.
    monkeypatch.setenv("OPENBLAS_CORETYPE", "")
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    monkeypatch.setattr(blas, "_ours", set())
    monkeypatch.setattr(blas, "wants_wide_kernels", lambda: True)
    blas.prepare_blas()
    assert blas.kernels_asked_for().startswith("OPENBLAS_CORETYPE=SKYLAKEX, set by nnctl")


def test_a_net_that_starts_well(capsys: pytest.CaptureFixture[str]) -> None:
    cost, *layers = rows(capsys, "doctor", str(SPECS / "digits.yaml"))
    assert cost["words"] == "an even guess costs 2.303"
    assert 2.0 < float(cost["value"]) < 3.0
    assert [row["layer"] for row in layers] == ["dense1", "dense2"]
    assert all(row["gradient"] > 0.0 for row in layers)


def test_a_net_that_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    """Weights far too large: a cost far above a guess, units of a sigmoid that no example moves."""
    changes = ["initializer={type: normal, std: 30.0}", "layers.1.activation=sigmoid"]
    settings = [word for change in changes for word in ("--set", change)]
    found = rows(capsys, "doctor", str(SPECS / "digits.yaml"), *settings)
    warnings = [row["words"] for row in found if row.get("value") == "warning"]
    assert any("the first weights are too large" in words for words in warnings)
    assert any("of the values of dense1 are saturated" in words for words in warnings)


def test_vanishing_gradients_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    found = rows(capsys, "doctor", str(SPECS / "deep-sigmoid.yaml"))
    (words,) = [row["words"] for row in found if row.get("value") == "warning"]
    assert "from repeat1.dense1 to dense1: they vanish or explode with depth" in words


def test_nets_of_optimizers_on_the_host_have_no_guard(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "optimizer=lbfgs", "--set", "schedule.batch_size=full"]
    cost, *layers = rows(capsys, "doctor", str(SPECS / "digits.yaml"), *settings)
    assert 2.0 < float(cost["value"]) < 3.0
    assert all(row["gradient"] > 0.0 for row in layers)


def test_dead_units_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["--set", "layers.1.bias_initializer={type: constant, value: -1000.0}"]
    found = rows(capsys, "doctor", str(SPECS / "digits.yaml"), *settings)
    (layer,) = [row for row in found if row.get("layer") == "dense1"]
    assert layer["dead"] == 1.0
    assert any("100% of the units of dense1 are dead" in row.get("words", "") for row in found)


# -- inspect --show code -------------------------------------------------------------------


def test_the_code_of_a_spec_is_python_and_calls_with_the_specs_names(capsys: pytest.CaptureFixture[str]) -> None:
    """Each function once, however often it is called."""
    assert main(["inspect", str(SPECS / "digits.yaml"), "--show", "code"]) == 0
    code, _, step = capsys.readouterr().out.partition("# A step, for batch 32, rows 32, with ")
    functions = {node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)}
    called = [name for name in re.findall(r"\b\w+(?=\()", step) if name in functions]
    assert set(called) == functions
    assert len(called) > len(functions)
    assert re.search(r"# dense1\.matmul.* = \w+\(flatten1\.reshape, dense1\.weight\)", step)
    assert "<dense1.weight>" in step


def test_code_that_there_is_not(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from nnctl.backends.cpu.backend import CpuBackend

    monkeypatch.setattr(CpuBackend, "missing", lambda self, graph: ("softmax",))
    assert main(["inspect", str(SPECS / "digits.yaml"), "--show", "code"]) == 2
    assert "the cpu backend has no compiled code for softmax" in capsys.readouterr().err
