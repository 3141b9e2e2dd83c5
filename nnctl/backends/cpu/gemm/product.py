"""The matrix product of generated code: compiled once for this processor, bound to its symbol in each process."""

from __future__ import annotations

from functools import cache, partial

from nnctl.backends.cpu.compiler.objects import bind
from nnctl.backends.cpu.gemm.kernel_ir import (
    PACK_A_FROM,
    SYMBOL,
    TILE,
    module_text,
    widest_panel,
)
from nnctl.backends.cpu.gemm.packed_ir import PACK_SYMBOL, PACKED_SYMBOL
from nnctl.backends.machine import vector_bits


@cache
def load() -> None:
    """Bind the symbols to the functions, compiled for this processor now or earlier."""
    bind("gemm", partial(module_text, vector_bits()), [SYMBOL, PACK_SYMBOL, PACKED_SYMBOL])


def panel_width() -> int:
    """Columns of a panel of B: a product over k needs k times as many floats of scratch."""
    return TILE[vector_bits()][1] * vector_bits() // 32


def product_scratch(m: int, k: int, *, transposed: bool) -> int:
    """Floats that a product of m rows over k terms packs its operands into."""
    # The last tile has fewer rows, and lies as if it had them all.
    rows = TILE[vector_bits()][0]
    packed_a = -(-m // rows) * rows * k if transposed and m * k >= PACK_A_FROM else 0
    return k * widest_panel(vector_bits()) + packed_a


def packed_size(n: int, k: int) -> int:
    """Floats of a packed B of k rows and n columns."""
    return -(-n // panel_width()) * panel_width() * k
