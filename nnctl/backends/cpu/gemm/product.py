"""The matrix product of generated code: compiled once for this processor, bound to its symbol in each process."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import llvmlite.binding as llvm

from nnctl.backends.cache.store import kept_bytes
from nnctl.backends.cpu.compilation import target
from nnctl.backends.cpu.gemm.kernel_ir import PACK_A_FROM, SYMBOL, TILE, module_text
from nnctl.backends.cpu.gemm.packed_ir import PACK_SYMBOL, PACKED_SYMBOL
from nnctl.backends.machine import vector_bits


@cache
def load() -> Any:
    """Bind the symbols to the functions, compiled for this processor now or earlier. Keeps the engine alive."""
    return bind("gemm", module_text(vector_bits()), (SYMBOL, PACK_SYMBOL, PACKED_SYMBOL))


def bind(name: str, text: str, symbols: Sequence[str]) -> Any:
    """Bind symbols to the functions of a module's text. Whoever calls them keeps the engine that is returned."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3, jit=True
    )
    code = kept_bytes(name, [text, *target()], lambda: _object_code(text, machine))
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    for symbol in symbols:
        llvm.add_symbol(symbol, engine.get_function_address(symbol))
    return engine


def _object_code(text: str, machine: Any) -> bytes:
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def panel_width() -> int:
    """Columns of a panel of B: a product over k needs k times as many floats of scratch."""
    return TILE[vector_bits()][1] * vector_bits() // 32


def product_scratch(m: int, k: int, *, transposed: bool) -> int:
    """Floats that a product of m rows over k terms packs its operands into."""
    # The last tile has fewer rows, and lies as if it had them all.
    rows = TILE[vector_bits()][0]
    packed_a = -(-m // rows) * rows * k if transposed and m * k >= PACK_A_FROM else 0
    return k * panel_width() + packed_a


def packed_size(n: int, k: int) -> int:
    """Floats of a packed B of k rows and n columns."""
    return -(-n // panel_width()) * panel_width() * k
