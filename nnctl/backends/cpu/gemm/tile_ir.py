"""The LLVM IR of the product's innermost loops: a tile of C, its sums in registers."""

from __future__ import annotations

from typing import TypeAlias

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.widths import fma, load, parts_of, store, store_firsts
from nnctl.late import dataclass

_ARGUMENTS = (
    "i64 %k, ptr %a, i64 %ras, i64 %cas, ptr %b, i64 %ldb, ptr %c, i64 %ldc, float %alpha, float %beta, i64 %last, "
    "i64 %spans, i64 %span"
)
Stored: TypeAlias = tuple[str, str, int, str | None]
"""Value, place, lanes and mask of a vector that is stored."""


@dataclass(frozen=True)
class Last:
    """The last vector of a panel's rows: so many lanes, and whether `last` of them are there or all."""

    lanes: int
    masked: bool


def tile(rows: int, vectors: int, lanes: int, last: Last) -> str:
    """C (rows × columns of the vectors) ← α·A·B + β·C. lanes: of every vector but the last.

    The sum runs over `spans` blocks of k terms, for each of which A begins `span` floats further. Without AVX-512, what
    a mask leaves is stored in pieces.
    """
    t = IrText()
    mask = mask_of(t, "%last", last.lanes) if last.masked else None
    widths = (*[lanes] * (vectors - 1), last.lanes)
    bases = ["%a"]
    for _ in range(1, rows):
        bases.append(t.let("row", f"getelementptr float, ptr {bases[-1]}, i64 %ras"))
    t.say("br label %outer")
    t.label("outer")
    # Phis come first; what they become is named before it exists.
    sums = [[(t.fresh("sum"), t.fresh("next"), t.fresh("begun")) for _ in range(vectors)] for _ in range(rows)]
    t.say("%of = phi i64 [0, %entry], [%of.next, %outer.end]")
    t.say("%ka.outer = phi i64 [0, %entry], [%ka.outer.next, %outer.end]")
    t.say("%kb.outer = phi i64 [0, %entry], [%kb.next, %outer.end]")
    for row in sums:
        for n, (_, later, begun) in zip(widths, row):
            t.say(f"{begun} = phi <{n} x float> [zeroinitializer, %entry], [{later}, %outer.end]")
    t.say("br label %loop")
    t.label("loop")
    t.say("%at = phi i64 [0, %outer], [%at.next, %loop]")
    t.say("%ka = phi i64 [%ka.outer, %outer], [%ka.next, %loop]")
    t.say("%kb = phi i64 [%kb.outer, %outer], [%kb.next, %loop]")
    for row in sums:
        for n, (now, later, begun) in zip(widths, row):
            t.say(f"{now} = phi <{n} x float> [{begun}, %outer], [{later}, %loop]")
    parts = []
    from_b = t.let("b", "getelementptr float, ptr %b, i64 %kb")
    masks: list[str | None] = [*[None] * (vectors - 1), mask]
    for j, (n, under) in enumerate(zip(widths, masks)):
        parts.append(load(t, t.let("b", f"getelementptr float, ptr {from_b}, i64 {j * lanes}"), n, under))
    for i in range(rows):
        place = t.let("a", f"getelementptr float, ptr {bases[i]}, i64 %ka")
        scalar = t.let("s", f"load float, ptr {place}, align 4")
        for n, wide, part, (now, later, _) in zip(widths, parts_of(t, scalar, widths), parts, sums[i]):
            fma(t, later, n, wide, part, now)
    t.say("%at.next = add nuw i64 %at, 1")
    t.say("%ka.next = add i64 %ka, %cas")
    t.say("%kb.next = add i64 %kb, %ldb")
    t.say("%done = icmp eq i64 %at.next, %k")
    t.say("br i1 %done, label %outer.end, label %loop, !llvm.loop !0")
    t.label("outer.end")
    t.say("%of.next = add nuw i64 %of, 1")
    t.say("%ka.outer.next = add i64 %ka.outer, %span")
    t.say("%all = icmp eq i64 %of.next, %spans")
    t.say("br i1 %all, label %scale, label %outer")
    t.label("scale")
    alphas, betas = (parts_of(t, scalar, widths) for scalar in ("%alpha", "%beta"))
    scaled = [
        [t.let("r", f"fmul <{n} x float> {later}, {alpha}") for n, alpha, (_, later, _) in zip(widths, alphas, row)]
        for row in sums
    ]
    t.say("%fresh = fcmp oeq float %beta, 0.0")
    t.say("br i1 %fresh, label %store, label %update")
    for name, updating in (("store", False), ("update", True)):
        t.label(name)
        line = "%c"
        made: list[Stored] = []
        firsts: list[tuple[str, str]] = []
        for i in range(rows):
            if i:
                line = t.let("c", f"getelementptr float, ptr {line}, i64 %ldc")
            before, made = made, []
            for j, (n, beta, under) in enumerate(zip(widths, betas, masks)):
                place = t.let("c", f"getelementptr float, ptr {line}, i64 {j * lanes}")
                result = scaled[i][j]
                if updating:
                    result = t.fresh("r")
                    fma(t, result, n, beta, load(t, place, n, under), scaled[i][j])
                if under and lanes < 16:
                    firsts.append((result, place))
                else:
                    made.append((result, place, n, under))
            # A row is stored when the next is loaded: a load beside what a mask has just stored waits for it.
            for stored in before:
                store(t, *stored)
        for stored in made:
            store(t, *stored)
        if firsts:
            store_firsts(t, firsts, last.lanes, "%last", name)
        t.say("ret void")
    body = "\n".join(t.lines)
    return f"define internal void @{name_of(rows, vectors, last)}({_ARGUMENTS}) nounwind {{\nentry:\n{body}\n}}"


def last_vectors(lanes: int) -> tuple[Last, Last]:
    """The last vectors for which there are tiles, the special one behind the general one.

    With AVX-512 a mask costs nothing, but a register of which a half is used takes the time of a full one: of half as
    many columns it is half as long. Elsewhere a mask makes loads slower, and takes one of 16 registers.
    """
    return Last(lanes, True), Last(lanes // 2, True) if lanes == 16 else Last(lanes, False)


def name_of(rows: int, vectors: int, last: Last) -> str:
    """The name of the function of a tile."""
    return f"{'part' if last.masked else 'tile'}_{rows}_{vectors}_{last.lanes}"


def mask_of(t: IrText, count: str, lanes: int) -> str:
    """The first `count` lanes of a vector, as a comparison that AVX2's masked instructions make by themselves."""
    kind = f"<{lanes} x i32>"
    iota = ", ".join(f"i32 {i}" for i in range(lanes))
    short = t.let("count", f"trunc i64 {count} to i32")
    one = t.let("one", f"insertelement {kind} poison, i32 {short}, i64 0")
    counts = t.let("counts", f"shufflevector {kind} {one}, {kind} poison, {kind} zeroinitializer")
    signs = t.let("signs", f"sub {kind} <{iota}>, {counts}")
    return t.let("mask", f"icmp slt {kind} {signs}, zeroinitializer")
