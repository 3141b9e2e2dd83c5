"""The LLVM IR of the gradient of a convolution's kernel: a tile of it, its sums over images' positions in registers.

The kernel is seen as a matrix: a row for each tap and channel, a column for each filter. A row's factor at a position
is one number of the image, at a distance from the first row's that does not depend on the position.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.tile_ir import mask_of
from nnctl.backends.cpu.gemm.widths import fma, load, parts_of, step_of, store, totals, widths_of

SYMBOL = "nnctl_convolve_kernel"
_TILE = (
    "ptr %x, i64 %x.image, i64 %x.down, i64 %x.across, ptr %y, i64 %y.image, i64 %y.down, i64 %y.across, i64 %images, "
    "i64 %rows, i64 %columns, i64 %filters, ptr %w, i64 %ldw"
)
_ARGUMENTS = f"i64 %count, i64 %c, i64 %channels, i64 %skip.across, i64 %b, i64 %kw, i64 %skip.down, {_TILE}"


def convolve_kernel(sums: int, rows: int, vectors: int, lanes: int) -> str:
    """The function that is called, which adds to w[r, f] the sum over images n, rows i and columns j of
    x[n·x.image + i·x.down + j·x.across + place r]·y[n·y.image + i·y.down + j·y.across + f].

    count, filters: rows of the kernel and columns, at most as many as the largest tile has. c, b: the first row's
    channel and column of the kernel; the next row's place is 1 further, `skip.across` more behind the last channel
    and `skip.down` more behind the last column.
    """
    found = tiles(vectors, lanes)
    # In the table the highest tile stands in for those that are not there.
    names = [
        f"ptr @{_name_of(min(r, rows_of(n, sums, rows, lanes)), n, part)}"
        for n, part in found
        for r in range(1, rows + 1)
    ]
    return f"""
@kernel.tiles = internal constant [{len(names)} x ptr] [{", ".join(names)}]
define void @{SYMBOL}({_ARGUMENTS}) nounwind {{
entry:
  %places = alloca [{rows} x i64]
  %before = sub i64 %filters, 1
  %full = udiv i64 %before, {step_of(lanes)}
  %rest = urem i64 %filters, {step_of(lanes)}
  %uneven = icmp ne i64 %rest, 0
  %one = icmp ult i64 %filters, {lanes}
  %is.part = and i1 %uneven, %one
  %further = select i1 %is.part, i64 {sum(not part for _, part in found)}, i64 0
  %kind = add i64 %full, %further
  %line = mul i64 %kind, {rows}
  %number = add i64 %line, %count
  %index = sub i64 %number, 1
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


def rows_of(total: int, sums: int, rows: int, lanes: int) -> int:
    """Rows of the highest tile whose vectors have so many lanes together: no more sums than registers."""
    return min(rows, sums // -(-total // lanes))


def tiles(vectors: int, lanes: int) -> list[tuple[int, bool]]:
    """(lanes of all vectors, whether they are one of which a part is meant) of each tile."""
    return [(n, part) for part in (False, True) for n in totals(1 if part else vectors, lanes)]


def _name_of(rows: int, total: int, part: bool) -> str:
    return f"{'part' if part else 'kernel'}_{rows}_{total}"


def tile_of_kernel(rows: int, total: int, lanes: int, *, part: bool) -> str:
    """The function for so many rows, and vectors of so many lanes together. places: of each row, from the first's.

    part: whether a part of one vector is meant, which needs a mask. Behind others the last vector ends with the last
    filter: its first lanes are filters that the one before has, too, and are not stored.
    """
    widths = widths_of(total, lanes)
    last = widths[-1]
    t = IrText()
    t.say(f"%last.at = sub i64 %filters, {last}")
    starts = [str(k * lanes) for k in range(len(widths) - 1)] + ["0" if len(widths) == 1 else "%last.at"]
    meant = mask_of(t, "%filters", last) if part else None
    bases = []
    for r in range(rows):
        of_row = t.let("of", f"getelementptr i64, ptr %places, i64 {r}")
        place = t.let("place", f"load i64, ptr {of_row}, align 8")
        bases.append(t.let("base", f"getelementptr float, ptr %x, i64 {place}"))
    sums = [_Sum(t, width) for _ in range(rows) for width in widths]
    t.say("br label %image")
    t.label("image")
    t.say("%n = phi i64 [0, %entry], [%n.next, %image.end]")
    t.say("%x.here = phi i64 [0, %entry], [%x.here.next, %image.end]")
    t.say("%y.here = phi ptr [%y, %entry], [%y.here.next, %image.end]")
    for each in sums:
        t.say(f"{each.before} = phi {each.kind} [zeroinitializer, %entry], [{each.later}, %image.end]")
    t.say("br label %row")
    t.label("row")
    t.say("%i = phi i64 [0, %image], [%i.next, %row.end]")
    t.say("%x.row = phi i64 [%x.here, %image], [%x.row.next, %row.end]")
    t.say("%y.row = phi ptr [%y.here, %image], [%y.row.next, %row.end]")
    for each in sums:
        t.say(f"{each.begun} = phi {each.kind} [{each.before}, %image], [{each.later}, %row.end]")
    t.say("br label %position")
    t.label("position")
    t.say("%j = phi i64 [0, %row], [%j.next, %position]")
    t.say("%x.at = phi i64 [%x.row, %row], [%x.next, %position]")
    t.say("%y.at = phi ptr [%y.row, %row], [%y.next, %position]")
    for each in sums:
        t.say(f"{each.now} = phi {each.kind} [{each.begun}, %row], [{each.later}, %position]")
    parts = []
    for start, width in zip(starts, widths, strict=True):
        place = t.let("y", f"getelementptr float, ptr %y.at, i64 {start}")
        parts.append(load(t, place, width, meant))
    for r, base in enumerate(bases):
        place = t.let("x", f"getelementptr float, ptr {base}, i64 %x.at")
        scalars = parts_of(t, t.let("s", f"load float, ptr {place}, align 4"), widths)
        for scalar, loaded, each in zip(scalars, parts, sums[r * len(widths) :]):
            fma(t, each.later, each.width, scalar, loaded, each.now)
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
    if len(widths) > 1:
        t.say(f"%twice = sub i64 {total}, %filters")
        twice = mask_of(t, "%twice", last)
        meant = t.let("mask", f"xor <{last} x i1> {twice}, splat (i1 true)")
    _add(t, sums, starts, meant)
    t.say("ret void")
    body = "\n".join(t.lines)
    return f"define internal void @{_name_of(rows, total, part)}(ptr %places, {_TILE}) nounwind {{\nentry:\n{body}\n}}"


class _Sum:
    """The registers of a vector of sums: in the loops over positions, rows and images, and after a position."""

    def __init__(self, t: IrText, width: int) -> None:
        self.width, self.kind = width, f"<{width} x float>"
        self.now, self.begun, self.before, self.later = map(t.fresh, ("now", "begun", "before", "later"))


def _add(t: IrText, sums: list[_Sum], starts: list[str], mask: str | None) -> None:
    """Add the sums to w, of each row's last vector what the mask says if there is one."""
    masks = [*[None] * (len(starts) - 1), mask]
    made: list[tuple[str, str, int, str | None]] = []
    row = "%w"
    for first in range(0, len(sums), len(starts)):
        if first:
            row = t.let("w", f"getelementptr float, ptr {row}, i64 %ldw")
        before, made = made, []
        for each, start, under in zip(sums[first:], starts, masks):
            place = t.let("w", f"getelementptr float, ptr {row}, i64 {start}")
            new = t.let("new", f"fadd {each.kind} {load(t, place, each.width, under)}, {each.later}")
            made.append((new, place, each.width, under))
        # A row is stored when the next is loaded: a load beside what a mask has just stored waits for it.
        for one in before:
            store(t, *one)
    for one in made:
        store(t, *one)
