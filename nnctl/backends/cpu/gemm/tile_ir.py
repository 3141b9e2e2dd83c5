"""The LLVM IR of the product's innermost loops: a tile of C, its sums in registers."""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText

_ARGUMENTS = (
    "i64 %k, ptr %a, i64 %ras, i64 %cas, ptr %b, i64 %ldb, ptr %c, i64 %ldc, float %alpha, float %beta, i64 %last, "
    "i64 %spans, i64 %span"
)


def tile(rows: int, vectors: int, lanes: int, *, masked: bool) -> str:
    """C (rows × vectors·lanes) ← α·A·B + β·C; masked: `last` lanes of the last vector are there, else all.

    The sum runs over `spans` blocks of k terms, for each of which A begins `span` floats further.
    """
    v = f"<{lanes} x float>"
    t = IrText()
    mask = mask_of(t, "%last", lanes) if masked else None
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
        for _, later, begun in row:
            t.say(f"{begun} = phi {v} [zeroinitializer, %entry], [{later}, %outer.end]")
    t.say("br label %loop")
    t.label("loop")
    t.say("%at = phi i64 [0, %outer], [%at.next, %loop]")
    t.say("%ka = phi i64 [%ka.outer, %outer], [%ka.next, %loop]")
    t.say("%kb = phi i64 [%kb.outer, %outer], [%kb.next, %loop]")
    for row in sums:
        for now, later, begun in row:
            t.say(f"{now} = phi {v} [{begun}, %outer], [{later}, %loop]")
    parts = []
    from_b = t.let("b", "getelementptr float, ptr %b, i64 %kb")
    for j in range(vectors):
        place = t.let("b", f"getelementptr float, ptr {from_b}, i64 {j * lanes}")
        if mask and j == vectors - 1:
            parts.append(_masked_load(t, place, mask, lanes))
        else:
            parts.append(t.let("part", f"load {v}, ptr {place}, align 4"))
    for i in range(rows):
        place = t.let("a", f"getelementptr float, ptr {bases[i]}, i64 %ka")
        scalar = t.let("s", f"load float, ptr {place}, align 4")
        first = t.let("s", f"insertelement {v} poison, float {scalar}, i64 0")
        wide = t.let("s", f"shufflevector {v} {first}, {v} poison, <{lanes} x i32> zeroinitializer")
        for j in range(vectors):
            now, later, _ = sums[i][j]
            t.say(f"{later} = call {v} @llvm.fma.v{lanes}f32({v} {wide}, {v} {parts[j]}, {v} {now})")
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
    wide_alpha, wide_beta = (_splat(t, scalar, lanes) for scalar in ("%alpha", "%beta"))
    scaled = [[t.let("r", f"fmul {v} {later}, {wide_alpha}") for _, later, _ in row] for row in sums]
    t.say("%fresh = fcmp oeq float %beta, 0.0")
    t.say("br i1 %fresh, label %store, label %update")
    masks: list[str | None] = [*[None] * (vectors - 1), mask]
    for name, updating in (("store", False), ("update", True)):
        t.label(name)
        line = "%c"
        made: list[tuple[str, str, str | None]] = []
        for i in range(rows):
            if i:
                line = t.let("c", f"getelementptr float, ptr {line}, i64 %ldc")
            before, made = made, []
            for j in range(vectors):
                place = t.let("c", f"getelementptr float, ptr {line}, i64 {j * lanes}")
                value = scaled[i][j]
                made.append(
                    (place, _added(t, value, place, lanes, masks[j], wide_beta) if updating else value, masks[j])
                )
            # A row is stored when the next is loaded: a load beside what a mask has just stored waits for it.
            _store(t, before, lanes)
        _store(t, made, lanes)
        t.say("ret void")
    body = "\n".join(t.lines)
    return f"define internal void @{name_of(rows, vectors, masked)}({_ARGUMENTS}) nounwind {{\nentry:\n{body}\n}}"


def mask_kinds(lanes: int) -> tuple[bool, ...]:
    """Of which tiles there are functions: True for a last vector under a mask, False for one that is full.

    With AVX-512 a mask costs nothing; else its loads are slower, and it takes one of 16 registers.
    """
    return (True,) if lanes == 16 else (True, False)


def name_of(rows: int, vectors: int, masked: bool) -> str:
    """The name of the function of a tile."""
    return f"{'part' if masked else 'tile'}_{rows}_{vectors}"


def mask_of(t: IrText, count: str, lanes: int) -> str:
    """The first `count` lanes of a vector, as a comparison that AVX2's masked instructions make by themselves."""
    kind = f"<{lanes} x i32>"
    iota = ", ".join(f"i32 {i}" for i in range(lanes))
    short = t.let("count", f"trunc i64 {count} to i32")
    one = t.let("one", f"insertelement {kind} poison, i32 {short}, i64 0")
    counts = t.let("counts", f"shufflevector {kind} {one}, {kind} poison, {kind} zeroinitializer")
    signs = t.let("signs", f"sub {kind} <{iota}>, {counts}")
    return t.let("mask", f"icmp slt {kind} {signs}, zeroinitializer")


def _masked_load(t: IrText, place: str, mask: str, lanes: int) -> str:
    """The lanes of a vector that the mask has, 0 in the others."""
    v, m = f"<{lanes} x float>", f"<{lanes} x i1>"
    call = f"call {v} @llvm.masked.load.v{lanes}f32.p0"
    return t.let("part", f"{call}(ptr {place}, i32 4, {m} {mask}, {v} zeroinitializer)")


def _splat(t: IrText, scalar: str, lanes: int) -> str:
    v = f"<{lanes} x float>"
    first = t.let("w", f"insertelement {v} poison, float {scalar}, i64 0")
    return t.let("w", f"shufflevector {v} {first}, {v} poison, <{lanes} x i32> zeroinitializer")


def _added(t: IrText, value: str, place: str, lanes: int, mask: str | None, beta: str) -> str:
    """A vector and β times what is at a place."""
    v = f"<{lanes} x float>"
    old = _masked_load(t, place, mask, lanes) if mask else t.let("old", f"load {v}, ptr {place}, align 4")
    return t.let("r", f"call {v} @llvm.fma.v{lanes}f32({v} {beta}, {v} {old}, {v} {value})")


def _store(t: IrText, row: list[tuple[str, str, str | None]], lanes: int) -> None:
    """Store a row's vectors: (place, value, mask or None) of each."""
    v, m = f"<{lanes} x float>", f"<{lanes} x i1>"
    for place, value, mask in row:
        if mask is None:
            t.say(f"store {v} {value}, ptr {place}, align 4")
        else:
            t.say(f"call void @llvm.masked.store.v{lanes}f32.p0({v} {value}, ptr {place}, i32 4, {m} {mask})")
