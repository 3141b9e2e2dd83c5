"""The LLVM IR that packs operands of a product, for their columns lie too far apart, or side by side the wrong way."""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText


def pack_a(rows: int) -> str:
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


def pack_b(lanes: int) -> str:
    """A panel of B as k rows of `step` floats, of which `columns` are meant.

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
            place = t.let("to", f"getelementptr float, ptr {place}, i64 %step")
        t.say(f"store {v} {rows[i]}, ptr {place}, align 4")
    square = "\n".join(t.lines)
    return f"""
define internal void @pack.b(i64 %k, i64 %columns, ptr %b, i64 %ldb, i1 %transposed, ptr %buffer, i64 %step) nounwind {{
entry:
  %bytes = mul i64 %columns, 4
  br i1 %transposed, label %strips, label %rows

rows:
  %i = phi i64 [0, %entry], [%i.next, %rows]
  %from.at = mul i64 %i, %ldb
  %to.at = mul i64 %i, %step
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
  %square.row = mul i64 %q, %step
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
  %ec.at = mul i64 %ec, %step
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
