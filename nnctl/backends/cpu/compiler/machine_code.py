"""Object code of IR, by LLVM alone: a process that only compiles loads little else, and begins soon."""

from __future__ import annotations

from functools import cache
from typing import Any

import llvmlite.binding as llvm

_OPTIONS = ("-disable-lsr",)
"""LLVM's options. Addresses of loops stay as they were written: to rewrite them is a quarter of the time of compiling,
no loop here gains by it, and at 256 bits products lose a tenth."""


def machine_of(processor: str, features: str) -> Any:
    """LLVM's machine that writes code. processor: by LLVM's name. features: its extensions, as LLVM is told of them."""
    _begin()
    return llvm.Target.from_default_triple().create_target_machine(cpu=processor, features=features, opt=3, jit=True)


@cache
def _begin() -> None:
    """Prepare LLVM, once a process."""
    for option in _OPTIONS:
        llvm.set_option("nnctl", option)
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


def code_for(text: str, level: int, machine: Any) -> bytes:
    """A module of IR as object code.

    level: of LLVM's optimization; from 1 on loops become vectors, several side by side, and are unrolled no further.
    Code is always chosen with care.
    """
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    tuning = llvm.create_pipeline_tuning_options(speed_level=level)
    tuning.loop_vectorization = level > 0
    tuning.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))
