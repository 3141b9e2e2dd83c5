"""Vectors of every width that this processor has: IR compiled for a processor whose registers are no wider."""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import pytest

from nnctl.backends.cpu.compiler.objects import AS_WRITTEN, object_code
from nnctl.backends.cpu.gemm import product as gemm
from nnctl.backends.machine import instruction_sets, vector_bits

WIDTHS = (128, 256, 512)
_PROCESSORS = {128: "nehalem", 256: "haswell", 512: ""}
"""A processor whose registers are no wider, so that LLVM cannot widen what the text says; "": this one."""
_NEEDED = {128: {"sse4.2"}, 256: {"avx2", "fma"}, 512: {"avx512f"}}


def engine(bits: int, text: str) -> Any:
    """An engine that holds a module's functions; skips the test where this processor has no such registers."""
    if not llvm.get_process_triple().startswith("x86_64"):
        if bits != vector_bits():
            pytest.skip("vectors of another width than this processor's")
        name, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    elif set(instruction_sets()) >= _NEEDED[bits]:
        name = _PROCESSORS[bits] or llvm.get_host_cpu_name()
        features = "" if _PROCESSORS[bits] else llvm.get_host_cpu_features().flatten()
    else:
        pytest.skip(f"this processor has no registers of {bits} bits")
    gemm.load()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=name, features=features, opt=3, jit=True)
    made = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    made.add_object_file(llvm.ObjectFileRef.from_data(object_code(text, AS_WRITTEN, machine)))
    made.finalize_object()
    return made
