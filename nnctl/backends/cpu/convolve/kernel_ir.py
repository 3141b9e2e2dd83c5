"""The LLVM IR of the gradient of a convolution's kernel: a tile of it, its sums over images' positions in registers.

The kernel is seen as a matrix: a row for each tap and channel, a column for each filter. A row's factor at a position
is one number of the image, at a distance from the first row's that does not depend on the position.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.tile_ir import mask_kinds, mask_of

SYMBOL = "nnctl_convolve_kernel"
_TILE = (
    "ptr %x, i64 %x.image, i64 %x.down, i64 %x.across, ptr %y, i64 %y.image, i64 %y.down, i64 %y.across, i64 %images, "
    "i64 %rows, i64 %columns, i64 %filters, ptr %w, i64 %ldw"
)
_ARGUMENTS = f"i64 %count, i64 %c, i64 %channels, i64 %skip.across, i64 %b, i64 %kw, i64 %skip.down, {_TILE}"


def convolve_kernel(rows: int, vectors: int, lanes: int) -> str:
    """The function that is called, which adds to w[r, f] the sum over images n, rows i and columns j of
    x[n·x.image + i·x.down + j·x.across + place r]·y[n·y.image + i·y.down + j·y.across + f].

    count, filters: rows of the kernel and columns, at most as many as the largest tile has. c, b: the first row's
    channel and column of the kernel; the next row's place is 1 further, `skip.across` more behind the last channel
    and `skip.down` more behind the last column.
    """
    shapes = [(r, v, masked) for masked in mask_kinds(lanes) for v in range(1, vectors + 1) for r in range(1, rows + 1)]
    tiles = ", ".join(f"ptr @{_name_of(*shape)}" for shape in shapes)
    return f"""
@kernel.tiles = internal constant [{len(shapes)} x ptr] [{tiles}]
define void @{SYMBOL}({_ARGUMENTS}) nounwind {{
entry:
  %places = alloca [{rows} x i64]
  %before = sub i64 %filters, 1
  %full = udiv i64 %before, {lanes}
  %full.lanes = mul i64 %full, {lanes}
  %last = sub i64 %filters, %full.lanes
  %is.part = icmp ult i64 %last, {lanes}
  %kind = select i1 %is.part, i64 -1, i64 {len(shapes) - rows * vectors - 1}
  %line = mul i64 %full, {rows}
  %number = add i64 %line, %count
  %index = add i64 %number, %kind
  %of.tile = getelementptr ptr, ptr @kernel.tiles, i64 %index
  %tile = load ptr, ptr %of.tile, align 8
  br label %row

row:
  %r = phi i64 [0, %entry], [%r.next, %row]
  %place = phi i64 [0, %entry], [%place.next, %row]
  %channel = phi i64 [%c, %entry], [%channel.next, %row]
  %column = phi i64 [%b, %entry], [%column.next, %row]
  %of.row = getelementptr i64, ptr %places, i64 %r
  store i64 %place, ptr %of.row, align 8
  %channel.after = add i64 %channel, 1
  %new.column = icmp eq i64 %channel.after, %channels
  %channel.next = select i1 %new.column, i64 0, i64 %channel.after
  %gap.across = select i1 %new.column, i64 %skip.across, i64 0
  %step = zext i1 %new.column to i64
  %column.after = add i64 %column, %step
  %new.line = icmp eq i64 %column.after, %kw
  %column.next = select i1 %new.line, i64 0, i64 %column.after
  %gap.down = select i1 %new.line, i64 %skip.down, i64 0
  %gaps = add i64 %gap.across, %gap.down
  %place.after = add i64 %place, 1
  %place.next = add i64 %place.after, %gaps
  %r.next = add nuw i64 %r, 1
  %r.done = icmp eq i64 %r.next, %count
  br i1 %r.done, label %ready, label %row

ready:
  call void %tile(ptr %places, {_TILE})
  ret void
}}"""


def _name_of(rows: int, vectors: int, masked: bool) -> str:
    return f"{'part' if masked else 'kernel'}_{rows}_{vectors}"


def tile_of_kernel(rows: int, vectors: int, lanes: int, *, masked: bool) -> str:
    """The function for so many rows and vectors of filters, of which the last is full unless masked.

    places: of each row, from that of the first.
    """
    v, m = f"<{lanes} x float>", f"<{lanes} x i1>"
    t = IrText()
    t.say(f"%last.lanes = sub i64 %filters, {(vectors - 1) * lanes}")
    mask = mask_of(t, "%last.lanes", lanes)
    bases = []
    for r in range(rows):
        of_row = t.let("of", f"getelementptr i64, ptr %places, i64 {r}")
        place = t.let("place", f"load i64, ptr {of_row}, align 8")
        bases.append(t.let("base", f"getelementptr float, ptr %x, i64 {place}"))
    t.say("br label %image")
    names = ("sum", "next", "begun", "before")
    sums = [[[t.fresh(name) for name in names] for _ in range(vectors)] for _ in range(rows)]
    t.label("image")
    t.say("%n = phi i64 [0, %entry], [%n.next, %image.end]")
    t.say("%x.here = phi i64 [0, %entry], [%x.here.next, %image.end]")
    t.say("%y.here = phi ptr [%y, %entry], [%y.here.next, %image.end]")
    for row in sums:
        for _, later, _, before in row:
            t.say(f"{before} = phi {v} [zeroinitializer, %entry], [{later}, %image.end]")
    t.say("br label %row")
    t.label("row")
    t.say("%i = phi i64 [0, %image], [%i.next, %row.end]")
    t.say("%x.row = phi i64 [%x.here, %image], [%x.row.next, %row.end]")
    t.say("%y.row = phi ptr [%y.here, %image], [%y.row.next, %row.end]")
    for row in sums:
        for _, later, begun, before in row:
            t.say(f"{begun} = phi {v} [{before}, %image], [{later}, %row.end]")
    t.say("br label %position")
    t.label("position")
    t.say("%j = phi i64 [0, %row], [%j.next, %position]")
    t.say("%x.at = phi i64 [%x.row, %row], [%x.next, %position]")
    t.say("%y.at = phi ptr [%y.row, %row], [%y.next, %position]")
    for row in sums:
        for now, later, begun, _ in row:
            t.say(f"{now} = phi {v} [{begun}, %row], [{later}, %position]")
    parts = []
    for k in range(vectors):
        place = t.let("y", f"getelementptr float, ptr %y.at, i64 {k * lanes}")
        if k < vectors - 1 or not masked:
            parts.append(t.let("part", f"load {v}, ptr {place}, align 4"))
        else:
            call = f"call {v} @llvm.masked.load.v{lanes}f32.p0"
            parts.append(t.let("part", f"{call}(ptr {place}, i32 4, {m} {mask}, {v} zeroinitializer)"))
    for base, row in zip(bases, sums, strict=True):
        place = t.let("x", f"getelementptr float, ptr {base}, i64 %x.at")
        scalar = t.let("s", f"load float, ptr {place}, align 4")
        first = t.let("s", f"insertelement {v} poison, float {scalar}, i64 0")
        wide = t.let("s", f"shufflevector {v} {first}, {v} poison, <{lanes} x i32> zeroinitializer")
        for part, (now, later, *_) in zip(parts, row, strict=True):
            t.say(f"{later} = call {v} @llvm.fma.v{lanes}f32({v} {wide}, {v} {part}, {v} {now})")
    t.say("%j.next = add nuw i64 %j, 1")
    t.say("%x.next = add i64 %x.at, %x.across")
    t.say("%y.next = getelementptr float, ptr %y.at, i64 %y.across")
    t.say("%j.done = icmp eq i64 %j.next, %columns")
    t.say("br i1 %j.done, label %row.end, label %position")
    t.label("row.end")
    t.say("%i.next = add nuw i64 %i, 1")
    t.say("%x.row.next = add i64 %x.row, %x.down")
    t.say("%y.row.next = getelementptr float, ptr %y.row, i64 %y.down")
    t.say("%i.done = icmp eq i64 %i.next, %rows")
    t.say("br i1 %i.done, label %image.end, label %row")
    t.label("image.end")
    t.say("%n.next = add nuw i64 %n, 1")
    t.say("%x.here.next = add i64 %x.here, %x.image")
    t.say("%y.here.next = getelementptr float, ptr %y.here, i64 %y.image")
    t.say("%n.done = icmp eq i64 %n.next, %images")
    t.say("br i1 %n.done, label %end, label %image")
    t.label("end")
    place = "%w"
    for r, row in enumerate(sums):
        if r:
            place = t.let("w", f"getelementptr float, ptr {place}, i64 %ldw")
        for k, (_, value, *_) in enumerate(row):
            here = t.let("w", f"getelementptr float, ptr {place}, i64 {k * lanes}")
            if k < vectors - 1 or not masked:
                old = t.let("old", f"load {v}, ptr {here}, align 4")
                new = t.let("new", f"fadd {v} {old}, {value}")
                t.say(f"store {v} {new}, ptr {here}, align 4")
            else:
                call = f"call {v} @llvm.masked.load.v{lanes}f32.p0"
                old = t.let("old", f"{call}(ptr {here}, i32 4, {m} {mask}, {v} zeroinitializer)")
                new = t.let("new", f"fadd {v} {old}, {value}")
                store = f"call void @llvm.masked.store.v{lanes}f32.p0"
                t.say(f"{store}({v} {new}, ptr {here}, i32 4, {m} {mask})")
    t.say("ret void")
    body = "\n".join(t.lines)
    return (
        f"define internal void @{_name_of(rows, vectors, masked)}(ptr %places, {_TILE}) nounwind {{\nentry:\n{body}\n}}"
    )
