"""The convolution of generated code: its module, and what is bound to its symbols."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import symbol
from nnctl.backends.cpu.compiler.objects import bind
from nnctl.backends.cpu.convolve import kernel_ir, positions_ir
from nnctl.backends.cpu.gemm.packing_ir import pack_b
from nnctl.backends.cpu.gemm.widths import declared, totals
from nnctl.backends.machine import vector_bits

PACK_SYMBOL = "nnctl_pack_filters"
_PACK = f"""
define void @{PACK_SYMBOL}(i64 %across, i64 %filters, i64 %rows, ptr %w, i64 %ldw, ptr %panel, i64 %wide) nounwind {{
  %transposed = icmp ne i64 %across, 0
  call void @pack.b(i64 %rows, i64 %filters, ptr %w, i64 %ldw, i1 %transposed, ptr %panel, i64 %wide)
  ret void
}}"""
TILE = {512: (24, 8, 3), 256: (12, 6, 3), 128: (12, 4, 3)}
"""Vectors of sums in a tile, its rows of the kernel and its vectors of filters, each at most, by width of registers.

Of five vectors of filters there are tiles of two and three: one by itself has too few sums to be fast.
"""
_POSITIONS = 8
"""Positions of a tile, if there are registers for so many sums: as many fused multiply-adds are under way at a time."""


def largest_tile() -> tuple[int, int, int, int]:
    """(sums, rows of the kernel, vectors of filters, lanes of a vector): of each as many as a tile has at most."""
    bits = vector_bits()
    return (*TILE[bits], bits // 32)


def module_text(bits: int) -> str:
    """The module for vectors of so many bits."""
    lanes = bits // 32
    sums, rows, vectors = TILE[bits]
    return "\n".join(
        [
            *declared(lanes),
            *(
                positions_ir.tiles_of_positions(min(_POSITIONS, sums * lanes // n), n, lanes)
                for n in totals(vectors, lanes)
            ),
            positions_ir.convolve(vectors, lanes),
            *(
                kernel_ir.tile_of_kernel(r, n, lanes, part=part)
                for n, part in kernel_ir.tiles(vectors, lanes)
                for r in range(1, kernel_ir.rows_of(n, sums, rows, lanes) + 1)
            ),
            kernel_ir.convolve_kernel(sums, rows, vectors, lanes),
            "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
            pack_b(lanes),
            _PACK,
        ]
    )


@cache
def load() -> None:
    """Bind the symbols to the functions, compiled for this processor now or earlier."""
    bind("convolution", partial(module_text, vector_bits()), [positions_ir.SYMBOL, kernel_ir.SYMBOL, PACK_SYMBOL])


@symbol(PACK_SYMBOL, load)
def pack_filters(across: Any, filters: Any, rows: Any, w: Any, ldw: Any, panel: Any, wide: Any) -> None:
    """panel ← so many rows of w, `wide` floats apart, of `filters` numbers each; columns of it where `across` is 1."""


@symbol(positions_ir.SYMBOL, load)
def convolve(x: Any, height: Any, width: Any, pixel: Any, channels: Any, w: Any, ldw: Any, filters: Any, y: Any,
             y_down: Any, y_across: Any, rows: Any, columns: Any, down: Any, across: Any, top: Any, left: Any, kh: Any,
             kw: Any, step_down: Any, step_across: Any, zeros: Any) -> None:  # fmt: skip
    """A convolution of one image: see `convolve` in `positions_ir`."""


@symbol(kernel_ir.SYMBOL, load)
def convolve_kernel(count: Any, c: Any, channels: Any, skip_across: Any, b: Any, kw: Any, skip_down: Any, x: Any,
                    x_image: Any, x_down: Any, x_across: Any, y: Any, y_image: Any, y_down: Any, y_across: Any,
                    images: Any, rows: Any, columns: Any, filters: Any, w: Any, ldw: Any) -> None:  # fmt: skip
    """A tile of the gradient of a convolution's kernel: see `convolve_kernel` in `kernel_ir`."""
