"""Matrix products, by the kernel of `nnctl.backends.cpu.gemm`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import gemm, window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Part, Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.division import division_of, half_of
from nnctl.backends.cpu.gemm.product import product_scratch
from nnctl.backends.cpu.kernels.layout import copy
from nnctl.plan.plan import Launch, Slot


def _transposed(launch: Launch) -> tuple[bool, bool]:
    return bool(launch.attributes.get("transpose_a")), bool(launch.attributes.get("transpose_b"))


def _product(writer: Writer, launch: Launch, a: Slot, b: Slot, c: Slot, alpha: str, beta: str) -> None:
    ta, tb = _transposed(launch)
    inner = writer.length(a) if ta else str(a.shape[1])
    columns = c.shape[1]
    part = part_of(launch)
    rows, step = writer.count(c, part), str(a.shape[1])
    if division_of(launch) == "rows":
        a_text = writer.view(a, "partition")
    elif division_of(launch) == "halves":
        # An update by a product with the columns of examples that are the thread's rows of C.
        a_text, step = writer.columns(a)
    elif part == "partition":
        # A block of C's rows needs these columns of A if A is transposed, else these rows.
        first, _ = writer.bounds(c)
        offset = first if ta else f"{first} * {a.shape[1]}"
        flat = writer.view(a, "full")
        a_text = f"window1({flat}, {offset}, {flat}.size - {offset})"
    else:
        a_text = writer.view(a, "full")
    arguments = [
        "1" if ta else "0", "1" if tb else "0", rows, str(columns), inner, alpha,
        a_text, step, writer.view(b, "full"), str(b.shape[1]), beta,
        writer.view(c, part), str(columns), "scratch",
    ]  # fmt: skip
    writer.line(f"gemm({', '.join(arguments)})")


def _scratch(launch: Launch) -> int:
    a, c = launch.inputs[0 if launch.op.name == "matmul" else 1], launch.outputs[0]
    ta, _ = _transposed(launch)
    return product_scratch(c.shape[0], a.shape[0] if ta else a.shape[1], transposed=ta)


@emits("matmul", calls=(gemm,), scratch=_scratch, rows=True, blocks=True, full=(1,))
def _matmul(writer: Writer, launch: Launch) -> None:
    a, b = launch.inputs
    _product(writer, launch, a, b, launch.outputs[0], "F(1.0)", "F(0.0)")


def _where_made(writer: Writer, launch: Launch, half: int) -> AbstractContextManager[None]:
    """A block for the thread that makes this half; for all threads where each makes a part of both."""
    if division_of(launch) != "halves":
        return nullcontext()
    first, behind = writer.halves()
    return writer.block(f"if {first} <= {half} < {behind}:")


def _scratch_of_a_half(launch: Launch) -> int:
    a, b = launch.inputs
    return product_scratch(a.shape[0], half_of(b.shape[0]), transposed=False)


@emits("half_products", calls=(gemm,), scratch=_scratch_of_a_half, rows=True, full=(1,))
def _half_products(writer: Writer, launch: Launch) -> None:
    a, b = launch.inputs
    terms, columns = b.shape
    half, part = half_of(terms), part_of(launch)
    owned = division_of(launch) == "halves"
    left, step = writer.columns(a) if owned else (writer.view(a, part), str(terms))
    right = writer.view(b, "full")
    for number, c in enumerate(launch.outputs):
        begins, inner = (half, terms - half) if number else (0, half)
        place = f"({begins} - {writer.column_bounds(a)[0]})" if owned else str(begins)
        arguments = [
            "0", "0", writer.count(c, part), str(columns), str(inner), "F(1.0)",
            f"window1({left}, {place}, {left}.size - {place})", step,
            f"window1({right}, {begins * columns}, {inner * columns})", str(columns), "F(0.0)",
            writer.view(c, part), str(columns), "scratch",
        ]  # fmt: skip
        with _where_made(writer, launch, number):
            writer.line(f"gemm({', '.join(arguments)})")


_BLOCK = 512
"""Positions that are summed at once: of more, what is packed of them leaves the first cache."""


@compiled
def sum_over_rows(m: Any, n: Any, step: Any, rows: Any, a: Any, b: Any, scratch: Any, c: Any) -> None:
    """C (m, n) ← AᵀB over so many rows, of which those of A lie `step` numbers apart."""
    for first in range(0, rows, _BLOCK):
        left, right = window1(a, first * step, a.size - first * step), window1(b, first * n, b.size - first * n)
        before = F(1.0) if first > 0 else F(0.0)
        gemm(1, 0, m, n, min(_BLOCK, rows - first), F(1.0), left, step, right, n, before, c, n, scratch)


def _scratch_of_a_block(launch: Launch) -> int:
    a, _ = launch.inputs
    return product_scratch(a.shape[1], min(_BLOCK, half_of(a.shape[0])), transposed=True)


@emits("half_gradients", calls=(sum_over_rows,), scratch=_scratch_of_a_block, blocks=True)
def _half_gradients(writer: Writer, launch: Launch) -> None:
    a, b = launch.inputs
    (rows, step), columns = a.shape, b.shape[1]
    half = half_of(rows)
    part: Part = "full" if division_of(launch) == "halves" else part_of(launch)
    left, right = writer.view(a, "full"), writer.view(b, "full")
    for number, c in enumerate(launch.outputs):
        begins, count = (half, rows - half) if number else (0, half)
        # A block of the rows of C needs these columns of A.
        of_a = f"{begins * step} + {writer.bounds(c)[0]}" if part == "partition" else f"{begins * step}"
        arguments = [
            writer.count(c, part), str(columns), str(step), str(count),
            f"window1({left}, {of_a}, {left}.size - ({of_a}))",
            f"window1({right}, {begins * columns}, {count * columns})", "scratch", writer.view(c, part),
        ]  # fmt: skip
        with _where_made(writer, launch, number):
            writer.line(f"sum_over_rows({', '.join(arguments)})")


@emits("accumulate_product", calls=(copy, gemm), scratch=_scratch, blocks=True, partition=(0,))
def _accumulate_product(writer: Writer, launch: Launch) -> None:
    c, a, b, alpha, beta = launch.inputs
    out = launch.outputs[0]
    if (out.place, out.key, out.offset) != (c.place, c.key, c.offset):
        part = part_of(launch)
        writer.line(f"copy({writer.view(c, part)}, {writer.view(out, part)})")
    _product(writer, launch, a, b, out, writer.scalar(alpha), writer.scalar(beta))
