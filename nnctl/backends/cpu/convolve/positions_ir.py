"""The LLVM IR of a convolution's output: tiles of positions × filters, their sums in registers.

A tile's positions follow one another through the rows of the output. For each tap of the kernel each position has
its own pointer to a pixel of the image, or to zeros where the tap lies outside. So there is no padded copy, and
stride, dilation and border cost nothing in the innermost loop (the indirection of Dukhan 2019, without its buffer).
Where all of a tile's taps lie inside the image, and those of a kernel row side by side, a row is one run of numbers.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.tile_ir import mask_of
from nnctl.backends.cpu.gemm.widths import (
    fma,
    load,
    parts_of,
    splat,
    step_of,
    store,
    store_firsts,
    totals,
    widths_of,
)

SYMBOL = "nnctl_convolve"
_ARGUMENTS = (
    "ptr %x, i64 %height, i64 %width, i64 %pixel, i64 %channels, ptr %w, i64 %ldw, i64 %filters, ptr %y, i64 %y.down, "
    "i64 %y.across, i64 %rows, i64 %columns, i64 %down, i64 %across, i64 %top, i64 %left, i64 %kh, i64 %kw, "
    "i64 %step.down, i64 %step.across, ptr %zeros"
)


def convolve(vectors: int, lanes: int) -> str:
    """The function that is called: one image, and as many filters as `vectors` hold at most.

    y[i, j, f] ← Σ x[i·down + top + a·step.down, j·across + left + b·step.across, c]·w[a, b, c, f].
    x: pixels `pixel` floats apart, of which `channels` are read. w: kh·kw·channels rows, `ldw` floats apart, of which
    whole vectors are read. y: rows `y.down` and columns `y.across` floats apart. zeros: kw·channels of them.
    """
    wide = list(totals(vectors, lanes))
    cases = " ".join(f"i64 {i}, label %of.{n}" for i, n in enumerate(wide[:-1]))
    lines = [
        f"define void @{SYMBOL}({_ARGUMENTS}) nounwind {{",
        "entry:",
        "  %before = sub i64 %filters, 1",
        f"  %full = udiv i64 %before, {step_of(lanes)}",
        f"  switch i64 %full, label %of.{wide[-1]} [{cases}]",
    ]
    for n in wide:
        lines += [f"of.{n}:", f"  call void @positions_{n}({_ARGUMENTS})", "  ret void"]
    return "\n".join([*lines, "}"])


def tiles_of_positions(positions: int, total: int, lanes: int) -> str:
    """The loop over an image's tiles, of so many positions, and vectors of so many lanes together.

    The last tile's positions may lie behind the end: those are the last position again, stored several times.
    """
    tile = _Tile(positions, widths_of(total, lanes), masks=lanes == 16)
    tile.write()
    body = "\n".join(tile.t.lines)
    return f"define internal void @positions_{total}({_ARGUMENTS}) nounwind {{\nentry:\n{body}\n}}"


class _Tile:
    """The text of one function. widths: lanes of each vector of filters. masks: whether stores under them are fast.

    p, yes: the types of a number and of a condition for each position. kinds: of the tile's sums.
    """

    def __init__(self, positions: int, widths: tuple[int, ...], *, masks: bool) -> None:
        self.t = IrText()
        self.positions, self.widths, self.masks = positions, widths, masks
        self.starts = [sum(widths[:j]) for j in range(len(widths))]
        self.p, self.yes = f"<{positions} x i64>", f"<{positions} x i1>"
        self.kinds = [f"<{width} x float>" for _ in range(positions) for width in widths]

    def write(self) -> None:
        t = self.t
        self._before_tiles()
        t.label("tiles")
        t.say("%at = phi i64 [0, %entry], [%at.next, %tile.end]")
        t.say("%u = phi i64 [0, %entry], [%u.next, %tile.end]")
        t.say("%v = phi i64 [0, %entry], [%v.next, %tile.end]")
        self._places()
        t.say("br i1 %none, label %store, label %choice")
        t.label("choice")
        t.say("br i1 %is.plain, label %plain.begin, label %row")
        plain = self._plain_taps()
        any_tap = self._taps()
        t.label("store")
        sums = [
            t.let("sum", f"phi {kind} [zeroinitializer, %tiles], [{one}, %plain.row.end], [{other}, %row.end]")
            for kind, one, other in zip(self.kinds, plain, any_tap, strict=True)
        ]
        self._store(sums)
        t.label("tile.end")
        t.say(f"%at.next = add i64 %at, {self.positions}")
        t.say("%done = icmp sge i64 %at.next, %count")
        t.say("br i1 %done, label %exit, label %tiles")
        t.label("exit")
        t.say("ret void")

    def _before_tiles(self) -> None:
        """The registers that all tiles read."""
        t, n = self.t, self.positions
        t.say(f"%last.lanes = sub i64 %filters, {self.starts[-1]}")
        t.say(f"%whole = icmp eq i64 %last.lanes, {self.widths[-1]}")
        t.say("%count = mul i64 %rows, %columns")
        t.say("%final = sub i64 %count, 1")
        t.say("%line.floats = mul i64 %width, %pixel")
        t.say("%next.row = mul i64 %step.down, %line.floats")
        t.say("%next.column = mul i64 %step.across, %pixel")
        t.say("%w.tap = mul i64 %channels, %ldw")
        t.say("%w.row = mul i64 %kw, %w.tap")
        t.say("%gaps.down = sub i64 %kh, 1")
        t.say("%gaps.across = sub i64 %kw, 1")
        t.say("%reach.down = mul i64 %gaps.down, %step.down")
        t.say("%reach.across = mul i64 %gaps.across, %step.across")
        t.say("%beside = icmp eq i64 %next.column, %channels")
        t.say("%run = mul i64 %kw, %channels")
        t.say("%taps = mul i64 %kh, %kw")
        t.say("%none = icmp sle i64 %taps, 0")
        self.zeros = splat(t, "%zeros", "ptr", n)
        self.height, self.width = (splat(t, name, "i64", n) for name in ("%height", "%width"))
        t.say("%some = icmp sgt i64 %count, 0")
        t.say("br i1 %some, label %tiles, label %exit")

    def _places(self) -> None:
        """The row and column of each position, of its first tap, and whether all taps are plain runs."""
        t = self.t
        us, vs = ["%u"], ["%v"]
        for i in range(1, self.positions + 1):
            place = t.let("place", f"add i64 %at, {i}")
            behind = t.let("behind", f"icmp sgt i64 {place}, %final")
            right = t.let("right", f"add i64 {vs[-1]}, 1")
            wraps = t.let("wraps", f"icmp eq i64 {right}, %columns")
            lower = t.let("lower", f"zext i1 {wraps} to i64")
            lower = t.let("lower", f"add i64 {us[-1]}, {lower}")
            right = t.let("right", f"select i1 {wraps}, i64 0, i64 {right}")
            us.append(t.let("u", f"select i1 {behind}, i64 {us[-1]}, i64 {lower}"))
            vs.append(t.let("v", f"select i1 {behind}, i64 {vs[-1]}, i64 {right}"))
        t.say(f"%u.next = add i64 {us.pop()}, 0")
        t.say(f"%v.next = add i64 {vs.pop()}, 0")
        u, v = self._vector(us), self._vector(vs)
        self.results = self._sum(self._times(u, "%y.down"), self._times(v, "%y.across"))
        self.tops = self._plus(self._times(u, "%down"), "%top")
        self.lefts = self._plus(self._times(v, "%across"), "%left")
        offsets = self._sum(self._times(self.tops, "%width"), self.lefts)
        self.offsets = self._times(offsets, "%pixel")
        inside = self._within(self.tops, self.height)
        for numbers, end in (
            (self._plus(self.tops, "%reach.down"), self.height),
            (self.lefts, self.width),
            (self._plus(self.lefts, "%reach.across"), self.width),
        ):
            inside = t.let("inside", f"and {self.yes} {inside}, {self._within(numbers, end)}")
        bits = t.let("bits", f"bitcast {self.yes} {inside} to i{self.positions}")
        t.say(f"%all.inside = icmp eq i{self.positions} {bits}, -1")
        t.say("%is.plain = and i1 %all.inside, %beside")

    def _plain_taps(self) -> list[str]:
        """The sums over kernel rows that are runs inside the image: pointers move by one row."""
        t = self.t
        t.label("plain.begin")
        firsts = self._pointers(t.let("places", f"getelementptr float, ptr %x, {self.p} {self.offsets}"))
        t.say("br label %plain.row")
        t.label("plain.row")
        after, later = self._fresh("after"), [t.fresh("later") for _ in firsts]
        t.say("%plain.a = phi i64 [0, %plain.begin], [%plain.a.next, %plain.row.end]")
        t.say("%plain.w = phi ptr [%w, %plain.begin], [%plain.w.next, %plain.row.end]")
        bases = [
            t.let("base", f"phi ptr [{a}, %plain.begin], [{b}, %plain.row.end]")
            for a, b in zip(firsts, later, strict=True)
        ]
        begun = self._phis(None, "plain.begin", after, "plain.row.end")
        self._terms("plain", ("plain.row", "plain.row.end"), bases, begun, after, ("%plain.w", "%run"))
        t.label("plain.row.end")
        for name, base in zip(later, bases, strict=True):
            t.say(f"{name} = getelementptr float, ptr {base}, i64 %next.row")
        t.say("%plain.a.next = add nuw i64 %plain.a, 1")
        t.say("%plain.w.next = getelementptr float, ptr %plain.w, i64 %w.row")
        t.say("%plain.done = icmp eq i64 %plain.a.next, %kh")
        t.say("br i1 %plain.done, label %store, label %plain.row")
        return after

    def _taps(self) -> list[str]:
        """The sums tap by tap; a kernel row that lies outside for all positions is passed over."""
        t = self.t
        after, ended = self._fresh("after"), self._fresh("ended")
        t.label("row")
        t.say("%a = phi i64 [0, %choice], [%a.next, %row.end]")
        t.say("%w.line = phi ptr [%w, %choice], [%w.line.next, %row.end]")
        by_row = self._phis(None, "choice", ended, "row.end")
        t.say("%lower = mul i64 %a, %step.down")
        t.say("%below = mul i64 %a, %next.row")
        inside = self._within(self._plus(self.tops, "%lower"), self.height)
        bits = t.let("bits", f"bitcast {self.yes} {inside} to i{self.positions}")
        t.say(f"%outside = icmp eq i{self.positions} {bits}, 0")
        t.say("br i1 %outside, label %row.end, label %tap")
        t.label("tap")
        t.say("%b = phi i64 [0, %row], [%b.next, %tap.end]")
        t.say("%w.here = phi ptr [%w.line, %row], [%w.here.next, %tap.end]")
        by_tap = self._phis(by_row, "row", after, "tap.end")
        t.say("%right = mul i64 %b, %step.across")
        t.say("%aside = mul i64 %b, %next.column")
        t.say("%further = add i64 %aside, %below")
        beside = self._within(self._plus(self.lefts, "%right"), self.width)
        here = t.let("here", f"and {self.yes} {inside}, {beside}")
        places = t.let("places", f"getelementptr float, ptr %x, {self.p} {self._plus(self.offsets, '%further')}")
        several = f"<{self.positions} x ptr>"
        chosen = t.let("chosen", f"select {self.yes} {here}, {several} {places}, {several} {self.zeros}")
        self._terms("tap", ("tap", "tap.end"), self._pointers(chosen), by_tap, after, ("%w.here", "%channels"))
        t.label("tap.end")
        t.say("%b.next = add nuw i64 %b, 1")
        t.say("%w.here.next = getelementptr float, ptr %w.here, i64 %w.tap")
        t.say("%b.done = icmp eq i64 %b.next, %kw")
        t.say("br i1 %b.done, label %row.end, label %tap")
        t.label("row.end")
        for kind, name, one, other in zip(self.kinds, ended, by_row, after, strict=True):
            t.say(f"{name} = phi {kind} [{one}, %row], [{other}, %tap.end]")
        t.say("%a.next = add nuw i64 %a, 1")
        t.say("%w.line.next = getelementptr float, ptr %w.line, i64 %w.row")
        t.say("%a.done = icmp eq i64 %a.next, %kh")
        t.say("br i1 %a.done, label %store, label %row")
        return ended

    def _terms(
        self, of: str, blocks: tuple[str, str], bases: list[str], begun: list[str], after: list[str],
        weights: tuple[str, str],
    ) -> None:  # fmt: skip
        """The innermost loop, between two blocks: as many terms as there are numbers in a run.

        weights: the register of the first row, and that of the number of rows.
        """
        t = self.t
        (before, behind), (w, length) = blocks, weights
        t.say(f"br label %{of}.term")
        t.label(f"{of}.term")
        t.say(f"%{of}.c = phi i64 [0, %{before}], [%{of}.c.next, %{of}.term]")
        t.say(f"%{of}.w.now = phi ptr [{w}, %{before}], [%{of}.w.later, %{of}.term]")
        now = self._phis(begun, before, after, f"{of}.term")
        # What is behind the last filter is never stored, and loaded all the same: a mask would take its time.
        parts = [load(t, self._at(f"%{of}.w.now", start), width) for start, width in zip(self.starts, self.widths)]
        for i, base in enumerate(bases):
            place = t.let("x", f"getelementptr float, ptr {base}, i64 %{of}.c")
            scalars = parts_of(t, t.let("s", f"load float, ptr {place}, align 4"), self.widths)
            for j, (width, scalar, part) in enumerate(zip(self.widths, scalars, parts, strict=True)):
                k = i * len(parts) + j
                fma(t, after[k], width, scalar, part, now[k])
        t.say(f"%{of}.c.next = add nuw i64 %{of}.c, 1")
        t.say(f"%{of}.w.later = getelementptr float, ptr %{of}.w.now, i64 %ldw")
        t.say(f"%{of}.c.done = icmp eq i64 %{of}.c.next, {length}")
        t.say(f"br i1 %{of}.c.done, label %{behind}, label %{of}.term")

    def _store(self, sums: list[str]) -> None:
        t = self.t
        t.say("br i1 %whole, label %store.whole, label %store.part")
        for name in ("whole", "part"):
            t.label(f"store.{name}")
            last = mask_of(t, "%last.lanes", self.widths[-1]) if name == "part" else None
            masks = [*[None] * (len(self.widths) - 1), last]
            firsts: list[tuple[str, str]] = []
            for i in range(self.positions):
                offset = t.let("result", f"extractelement {self.p} {self.results}, i64 {i}")
                result = t.let("y", f"getelementptr float, ptr %y, i64 {offset}")
                for value, start, width, mask in zip(sums[i * len(masks) :], self.starts, self.widths, masks):
                    if mask and not self.masks:
                        firsts.append((value, self._at(result, start)))
                    else:
                        store(t, value, self._at(result, start), width, mask)
            if firsts:
                store_firsts(t, firsts, self.widths[-1], "%last.lanes", "store.part")
            t.say("br label %tile.end")

    def _at(self, place: str, further: int) -> str:
        """The place so many floats further."""
        return self.t.let("at", f"getelementptr float, ptr {place}, i64 {further}")

    # -- sums of the tile ------------------------------------------------------------------

    def _fresh(self, name: str) -> list[str]:
        return [self.t.fresh(name) for _ in self.kinds]

    def _phis(self, first: list[str] | None, before: str, again: list[str], behind: str) -> list[str]:
        """The tile's sums as a loop sees them. first: None for zeros."""
        firsts = first or ["zeroinitializer"] * len(again)
        return [
            self.t.let("sum", f"phi {kind} [{one}, %{before}], [{other}, %{behind}]")
            for kind, one, other in zip(self.kinds, firsts, again, strict=True)
        ]

    # -- a number for each position ----------------------------------------------------------

    def _vector(self, scalars: list[str]) -> str:
        made = "poison"
        for i, scalar in enumerate(scalars):
            made = self.t.let("of", f"insertelement {self.p} {made}, i64 {scalar}, i64 {i}")
        return made

    def _pointers(self, places: str) -> list[str]:
        kind = f"<{self.positions} x ptr>"
        return [self.t.let("base", f"extractelement {kind} {places}, i64 {i}") for i in range(self.positions)]

    def _sum(self, a: str, b: str) -> str:
        return self.t.let("sums", f"add {self.p} {a}, {b}")

    def _plus(self, a: str, scalar: str) -> str:
        return self._sum(a, splat(self.t, scalar, "i64", self.positions))

    def _times(self, a: str, scalar: str) -> str:
        return self.t.let("products", f"mul {self.p} {a}, {splat(self.t, scalar, 'i64', self.positions)}")

    def _within(self, numbers: str, ends: str) -> str:
        """True where 0 ≤ number < end: one comparison without signs."""
        return self.t.let("within", f"icmp ult {self.p} {numbers}, {ends}")
