"""The vectors of a tile's columns or filters: whole ones, and behind them half a one where that is enough for the rest.

Half a register of 512 bits takes half the time where a processor makes such vectors in two halves, and never more. Of
20 filters it spares a quarter of the work, of 40 a sixth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nnctl.backends.cpu.gemm.ir_text import IrText


def step_of(lanes: int) -> int:
    """The lanes of the smallest vector, given those of the largest."""
    return lanes // 2 if lanes == 16 else lanes


def widths_of(total: int, lanes: int) -> tuple[int, ...]:
    """The lanes of each vector, of so many together."""
    whole, rest = divmod(total, lanes)
    return (lanes,) * whole + ((rest,) if rest else ())


def totals(vectors: int, lanes: int) -> Iterator[int]:
    """The lanes that tiles of up to so many vectors have together."""
    return iter(range(step_of(lanes), vectors * lanes + 1, step_of(lanes)))


def splat(t: IrText, scalar: str, kind: str, count: int) -> str:
    """A vector of one scalar."""
    kinds = f"<{count} x {kind}>"
    first = t.let("one", f"insertelement {kinds} poison, {kind} {scalar}, i64 0")
    return t.let("all", f"shufflevector {kinds} {first}, {kinds} poison, <{count} x i32> zeroinitializer")


def parts_of(t: IrText, scalar: str, widths: tuple[int, ...]) -> list[str]:
    """A float as a vector of each of these widths, the first the largest; the smaller are parts of it."""
    largest = widths[0]
    wide = splat(t, scalar, "float", largest)
    if min(widths) < largest:
        # As something that LLVM cannot see through: else it makes the smaller vector by an instruction of its own.
        kind = f"<{largest} x float>"
        wide = t.let("wide", f'call {kind} asm "", "=v,0"({kind} {wide})')
    found: dict[int, str] = {largest: wide}
    for width in widths:
        if width not in found:
            first = ", ".join(f"i32 {i}" for i in range(width))
            kind = f"<{largest} x float>"
            found[width] = t.let("part", f"shufflevector {kind} {wide}, {kind} poison, <{width} x i32> <{first}>")
    return [found[width] for width in widths]


def fma(t: IrText, result: str, width: int, a: str, b: str, c: str) -> None:
    """result ← a·b + c."""
    v = f"<{width} x float>"
    t.say(f"{result} = call {v} @llvm.fma.v{width}f32({v} {a}, {v} {b}, {v} {c})")


def load(t: IrText, place: str, width: int, mask: str | None = None) -> str:
    """A vector of memory; zeros where a mask is not set."""
    v = f"<{width} x float>"
    if mask is None:
        return t.let("v", f"load {v}, ptr {place}, align 4")
    call = f"call {v} @llvm.masked.load.v{width}f32.p0"
    return t.let("v", f"{call}(ptr {place}, i32 4, <{width} x i1> {mask}, {v} zeroinitializer)")


def store(t: IrText, value: str, place: str, width: int, mask: str | None = None) -> None:
    """Store a vector, where a mask is set if there is one."""
    v = f"<{width} x float>"
    if mask is None:
        t.say(f"store {v} {value}, ptr {place}, align 4")
    else:
        call = f"call void @llvm.masked.store.v{width}f32.p0"
        t.say(f"{call}({v} {value}, ptr {place}, i32 4, <{width} x i1> {mask})")


def store_firsts(t: IrText, stored: Sequence[tuple[str, str]], width: int, count: str, block: str) -> None:
    """Store the first lanes of vectors, given as (value, place): `count` of them, from 1 and fewer than all.

    By stores of half a vector, of a quarter, …: on some processors one under a mask takes as long as ten of these.
    block: the label of the block that is being written, and the beginning of those that follow.
    """
    v = f"<{width} x float>"
    values, done = [value for value, _ in stored], "0"
    size, before = width // 2, block
    while size:
        these, after = f"{block}.{size}", f"{block}.after.{size}"
        bit = t.let("bit", f"and i64 {count}, {size}")
        t.say(f"br i1 {t.let('some', f'icmp ne i64 {bit}, 0')}, label %{these}, label %{after}")
        t.label(these)
        first = ", ".join(f"i32 {i}" for i in range(size))
        rest = ", ".join(f"i32 {(i + size) % width}" for i in range(width))
        left = []
        for value, (_, place) in zip(values, stored):
            part = t.let("part", f"shufflevector {v} {value}, {v} poison, <{size} x i32> <{first}>")
            store(t, part, t.let("c", f"getelementptr float, ptr {place}, i64 {done}"), size)
            left.append(t.let("left", f"shufflevector {v} {value}, {v} poison, <{width} x i32> <{rest}>"))
        further = t.let("done", f"add i64 {done}, {size}")
        t.say(f"br label %{after}")
        t.label(after)
        values = [
            t.let("value", f"phi {v} [{value}, %{before}], [{other}, %{these}]")
            for value, other in zip(values, left, strict=True)
        ]
        done = t.let("done", f"phi i64 [{done}, %{before}], [{further}, %{these}]")
        before, size = after, size // 2


def declared(lanes: int) -> list[str]:
    """Declarations of what these functions call."""
    lines = []
    for n in sorted({lanes, step_of(lanes)}):
        v, m = f"<{n} x float>", f"<{n} x i1>"
        lines += [
            f"declare {v} @llvm.fma.v{n}f32({v}, {v}, {v})",
            f"declare {v} @llvm.masked.load.v{n}f32.p0(ptr, i32, {m}, {v})",
            f"declare void @llvm.masked.store.v{n}f32.p0({v}, ptr, i32, {m})",
        ]
    return lines
