"""The lanes: a test that compiles says so, and one for a device waits for a machine that has it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from compiler_guard.compiler_refusal import VARIABLE, CompilerRefusedError
from devices import cuda_devices

PROGRAM = "import numba; print(numba.njit(lambda x: x + 1)(1))"


def child() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)


def test_the_compiler_refuses_to_work_for_a_test_without_the_marker() -> None:
    numba = pytest.importorskip("numba")
    with pytest.raises(CompilerRefusedError, match=r"test_lanes\.py::.*mark it with pytest\.mark\.compile"):
        numba.njit(lambda x: x + 1)(1)


def test_so_it_does_in_the_test_s_processes() -> None:
    done = child()
    assert done.returncode != 0
    assert "mark it with pytest.mark.compile" in done.stderr


@pytest.mark.compile
def test_with_the_marker_it_works() -> None:
    numba = pytest.importorskip("numba")
    assert not os.environ[VARIABLE]
    assert numba.njit(lambda x: x + 1)(1) == 2
    assert child().stdout == "2\n"


@pytest.mark.gpu
def test_where_there_is_no_device_a_test_for_one_is_not_run() -> None:
    assert cuda_devices() > 0
