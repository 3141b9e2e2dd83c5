"""The LLVM IR of the product's innermost loops: a tile of C, its sums in registers."""

from __future__ import annotations

from typing import TypeAlias

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.widths import fma, load, parts_of, store, store_firsts
from nnctl.late import dataclass

_ARGUMENTS = (
    "i64 %k, ptr %a, i64 %ras, i64 %cas, ptr %b, i64 %ldb, ptr %c, i64 %ldc, float %alpha, float %beta, i64 %last, "
    "ptr %packed"
)
_LINE = 16
"""Floats of a cache line."""
_DEEP = 64
"""Terms from which on C is asked for when its sums begin: by their end it has come from wherever it lies."""
Stored: TypeAlias = tuple[str, str, int, str | None]
"""Value, place, lanes and mask of a vector that is stored."""


@dataclass(frozen=True)
class Last:
    """The last vector of a panel's rows: so many lanes, and whether `last` of them are there or all.

    padded: whether rows of B have all lanes nevertheless, of which what is behind the last is of no use.
    """

    lanes: int
    masked: bool
    padded: bool = False


def tile(rows: int, vectors: int, lanes: int, last: Last, *, packs: bool = False) -> str:
    """C (rows × columns of the vectors) ← α·A·B + β·C. lanes: of every vector but the last.

    packs: whether the rows of B are put side by side in `packed`. Without AVX-512, what a mask leaves is stored in
    pieces.
    """
    t = IrText()
    mask = mask_of(t, "%last", last.lanes) if last.masked and not last.padded else None
    widths = (*[lanes] * (vectors - 1), last.lanes)
    bases = ["%a"]
    for _ in range(1, rows):
        bases.append(t.let("row", f"getelementptr float, ptr {bases[-1]}, i64 %ras"))
    t.say(f"%deep = icmp uge i64 %k, {_DEEP}")
    t.say("br i1 %deep, label %ask, label %begin")
    t.label("ask")
    line = "%c"
    for i in range(rows):
        if i:
            line = t.let("c", f"getelementptr float, ptr {line}, i64 %ldc")
        for first in range(0, vectors * lanes, _LINE):
            ahead = t.let("ahead", f"getelementptr float, ptr {line}, i64 {first}")
            t.say(f"call void @llvm.prefetch.p0(ptr {ahead}, i32 1, i32 3, i32 1)")
    t.say("br label %begin")
    t.label("begin")
    t.say("br label %loop")
    t.label("loop")
    # Phis come first; what they become is named before it exists.
    sums = [[(t.fresh("sum"), t.fresh("next")) for _ in range(vectors)] for _ in range(rows)]
    t.say("%at = phi i64 [0, %begin], [%at.next, %loop]")
    t.say("%ka = phi i64 [0, %begin], [%ka.next, %loop]")
    t.say("%kb = phi i64 [0, %begin], [%kb.next, %loop]")
    if packs:
        t.say("%kp = phi i64 [0, %begin], [%kp.next, %loop]")
    for row in sums:
        for n, (now, later) in zip(widths, row):
            t.say(f"{now} = phi <{n} x float> [zeroinitializer, %begin], [{later}, %loop]")
    parts = []
    from_b = t.let("b", "getelementptr float, ptr %b, i64 %kb")
    to = t.let("to", "getelementptr float, ptr %packed, i64 %kp") if packs else ""
    masks: list[str | None] = [*[None] * (vectors - 1), mask]
    for j, (n, under) in enumerate(zip(widths, masks)):
        parts.append(load(t, t.let("b", f"getelementptr float, ptr {from_b}, i64 {j * lanes}"), n, under))
        if packs:
            store(t, parts[-1], t.let("to", f"getelementptr float, ptr {to}, i64 {j * lanes}"), n)
    if packs:
        # Rows of B lie too far apart for the processor to see the next panel coming.
        for first in range(0, vectors * lanes, _LINE):
            ahead = t.let("ahead", f"getelementptr float, ptr {from_b}, i64 {vectors * lanes + first}")
            t.say(f"call void @llvm.prefetch.p0(ptr {ahead}, i32 0, i32 2, i32 1)")
    for i in range(rows):
        place = t.let("a", f"getelementptr float, ptr {bases[i]}, i64 %ka")
        scalar = t.let("s", f"load float, ptr {place}, align 4")
        for n, wide, part, (now, later) in zip(widths, parts_of(t, scalar, widths), parts, sums[i]):
            fma(t, later, n, wide, part, now)
    t.say("%at.next = add nuw i64 %at, 1")
    t.say("%ka.next = add i64 %ka, %cas")
    t.say("%kb.next = add i64 %kb, %ldb")
    if packs:
        t.say(f"%kp.next = add i64 %kp, {vectors * lanes}")
    t.say("%done = icmp eq i64 %at.next, %k")
    t.say("br i1 %done, label %scale, label %loop, !llvm.loop !0")
    t.label("scale")
    if last.padded:
        # No sooner: it would take a register of those that the loop needs.
        mask = mask_of(t, "%last", last.lanes)
    masks = [*[None] * (vectors - 1), mask]
    alphas, betas = (parts_of(t, scalar, widths) for scalar in ("%alpha", "%beta"))
    scaled = [
        [t.let("r", f"fmul <{n} x float> {later}, {alpha}") for n, alpha, (_, later) in zip(widths, alphas, row)]
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
    name = name_of(rows, vectors, last, packs=packs)
    return f"define internal void @{name}({_ARGUMENTS}) nounwind {{\nentry:\n{body}\n}}"


def last_vectors(lanes: int) -> tuple[Last, ...]:
    """The last vectors for which there are tiles: the general one, the special one, the padded one where it is another.

    With AVX-512 a mask costs nothing, but a register of which a half is used takes the time of a full one: of half as
    many columns it is half as long. Elsewhere a mask makes loads slower, and takes one of 16 registers.
    """
    if lanes == 16:
        return Last(lanes, True), Last(lanes // 2, True)
    return Last(lanes, True), Last(lanes, False), Last(lanes, True, padded=True)


def name_of(rows: int, vectors: int, last: Last, *, packs: bool = False) -> str:
    """The name of the function of a tile."""
    kind = "padded" if last.padded else "part" if last.masked else "tile"
    return f"{kind}_{rows}_{vectors}_{last.lanes}{'_packing' if packs else ''}"


def mask_of(t: IrText, count: str, lanes: int) -> str:
    """The first `count` lanes of a vector, as a comparison that AVX2's masked instructions make by themselves."""
    kind = f"<{lanes} x i32>"
    iota = ", ".join(f"i32 {i}" for i in range(lanes))
    short = t.let("count", f"trunc i64 {count} to i32")
    one = t.let("one", f"insertelement {kind} poison, i32 {short}, i64 0")
    counts = t.let("counts", f"shufflevector {kind} {one}, {kind} poison, {kind} zeroinitializer")
    signs = t.let("signs", f"sub {kind} <{iota}>, {counts}")
    return t.let("mask", f"icmp slt {kind} {signs}, zeroinitializer")
