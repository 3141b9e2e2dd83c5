"""The convolution of generated code: its module, and what is bound to its symbols."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import symbol
from nnctl.backends.cpu.compiler.objects import bind
from nnctl.backends.cpu.convolve import kernel_ir, positions_ir
from nnctl.backends.cpu.gemm.kernel_ir import TILE
from nnctl.backends.cpu.gemm.widths import declared, totals
from nnctl.backends.machine import vector_bits

_POSITIONS = 8
"""Positions of a tile, if there are registers for so many sums: as many fused multiply-adds are under way at a time."""


def largest_tile() -> tuple[int, int, int]:
    """(positions or rows of the kernel, vectors of filters, lanes of a vector) of the largest tile."""
    bits = vector_bits()
    return (*TILE[bits], bits // 32)


def module_text(bits: int) -> str:
    """The module for vectors of so many bits."""
    lanes = bits // 32
    rows, vectors = TILE[bits]
    return "\n".join(
        [
            *declared(lanes),
            *(
                positions_ir.tiles_of_positions(min(_POSITIONS, rows * vectors * lanes // n), n, lanes)
                for n in totals(vectors, lanes)
            ),
            positions_ir.convolve(vectors, lanes),
            *(
                kernel_ir.tile_of_kernel(r, n, lanes, part=part)
                for n, part in kernel_ir.tiles(vectors, lanes)
                for r in range(1, rows + 1)
            ),
            kernel_ir.convolve_kernel(rows, vectors, lanes),
        ]
    )


@cache
def load() -> None:
    """Bind the symbols to the functions, compiled for this processor now or earlier."""
    bind("convolution", partial(module_text, vector_bits()), [positions_ir.SYMBOL, kernel_ir.SYMBOL])


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
