"""The LLVM IR of the matrix product.

A BLAS packs both operands before it multiplies, which pays for large matrices
and costs half the time of a step on a batch of 64. Here C is made of tiles of
`rows` × `vectors` registers; the tile's rows of A are read as they lie, one
broadcast a step, and of B a panel of `vectors` registers' width, which the first
tile puts side by side for the others while it multiplies.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.packed_ir import packed_text
from nnctl.backends.cpu.gemm.packing_ir import pack_a, pack_b
from nnctl.backends.cpu.gemm.tile_ir import Last, last_vectors, name_of, tile
from nnctl.backends.cpu.gemm.widths import declared

SYMBOL = "nnctl_gemm"
TILE = {512: (6, 4), 256: (6, 2), 128: (4, 3)}
"""Rows and vectors of a tile by width of the registers: as many sums as leave registers for the operands."""
WIDE_TILE = {256: (4, 3)}
"""The tile of a last panel of one vector more, where that is packed: a vector by itself has too few sums to be fast."""
PACK_B_FROM = {512: 200, 256: 24, 128: 100}
"""Rows of C from which a panel of B is packed, by width of the registers: a narrow panel is in lines far apart."""
PACK_FAR_B_FROM, FAR = 24, 256
"""Rows of C from which it is packed where A is transposed and rows of B are so many floats apart: in gradients of
recurrent weights, whose B has come from another core, and whose rows no processor sees coming."""
PACK_A_FROM = 1 << 18
"""Elements of a transposed A from which it is packed: its columns then lie too far apart for the cache."""
BLOCK = 512
"""Terms of a block, of which a long sum is made where A is transposed: of more, what is packed leaves the cache."""
LONG = 1024
"""Sums of more terms than this are long."""
_ARGUMENTS = (
    "i64 %ta, i64 %tb, i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %lda, ptr %b, i64 %ldb, float %beta, ptr %c, "
    "i64 %ldc, ptr %buffer"
)


def widest_panel(bits: int) -> int:
    """Columns of the widest panel of B."""
    return max(TILE[bits][1], WIDE_TILE.get(bits, (0, 0))[1]) * bits // 32


def module_text(bits: int) -> str:
    """The module for vectors of so many bits."""
    lanes = bits // 32
    rows, vectors = TILE[bits]
    lasts = last_vectors(lanes)
    heights = _heights(bits)
    # A wide tile has fewer rows; in the table its last shape stands in for those that it lacks.
    shapes = [
        (min(r, height), v, last) for last in lasts for v, height in enumerate(heights, 1) for r in range(1, rows + 1)
    ]
    packing = [(height, v, last) for last in lasts if not last.padded for v, height in enumerate(heights, 1)]
    kernels = [tile(r, v, lanes, last) for r, v, last in dict.fromkeys(shapes)]
    kernels += [tile(r, v, lanes, last, packs=True) for r, v, last in packing]
    names = [*(name_of(*shape) for shape in shapes), *(name_of(*shape, packs=True) for shape in packing)]
    lines = [
        *declared(lanes),
        "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
        "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
        f"@tiles = internal constant [{len(names)} x ptr] [{', '.join(f'ptr @{name}' for name in names)}]",
    ]
    loops = [
        pack_b(lanes), pack_a(rows), _rows(bits, lasts), _product(bits), _blocks(),
        packed_text(vectors * lanes),
    ]  # fmt: skip
    return "\n".join([*lines, *kernels, *loops])


def _heights(bits: int) -> list[int]:
    """Rows of the tiles of one vector, of two, …"""
    rows, vectors = TILE[bits]
    return [*[rows] * vectors, *([WIDE_TILE[bits][0]] if bits in WIDE_TILE else [])]


def _rows(bits: int, lasts: tuple[Last, ...]) -> str:
    """The loop over tiles of rows: columns of C, at most a panel's, from a panel of B.

    padded: whether rows of B have whole vectors. packed: where the first tile, a full one then, puts B for the others;
    null where these read it as it lies. lasts: the last vectors for which there are tiles.
    """
    lanes = bits // 32
    rows, vectors = TILE[bits]
    heights = _heights(bits)
    special = lasts[1]
    least = 1 if special.masked else special.lanes
    padded = (len(lasts) - 1) * len(heights) if lasts[-1].padded else 0
    return f"""
define internal void @rows(i64 %m, i64 %columns, i64 %k, float %alpha, ptr %a, i64 %ras, i64 %cas, i64 %next.row,
                           ptr %panel, i64 %step.b, i1 %padded, float %beta, ptr %c, i64 %ldc,
                           ptr %packed) nounwind {{
entry:
  %before = add i64 %columns, {lanes - 1}
  %vectors = udiv i64 %before, {lanes}
  %full = sub i64 %vectors, 1
  %full.lanes = mul i64 %full, {lanes}
  %last = sub i64 %columns, %full.lanes
  %enough = icmp uge i64 %last, {least}
  %fits = icmp ule i64 %last, {special.lanes}
  %is.special = and i1 %enough, %fits
  %kind.lies = select i1 %is.special, i64 {len(heights)}, i64 0
  %kind.padded = select i1 %is.special, i64 {len(heights)}, i64 {padded}
  %packs = icmp ne ptr %packed, null
  %padded.then = or i1 %padded, %packs
  %kind.first = select i1 %padded, i64 %kind.padded, i64 %kind.lies
  %kind.then = select i1 %padded.then, i64 %kind.padded, i64 %kind.lies
  %kind.packing = add i64 %kind.lies, {rows * len(lasts) * len(heights)}
  %is.wide = icmp uge i64 %full, {vectors}
  %height = select i1 %is.wide, i64 {heights[-1]}, i64 {rows}
  %packed.step = mul i64 %vectors, {lanes}
  %panel.then = select i1 %packs, ptr %packed, ptr %panel
  %step.then = select i1 %packs, i64 %packed.step, i64 %step.b
  br label %tiles

tiles:
  %i = phi i64 [0, %entry], [%i.next, %tiles]
  %panel.now = phi ptr [%panel, %entry], [%panel.then, %tiles]
  %step.now = phi i64 [%step.b, %entry], [%step.then, %tiles]
  %kind = phi i64 [%kind.first, %entry], [%kind.then, %tiles]
  %packs.now = phi i1 [%packs, %entry], [false, %tiles]
  %rows.left = sub i64 %m, %i
  %few = icmp slt i64 %rows.left, %height
  %rows = select i1 %few, i64 %rows.left, i64 %height
  %shape = add i64 %kind, %full
  %shape.row = mul i64 %shape, {rows}
  %shape.end = add i64 %shape.row, %rows
  %plain.entry = sub i64 %shape.end, 1
  %packing.entry = add i64 %kind.packing, %full
  %entry.index = select i1 %packs.now, i64 %packing.entry, i64 %plain.entry
  %entry.place = getelementptr ptr, ptr @tiles, i64 %entry.index
  %tile = load ptr, ptr %entry.place, align 8
  %a.offset = mul i64 %i, %next.row
  %a.tile = getelementptr float, ptr %a, i64 %a.offset
  %c.offset = mul i64 %i, %ldc
  %c.tile = getelementptr float, ptr %c, i64 %c.offset
  call void %tile(i64 %k, ptr %a.tile, i64 %ras, i64 %cas, ptr %panel.now, i64 %step.now, ptr %c.tile, i64 %ldc,
                  float %alpha, float %beta, i64 %last, ptr %packed)
  %i.next = add i64 %i, %rows
  %i.done = icmp sge i64 %i.next, %m
  br i1 %i.done, label %exit, label %tiles

exit:
  ret void
}}"""


def _product(bits: int) -> str:
    """The loop over panels of B.

    ta, tb: whether A and B are stored transposed. buffer: scratch of k × `widest_panel` floats, and behind it for A
    where it is packed.
    """
    rows, vectors = TILE[bits]
    width, widest = vectors * bits // 32, widest_panel(bits)
    return f"""
define internal void @product({_ARGUMENTS}) nounwind {{
entry:
  %is.ta = icmp ne i64 %ta, 0
  %is.tb = icmp ne i64 %tb, 0
  %elements = mul i64 %m, %k
  %large = icmp sge i64 %elements, {PACK_A_FROM}
  %pack.a = and i1 %is.ta, %large
  %cas.ta = select i1 %pack.a, i64 {rows}, i64 %lda
  %ras = select i1 %is.ta, i64 1, i64 %lda
  %cas = select i1 %is.ta, i64 %cas.ta, i64 1
  %next.row = select i1 %pack.a, i64 %k, i64 %ras
  %cbs = select i1 %is.tb, i64 %ldb, i64 1
  %apart = icmp sge i64 %ldb, {FAR}
  %is.far = and i1 %apart, %is.ta
  %from = select i1 %is.far, i64 {min(PACK_FAR_B_FROM, PACK_B_FROM[bits])}, i64 {PACK_B_FROM[bits]}
  %many = icmp sge i64 %m, %from
  %lies = xor i1 %is.tb, true
  %packs = and i1 %lies, %many
  %packed = select i1 %packs, ptr %buffer, ptr null
  %is.packed = or i1 %is.tb, %many
  ; A packed A has the height of common tiles.
  %can.widen = xor i1 %pack.a, %is.packed
  %widens = and i1 %can.widen, %is.packed
  %most = select i1 %widens, i64 {widest}, i64 {width}
  %empty.m = icmp sle i64 %m, 0
  %empty.n = icmp sle i64 %n, 0
  %empty.k = icmp sle i64 %k, 0
  %empty.mn = or i1 %empty.m, %empty.n
  %empty = or i1 %empty.mn, %empty.k
  br i1 %empty, label %exit, label %begin

begin:
  br i1 %pack.a, label %packing.a, label %ready

packing.a:
  %scratch.b = mul i64 %k, {widest}
  %buffer.a = getelementptr float, ptr %buffer, i64 %scratch.b
  call void @pack.a(i64 %m, i64 %k, ptr %a, i64 %lda, ptr %buffer.a)
  br label %ready

ready:
  %a.used = phi ptr [%a, %begin], [%buffer.a, %packing.a]
  br label %panels

panels:
  %j = phi i64 [0, %ready], [%j.next, %multiplying]
  %left = sub i64 %n, %j
  %wide = icmp sle i64 %left, %most
  %columns = select i1 %wide, i64 %left, i64 {width}
  %b.offset = mul i64 %j, %cbs
  %b.panel = getelementptr float, ptr %b, i64 %b.offset
  %c.panel = getelementptr float, ptr %c, i64 %j
  %is.wide = icmp sgt i64 %columns, {width}
  %packed.step = select i1 %is.wide, i64 {widest}, i64 {width}
  %step.b = select i1 %is.tb, i64 %packed.step, i64 %ldb
  br i1 %is.tb, label %packing.b, label %multiplying

packing.b:
  call void @pack.b(i64 %k, i64 %columns, ptr %b.panel, i64 %ldb, i1 true, ptr %buffer, i64 %packed.step)
  br label %multiplying

multiplying:
  %panel = phi ptr [%b.panel, %panels], [%buffer, %packing.b]
  call void @rows(i64 %m, i64 %columns, i64 %k, float %alpha, ptr %a.used, i64 %ras, i64 %cas, i64 %next.row,
                  ptr %panel, i64 %step.b, i1 %is.tb, float %beta, ptr %c.panel, i64 %ldc, ptr %packed)
  %j.next = add i64 %j, %columns
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
  %cut = and i1 %is.ta, %is.long
  %next.b = select i1 %is.tb, i64 1, i64 %ldb
  br i1 %cut, label %block, label %full

full:
  call void @product(i64 %ta, i64 %tb, i64 %m, i64 %n, i64 %k, float %alpha, ptr %a, i64 %lda, ptr %b, i64 %ldb,
                     float %beta, ptr %c, i64 %ldc, ptr %buffer)
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
                     ptr %b.block, i64 %ldb, float %scale, ptr %c, i64 %ldc, ptr %buffer)
  %next = add i64 %first, {BLOCK}
  %done = icmp sge i64 %next, %k
  br i1 %done, label %exit, label %block

exit:
  ret void
}}"""
