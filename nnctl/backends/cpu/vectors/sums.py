"""The sum of an array as kernels call it: 64 sums side by side, which are then added in pairs.

Always in vectors of sixteen lanes, which LLVM makes of as many registers as they take: so a sum has one order on every
processor, and enough additions are under way at a time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import symbol
from nnctl.backends.cpu.compiler.objects import bind
from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.tile_ir import mask_of

SYMBOL = "nnctl_total"
_LANES, _VECTORS = 16, 4
_FLOATS, _MASK = f"<{_LANES} x float>", f"<{_LANES} x i1>"


def module_text() -> str:
    """The module of the function float (count, x): lane l of 64 sums up x[l], x[64 + l], …"""
    t = IrText()
    width = _LANES * _VECTORS
    t.say(f"%left = urem i64 %count, {width}")
    t.say("%whole = sub i64 %count, %left")
    t.say("%short = icmp eq i64 %whole, 0")
    t.say("br i1 %short, label %last, label %loop")
    t.label("loop")
    t.say("%i = phi i64 [0, %entry], [%i.next, %loop]")
    later = [t.fresh("later") for _ in range(_VECTORS)]
    now = [t.let("now", f"phi {_FLOATS} [zeroinitializer, %entry], [{each}, %loop]") for each in later]
    for k, (each, before) in enumerate(zip(later, now, strict=True)):
        part = t.let("part", f"load {_FLOATS}, ptr {_place(t, '%i', k)}, align 4")
        t.say(f"{each} = fadd {_FLOATS} {before}, {part}")
    t.say(f"%i.next = add nuw i64 %i, {width}")
    t.say("%done = icmp eq i64 %i.next, %whole")
    t.say("br i1 %done, label %last, label %loop")
    t.label("last")
    sums = [t.let("sum", f"phi {_FLOATS} [zeroinitializer, %entry], [{each}, %loop]") for each in later]
    for k in range(_VECTORS):
        # Lanes behind the end are those of a mask that has none: fewer than nothing is left.
        count = t.let("count", f"sub i64 %left, {k * _LANES}")
        call = f"call {_FLOATS} @llvm.masked.load.v{_LANES}f32.p0"
        masked = f"i32 4, {_MASK} {mask_of(t, count, _LANES)}, {_FLOATS} zeroinitializer"
        part = t.let("part", f"{call}(ptr {_place(t, '%whole', k)}, {masked})")
        sums[k] = t.let("sum", f"fadd {_FLOATS} {sums[k]}, {part}")
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [t.let("sum", f"fadd {_FLOATS} {a}, {b}") for a, b in zip(sums[:half], sums[half:], strict=True)]
    (total,) = sums
    for distance in (8, 4, 2, 1):
        lanes = ", ".join(f"i32 {(lane + distance) % _LANES}" for lane in range(_LANES))
        moved = t.let("moved", f"shufflevector {_FLOATS} {total}, {_FLOATS} poison, <{_LANES} x i32> <{lanes}>")
        total = t.let("sum", f"fadd {_FLOATS} {total}, {moved}")
    t.say(f"ret float {t.let('total', f'extractelement {_FLOATS} {total}, i64 0')}")
    body = "\n".join(t.lines)
    declared = f"declare {_FLOATS} @llvm.masked.load.v{_LANES}f32.p0(ptr, i32, {_MASK}, {_FLOATS})"
    return f"{declared}\ndefine float @{SYMBOL}(i64 %count, ptr %x) nounwind {{\nentry:\n{body}\n}}"


def _place(t: IrText, first: str, vector: int) -> str:
    index = t.let("index", f"add i64 {first}, {vector * _LANES}")
    return t.let("place", f"getelementptr float, ptr %x, i64 {index}")


@cache
def load() -> None:
    """Bind the symbol."""
    bind("sums", module_text, [SYMBOL])


@symbol(SYMBOL, load, gives_float=True)
def total_of(count: Any, x: Any) -> Any:
    """Σ x."""
