"""The LLVM IR of the matrix product.

A BLAS packs both operands before it multiplies, which pays for large matrices
and costs half the time of a step on a batch of 64. Here C is made of tiles of
`rows` × `vectors` registers; the tile's rows of A are read as they lie, one
broadcast a step, and of B a panel of `vectors` registers' width, packed only
where enough rows will use it again.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.packed_ir import packed_text
from nnctl.backends.cpu.gemm.tile_ir import Last, last_vectors, name_of, tile
from nnctl.backends.cpu.gemm.widths import declared

SYMBOL = "nnctl_gemm"
TILE = {512: (8, 3), 256: (6, 2), 128: (4, 3)}
"""Rows and vectors of a tile by width of the registers: as many sums as leave registers for the operands."""
PACK_B_FROM = {512: 200, 256: 100, 128: 100}
"""Rows of C from which a panel of B is packed, by width of the registers: a narrow panel is in lines far apart."""
PACK_A_FROM = 1 << 18
"""Elements of a transposed A from which it is packed: its columns then lie too far apart for the cache."""
BLOCK = 512
"""Terms of a block, of which a long sum is made where A is transposed: of more, what is packed leaves the cache."""
LONG = 1024
"""Sums of more terms than this are long."""
_ARGUMENTS = (
    "i64 %ta, i64 %tb, i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %lda, ptr %b, i64 %ldb, float %beta, ptr %c, "
    "i64 %ldc, ptr %buffer, i64 %spans, i64 %span"
)


def module_text(bits: int) -> str:
    """The module for vectors of so many bits."""
    lanes = bits // 32
    rows, vectors = TILE[bits]
    lasts = last_vectors(lanes)
    shapes = [(r, v, last) for last in lasts for v in range(1, vectors + 1) for r in range(1, rows + 1)]
    kernels = [tile(r, v, lanes, last) for r, v, last in shapes]
    names = ", ".join(f"ptr @{name_of(*shape)}" for shape in shapes)
    count = len(shapes)
    lines = [
        *declared(lanes),
        "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
        f"@tiles = internal constant [{count} x ptr] [{names}]",
    ]
    width = vectors * lanes
    loops = [
        _pack_b(width, lanes), _pack_a(rows), _rows(rows, lanes, lasts[1], count - rows * vectors),
        _outer(rows, width, PACK_B_FROM[bits]), _blocks(), packed_text(width),
    ]  # fmt: skip
    return "\n".join([*lines, *kernels, *loops])


def _pack_a(rows: int) -> str:
    """A transposed A (k rows of m), tile by tile: for each of k the tile's rows side by side."""
    return f"""
define internal void @pack.a(i64 %m, i64 %k, ptr %a, i64 %lda, ptr %buffer) nounwind {{
entry:
  br label %tiles

tiles:
  %i = phi i64 [0, %entry], [%i.after, %tile.end]
  %i.after = add i64 %i, {rows}
  %left = sub i64 %m, %i
  %few = icmp slt i64 %left, {rows}
  %count = select i1 %few, i64 %left, i64 {rows}
  %bytes = mul i64 %count, 4
  %tile.at = mul i64 %i, %k
  %from.tile = getelementptr float, ptr %a, i64 %i
  %to.tile = getelementptr float, ptr %buffer, i64 %tile.at
  br label %rows

rows:
  %q = phi i64 [0, %tiles], [%q.next, %row.end]
  %from.at = mul i64 %q, %lda
  %to.at = mul i64 %q, {rows}
  %from = getelementptr float, ptr %from.tile, i64 %from.at
  %to = getelementptr float, ptr %to.tile, i64 %to.at
  br i1 %few, label %part, label %full

full:
  %row = load <{rows} x float>, ptr %from, align 4
  store <{rows} x float> %row, ptr %to, align 4
  br label %row.end

part:
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  br label %row.end

row.end:
  %q.next = add nuw i64 %q, 1
  %q.done = icmp eq i64 %q.next, %k
  br i1 %q.done, label %tile.end, label %rows

tile.end:
  %done = icmp sge i64 %i.after, %m
  br i1 %done, label %exit, label %tiles

exit:
  ret void
}}"""


def _pack_b(width: int, lanes: int) -> str:
    """A panel of B as k rows of `width` floats, of which `columns` are meant.

    A B that lies transposed goes square by square: `lanes` rows of registers,
    exchanged pairwise at distances 1, 2, 4, … (Eklundh 1972).
    """
    v = f"<{lanes} x float>"
    t = IrText()
    rows = []
    place = "%from.square"
    for i in range(lanes):
        if i:
            place = t.let("from", f"getelementptr float, ptr {place}, i64 %ldb")
        rows.append(t.let("row", f"load {v}, ptr {place}, align 4"))
    distance = 1
    while distance < lanes:
        for i in range(lanes):
            if i & distance:
                continue
            even = [j if not j & distance else lanes + j - distance for j in range(lanes)]
            odd = [j + distance if not j & distance else lanes + j for j in range(lanes)]
            pair = f"{v} {rows[i]}, {v} {rows[i + distance]}"
            for target, lanes_taken in ((i, even), (i + distance, odd)):
                taken = ", ".join(f"i32 {j}" for j in lanes_taken)
                rows[target] = t.let("row", f"shufflevector {pair}, <{lanes} x i32> <{taken}>")
        distance *= 2
    place = "%to.square"
    for i in range(lanes):
        if i:
            place = t.let("to", f"getelementptr float, ptr {place}, i64 {width}")
        t.say(f"store {v} {rows[i]}, ptr {place}, align 4")
    square = "\n".join(t.lines)
    return f"""
define internal void @pack.b(i64 %k, i64 %columns, ptr %b, i64 %ldb, i1 %transposed, ptr %buffer) nounwind {{
entry:
  %bytes = mul i64 %columns, 4
  br i1 %transposed, label %strips, label %rows

rows:
  %i = phi i64 [0, %entry], [%i.next, %rows]
  %from.at = mul i64 %i, %ldb
  %to.at = mul i64 %i, {width}
  %from = getelementptr float, ptr %b, i64 %from.at
  %to = getelementptr float, ptr %buffer, i64 %to.at
  call void @llvm.memcpy.p0.p0.i64(ptr %to, ptr %from, i64 %bytes, i1 false)
  %i.next = add nuw i64 %i, 1
  %i.done = icmp eq i64 %i.next, %k
  br i1 %i.done, label %exit, label %rows

strips:
  %j = phi i64 [0, %entry], [%j.next, %strip.end]
  %j.after = add i64 %j, {lanes}
  %j.full = icmp sle i64 %j.after, %columns
  %strip.at = mul i64 %j, %ldb
  %strip = getelementptr float, ptr %b, i64 %strip.at
  br label %squares

squares:
  %q = phi i64 [0, %strips], [%q.next, %square.end]
  %q.after = add i64 %q, {lanes}
  %q.full = icmp sle i64 %q.after, %k
  %full = and i1 %j.full, %q.full
  %from.square = getelementptr float, ptr %strip, i64 %q
  %square.row = mul i64 %q, {width}
  %square.at = add i64 %square.row, %j
  %to.square = getelementptr float, ptr %buffer, i64 %square.at
  br i1 %full, label %square, label %edge

square:
{square}
  br label %square.end

edge:
  %j.last = select i1 %j.full, i64 %j.after, i64 %columns
  %q.last = select i1 %q.full, i64 %q.after, i64 %k
  %edge.rows = sub i64 %j.last, %j
  %edge.columns = sub i64 %q.last, %q
  br label %edge.row

edge.row:
  %er = phi i64 [0, %edge], [%er.next, %edge.row.end]
  %er.at = mul i64 %er, %ldb
  %er.from = getelementptr float, ptr %from.square, i64 %er.at
  %er.to = getelementptr float, ptr %to.square, i64 %er
  br label %edge.column

edge.column:
  %ec = phi i64 [0, %edge.row], [%ec.next, %edge.column]
  %ec.from = getelementptr float, ptr %er.from, i64 %ec
  %ec.at = mul i64 %ec, {width}
  %ec.to = getelementptr float, ptr %er.to, i64 %ec.at
  %ec.value = load float, ptr %ec.from, align 4
  store float %ec.value, ptr %ec.to, align 4
  %ec.next = add nuw i64 %ec, 1
  %ec.done = icmp eq i64 %ec.next, %edge.columns
  br i1 %ec.done, label %edge.row.end, label %edge.column

edge.row.end:
  %er.next = add nuw i64 %er, 1
  %er.done = icmp eq i64 %er.next, %edge.rows
  br i1 %er.done, label %square.end, label %edge.row

square.end:
  %q.next = add i64 %q, {lanes}
  %q.done = icmp sge i64 %q.next, %k
  br i1 %q.done, label %strip.end, label %squares

strip.end:
  %j.next = add i64 %j, {lanes}
  %j.done = icmp sge i64 %j.next, %columns
  br i1 %j.done, label %exit, label %strips

exit:
  ret void
}}"""


def _rows(rows: int, lanes: int, special: Last, place: int) -> str:
    """The loop over tiles of rows: columns of C, at most a panel's, from a panel of B.

    special: the last vector of tiles that are taken where it has all columns or is as short. place: where in the table
    these begin.
    """
    least = 1 if special.masked else special.lanes
    return f"""
define internal void @rows(i64 %m, i64 %columns, i64 %k, float %alpha, ptr %a, i64 %ras, i64 %cas, i64 %next.row,
                           ptr %panel, i64 %step.b, float %beta, ptr %c, i64 %ldc, i64 %spans, i64 %span) nounwind {{
entry:
  %before = add i64 %columns, {lanes - 1}
  %vectors = udiv i64 %before, {lanes}
  %full = sub i64 %vectors, 1
  %full.lanes = mul i64 %full, {lanes}
  %last = sub i64 %columns, %full.lanes
  %enough = icmp uge i64 %last, {least}
  %fits = icmp ule i64 %last, {special.lanes}
  %is.special = and i1 %enough, %fits
  %kind = select i1 %is.special, i64 {place}, i64 0
  %shape.row = mul i64 %full, {rows}
  %table.row = add i64 %kind, %shape.row
  br label %tiles

tiles:
  %i = phi i64 [0, %entry], [%i.next, %tiles]
  %rows.left = sub i64 %m, %i
  %few = icmp slt i64 %rows.left, {rows}
  %rows = select i1 %few, i64 %rows.left, i64 {rows}
  %row.index = sub i64 %rows, 1
  %entry.index = add i64 %table.row, %row.index
  %entry.place = getelementptr ptr, ptr @tiles, i64 %entry.index
  %tile = load ptr, ptr %entry.place, align 8
  %a.offset = mul i64 %i, %next.row
  %a.tile = getelementptr float, ptr %a, i64 %a.offset
  %c.offset = mul i64 %i, %ldc
  %c.tile = getelementptr float, ptr %c, i64 %c.offset
  call void %tile(i64 %k, ptr %a.tile, i64 %ras, i64 %cas, ptr %panel, i64 %step.b, ptr %c.tile, i64 %ldc,
                  float %alpha, float %beta, i64 %last, i64 %spans, i64 %span)
  %i.next = add i64 %i, %rows
  %i.done = icmp sge i64 %i.next, %m
  br i1 %i.done, label %exit, label %tiles

exit:
  ret void
}}"""


def _outer(rows: int, width: int, pack_from: int) -> str:
    """The loop over panels of B.

    ta, tb: whether A and B are stored transposed. spans, span: 1 and 0 for a plain product;
    a convolution sums over the rows of its kernel, for each of which the image begins a row
    lower. buffer: scratch of k·spans × vectors·lanes floats, and for A where it is packed.
    """
    return f"""
define internal void @product({_ARGUMENTS}) nounwind {{
entry:
  %is.ta = icmp ne i64 %ta, 0
  %is.tb = icmp ne i64 %tb, 0
  %elements = mul i64 %m, %k
  %large = icmp sge i64 %elements, {PACK_A_FROM}
  %plain = icmp eq i64 %spans, 1
  %large.ta = and i1 %is.ta, %large
  %pack.a = and i1 %large.ta, %plain
  %cas.ta = select i1 %pack.a, i64 {rows}, i64 %lda
  %ras = select i1 %is.ta, i64 1, i64 %lda
  %cas = select i1 %is.ta, i64 %cas.ta, i64 1
  %next.row = select i1 %pack.a, i64 %k, i64 %ras
  %cbs = select i1 %is.tb, i64 %ldb, i64 1
  %many = icmp sge i64 %m, {pack_from}
  %pack = or i1 %is.tb, %many
  %step.b = select i1 %pack, i64 {width}, i64 %ldb
  %empty.m = icmp sle i64 %m, 0
  %empty.n = icmp sle i64 %n, 0
  %terms = mul i64 %k, %spans
  %empty.k = icmp sle i64 %terms, 0
  %empty.mn = or i1 %empty.m, %empty.n
  %empty = or i1 %empty.mn, %empty.k
  br i1 %empty, label %exit, label %begin

begin:
  br i1 %pack.a, label %packing.a, label %ready

packing.a:
  %scratch.b = mul i64 %k, {width}
  %buffer.a = getelementptr float, ptr %buffer, i64 %scratch.b
  call void @pack.a(i64 %m, i64 %k, ptr %a, i64 %lda, ptr %buffer.a)
  br label %ready

ready:
  %a.used = phi ptr [%a, %begin], [%buffer.a, %packing.a]
  br label %panels

panels:
  %j = phi i64 [0, %ready], [%j.next, %packed]
  %left = sub i64 %n, %j
  %wide = icmp slt i64 %left, {width}
  %columns = select i1 %wide, i64 %left, i64 {width}
  %column.bytes = mul i64 %j, %cbs
  %b.panel = getelementptr float, ptr %b, i64 %column.bytes
  br i1 %pack, label %packing, label %packed

packing:
  call void @pack.b(i64 %terms, i64 %columns, ptr %b.panel, i64 %ldb, i1 %is.tb, ptr %buffer)
  br label %packed

packed:
  %panel = select i1 %pack, ptr %buffer, ptr %b.panel
  %c.panel = getelementptr float, ptr %c, i64 %j
  call void @rows(i64 %m, i64 %columns, i64 %k, float %alpha, ptr %a.used, i64 %ras, i64 %cas, i64 %next.row,
                  ptr %panel, i64 %step.b, float %beta, ptr %c.panel, i64 %ldc, i64 %spans, i64 %span)
  %j.next = add i64 %j, {width}
  %j.done = icmp sge i64 %j.next, %n
  br i1 %j.done, label %exit, label %panels

exit:
  ret void
}}
!0 = distinct !{{!0, !1}}
!1 = !{{!"llvm.loop.unroll.count", i32 2}}
"""


def _blocks() -> str:
    """The function that is called: long sums of a transposed A block by block, all others at once."""
    return f"""
define void @{SYMBOL}({_ARGUMENTS}) nounwind {{
entry:
  %is.ta = icmp ne i64 %ta, 0
  %is.tb = icmp ne i64 %tb, 0
  %is.long = icmp sgt i64 %k, {LONG}
  %is.plain = icmp eq i64 %spans, 1
  %long.ta = and i1 %is.ta, %is.long
  %cut = and i1 %long.ta, %is.plain
  %next.b = select i1 %is.tb, i64 1, i64 %ldb
  br i1 %cut, label %block, label %full

full:
  call void @product(i64 %ta, i64 %tb, i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %lda, ptr %b, i64 %ldb,
                     float %beta, ptr %c, i64 %ldc, ptr %buffer, i64 %spans, i64 %span)
  ret void

block:
  %first = phi i64 [0, %entry], [%next, %block]
  %begins = icmp eq i64 %first, 0
  %scale = select i1 %begins, float %beta, float 1.0
  %left = sub i64 %k, %first
  %few = icmp slt i64 %left, {BLOCK}
  %terms = select i1 %few, i64 %left, i64 {BLOCK}
  %a.offset = mul i64 %first, %lda
  %a.block = getelementptr float, ptr %a, i64 %a.offset
  %b.offset = mul i64 %first, %next.b
  %b.block = getelementptr float, ptr %b, i64 %b.offset
  call void @product(i64 1, i64 %tb, i64 %m, i64 %n, i64 %terms, float %alpha, ptr %a.block, i64 %lda,
                     ptr %b.block, i64 %ldb, float %scale, ptr %c, i64 %ldc, ptr %buffer, i64 1, i64 0)
  %next = add i64 %first, {BLOCK}
  %done = icmp sge i64 %next, %k
  br i1 %done, label %exit, label %block

exit:
  ret void
}}"""
