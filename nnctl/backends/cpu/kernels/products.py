"""Matrix products, by the kernel of `nnctl.backends.cpu.gemm`."""

from __future__ import annotations

from nnctl.backends.cpu.codegen.intrinsics import gemm
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.division import division_of
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
    if division_of(launch) == "columns":
        first, last = writer.column_bounds(c)
        b_text, c_text = (
            f"window1({v}, {first}, {v}.size - {first})" for v in (writer.view(s, "full") for s in (b, c))
        )
        arguments = [
            "1" if ta else "0", "0", writer.length(c), f"{last} - {first}", inner, alpha,
            writer.view(a, "full"), str(a.shape[1]), b_text, str(b.shape[1]), beta,
            c_text, str(columns), "scratch", "1", "0",
        ]  # fmt: skip
        writer.line(f"gemm({', '.join(arguments)})")
        return
    rows = writer.count(c, part)
    if division_of(launch) == "rows":
        a_text = writer.view(a, "partition")
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
        a_text, str(a.shape[1]), writer.view(b, "full"), str(b.shape[1]), beta,
        writer.view(c, part), str(columns), "scratch", "1", "0",
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


@emits("accumulate_product", calls=(copy, gemm), scratch=_scratch, blocks=True, partition=(0,))
def _accumulate_product(writer: Writer, launch: Launch) -> None:
    c, a, b, alpha, beta = launch.inputs
    out = launch.outputs[0]
    if (out.place, out.key, out.offset) != (c.place, c.key, c.offset):
        if division_of(launch) == "columns":
            raise ValueError(f"{out.name} is not made in the place of {c.name}, and has no owner")
        part = part_of(launch)
        writer.line(f"copy({writer.view(c, part)}, {writer.view(out, part)})")
    _product(writer, launch, a, b, out, writer.scalar(alpha), writer.scalar(beta))
