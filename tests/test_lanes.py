"""The lanes: a test that compiles says so, and one for a device waits for a machine that has it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

import pytest
from compiler_guard.compiler_refusal import VARIABLE, CompilerRefusedError
from devices import cuda_devices

IR = "define i64 @next(i64 %x) {\n  %y = add i64 %x, 1\n  ret i64 %y\n}\n"
PROGRAM = f"from nnctl.backends.cpu.compiler.objects import object_code; print(len(object_code({IR!r}, 2)) > 0)"
REFUSED = r"test_lanes\.py::.*mark it with pytest\.mark\.compile"


def child() -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)


def test_the_compiler_refuses_to_work_for_a_test_without_the_marker(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it does with what somebody else has compiled."""
    from nnctl.backends.cpu.compiler.objects import addresses, object_code

    with pytest.raises(CompilerRefusedError, match=REFUSED):
        object_code(IR, 2)
    with monkeypatch.context() as marked:
        marked.setenv(VARIABLE, "")
        code = object_code(IR, 2)
    with pytest.raises(CompilerRefusedError, match=REFUSED):
        addresses([code], ["next"])


def test_so_it_does_in_the_test_s_processes() -> None:
    done = child()
    assert done.returncode != 0
    assert "mark it with pytest.mark.compile" in done.stderr


@pytest.mark.compile
def test_with_the_marker_it_works() -> None:
    from nnctl.backends.cpu.compiler.objects import addresses, object_code

    assert not os.environ[VARIABLE]
    (address,) = addresses([object_code(IR, 2)], ["next"])
    assert ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(address)(1) == 2
    assert child().stdout == "True\n"


@pytest.mark.gpu
def test_where_there_is_no_device_a_test_for_one_is_not_run() -> None:
    assert cuda_devices() > 0
