"""Instructions that are limited: what is said of the processor, what LLVM is told, and what it then writes."""

from __future__ import annotations

import llvmlite.binding as llvm
import pytest

from nnctl.backends import blas
from nnctl.backends.cpu.compiler import objects
from nnctl.backends.machine import instruction_limit, instruction_sets, llvm_features, vector_bits
from nnctl.errors import UsageError

_WIDE = """
define void @twice(ptr %x) {
  %value = load <16 x float>, ptr %x, align 4
  %sum = fadd <16 x float> %value, %value
  store <16 x float> %sum, ptr %x, align 4
  ret void
}
"""


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch):
    """Registers of 256 bits at most, for what is cached, too."""
    monkeypatch.setenv("NNCTL_INSTRUCTIONS", "avx2")
    instruction_sets.cache_clear()
    yield
    monkeypatch.undo()
    instruction_sets.cache_clear()


def test_nothing_wider_is_left(limited: None) -> None:
    assert instruction_limit() == "avx2"
    assert vector_bits() <= 256
    assert not [name for name in instruction_sets() if name.startswith(("avx512", "avx10", "amx"))]
    told = {name[1:]: name[0] == "+" for name in llvm_features().split(",")}
    assert told.keys() == llvm.get_host_cpu_features().keys()
    assert {name for name, used in told.items() if used} == set(instruction_sets())


def test_code_that_is_kept_and_code_that_is_written_follow(limited: None, monkeypatch: pytest.MonkeyPatch) -> None:
    key = objects.target()
    machine = objects._new_machine()
    module = llvm.parse_assembly(_WIDE)
    assert "zmm" not in machine.emit_assembly(module)
    monkeypatch.delenv("NNCTL_INSTRUCTIONS")
    instruction_sets.cache_clear()
    assert (objects.target() == key) == (vector_bits() < 512)


def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_INSTRUCTIONS", "avx3")
    with pytest.raises(UsageError, match="NNCTL_INSTRUCTIONS is 'avx3'; it can be avx2, or unset"):
        instruction_limit()


def test_blas_follows(limited: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "")
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    monkeypatch.setattr(blas, "_ours", set())
    blas.prepare_blas()
    assert blas.kernels_asked_for() == "OPENBLAS_CORETYPE=HASWELL, set by nnctl: the instructions are limited"
