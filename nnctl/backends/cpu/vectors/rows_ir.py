"""Rows of classes in vectors: softmax, the sums of its exponentials, the best class.

Always in sixteen lanes, which LLVM makes of as many registers as they take: so a row's sum has one
order on every processor, sixteen sums side by side that are then added in pairs.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.gemm.widths import store_firsts
from nnctl.backends.cpu.vectors.formulas_ir import Vector, VectorCode, declarations

LANES = 16
SOFTMAX, SOFTMAX_SUMS, EXPONENTIALS, BEST = SYMBOLS = (
    "nnctl_softmax",
    "nnctl_softmax_sums",
    "nnctl_exponentials",
    "nnctl_best",
)
_FLOATS, _INDICES, _MASK, _BITS = f"<{LANES} x float>", f"<{LANES} x i32>", f"<{LANES} x i1>", f"i{LANES}"
_COUNTED = ", ".join(f"i32 {lane}" for lane in range(LANES))
_LOWEST = f"<{', '.join(['float 0xFFF0000000000000'] * LANES)}>"
"""−∞ in every lane."""
_NOT_A_NUMBER = f"<{', '.join(['float 0x7FF8000000000000'] * LANES)}>"


def module_text(bits: int) -> str:
    """The module of all functions of rows for registers of so many bits."""
    masks = bits == 512
    functions = [
        _softmax(masks=masks, sums=False),
        _softmax(masks=masks, sums=True),
        _exponentials(masks=masks),
        _best(masks=masks),
    ]
    return "\n".join([declarations(LANES), f"declare {_BITS} @llvm.cttz.{_BITS}({_BITS}, i1)", *functions])


class _Rows:
    """The text of a function (rows, columns, z, …): a loop over rows, in it loops over vectors of a row.

    A row's last vector, of 1 to 16 lanes, is apart and under a mask. masks: whether to store under one; else in
    pieces.
    """

    def __init__(self, *, masks: bool) -> None:
        self.text = t = IrText()
        self._masks = masks
        t.label("entry")
        t.say("%none = icmp sle i64 %rows, 0")
        t.say("%before = sub i64 %columns, 1")
        t.say(f"%left.before = urem i64 %before, {LANES}")
        t.say("%whole = sub i64 %before, %left.before")
        t.say("%short = icmp eq i64 %whole, 0")
        t.say("%left.wide = add i64 %left.before, 1")
        t.say("%left = trunc i64 %left.wide to i32")
        one = t.let("one", f"insertelement {_INDICES} poison, i32 %left, i64 0")
        same = t.let("same", f"shufflevector {_INDICES} {one}, {_INDICES} poison, {_INDICES} zeroinitializer")
        self.mask = t.let("mask", f"icmp ult {_INDICES} <{_COUNTED}>, {same}")
        self._block = "entry"
        t.say("br i1 %none, label %exit, label %row")
        t.label("row")
        t.say("%i = phi i64 [0, %entry], [%i.next, %row.end]")
        t.say("%first = mul i64 %i, %columns")
        self._block = "row"

    def place(self, array: str, position: str) -> str:
        """The place of an array (rows, columns) at a column of the row."""
        at = self.text.let("at", f"add i64 %first, {position}")
        return self.text.let("place", f"getelementptr float, ptr {array}, i64 {at}")

    def code(self, mask: str | None) -> VectorCode:
        """The code of a formula, in which nothing is loaded by its position."""
        return VectorCode(self.text, LANES, "0", mask)

    def begin(self, name: str, carried: list[tuple[str, str]]) -> list[str]:
        """Begin a loop over whole vectors, `%NAME.j` its column; the registers that (type, first value) become."""
        t = self.text
        t.say(f"br i1 %short, label %{name}.last, label %{name}")
        t.label(name)
        self._carried = carried
        t.say(f"%{name}.j = phi i64 [0, %{self._block}], [%{name}.j.next, %{name}]")
        self._now = [t.fresh("now") for _ in carried]
        self._later = [t.fresh("later") for _ in carried]
        for (kind, first), now, later in zip(carried, self._now, self._later, strict=True):
            t.say(f"{now} = phi {kind} [{first}, %{self._block}], [{later}, %{name}]")
        return self._now

    def last(self, name: str, values: list[str]) -> list[str]:
        """End the loop, whose registers have become `values`, and begin the last vector of the row."""
        t = self.text
        for (kind, _), later, value in zip(self._carried, self._later, values, strict=True):
            t.say(f"{later} = bitcast {kind} {value} to {kind}")
        t.say(f"%{name}.j.next = add nuw i64 %{name}.j, {LANES}")
        t.say(f"%{name}.done = icmp eq i64 %{name}.j.next, %whole")
        t.say(f"br i1 %{name}.done, label %{name}.last, label %{name}")
        t.label(f"{name}.last")
        found = [
            t.let("found", f"phi {kind} [{first}, %{self._block}], [{later}, %{name}]")
            for (kind, first), later in zip(self._carried, self._later, strict=True)
        ]
        self._block = f"{name}.last"
        return found

    def finished(self, symbol: str, parameters: str) -> str:
        """The function's definition."""
        t = self.text
        t.say("br label %row.end")
        t.label("row.end")
        t.say("%i.next = add nuw i64 %i, 1")
        t.say("%all = icmp eq i64 %i.next, %rows")
        t.say("br i1 %all, label %exit, label %row")
        t.label("exit")
        t.say("ret void")
        body = "\n".join(t.lines)
        return f"define void @{symbol}(i64 %rows, i64 %columns, ptr %z, {parameters}) nounwind {{\n{body}\n}}"

    def scores(self, column: str, *, last: bool) -> Vector:
        """A vector of z; −∞ beyond the row."""
        place = self.place("%z", column)
        if not last:
            return self.code(None).loaded(place)
        masked = f"ptr {place}, i32 4, {_MASK} {self.mask}, {_FLOATS} {_LOWEST}"
        loaded = self.text.let("v", f"call {_FLOATS} @llvm.masked.load.v{LANES}f32.p0({masked})")
        return Vector(self.code(None), loaded)

    def store_last(self, value: Vector, place: str) -> None:
        """Store the last vector of the row."""
        if self._masks:
            self.code(self.mask).store(value, place)
            return
        # Of some processors a store under a mask takes as long as ten others.
        t, block = self.text, self._block
        t.say(f"%{block}.full = icmp eq i64 %left.wide, {LANES}")
        t.say(f"br i1 %{block}.full, label %{block}.whole, label %{block}.some")
        t.label(f"{block}.whole")
        self.code(None).store(value, place)
        t.say(f"br label %{block}.stored")
        t.label(f"{block}.some")
        store_firsts(t, [(value.register, place)], LANES, "%left.wide", f"{block}.some")
        t.say(f"br label %{block}.stored")
        self._block = f"{block}.stored"
        t.label(self._block)

    def moved(self, value: str, kind: str, distance: int) -> str:
        """A vector whose lanes are those `distance` further on, around the end."""
        lanes = ", ".join(f"i32 {(lane + distance) % LANES}" for lane in range(LANES))
        return self.text.let("moved", f"shufflevector {kind} {value}, {kind} poison, {_INDICES} <{lanes}>")

    def largest(self) -> Vector:
        """The largest of a row, in every lane. A NaN is passed over: its difference to anything is one."""
        return self.largest_and_spoilt()[0]

    def largest_and_spoilt(self, *, spoilt: bool = False) -> tuple[Vector, Vector]:
        """The largest of a row, in every lane, and where it is asked for a vector with a NaN if the row has one."""
        code, carried = self.code(None), [_LOWEST, _LOWEST] if spoilt else [_LOWEST]

        def with_next(v: Vector, now: list[str]) -> list[str]:
            most = code.where("ogt", v, Vector(code, now[0]), v, Vector(code, now[0]))
            return [most.register, *(code.where("uno", v, v, v, Vector(code, each)).register for each in now[1:])]

        now = self.begin("largest", [(_FLOATS, first) for first in carried])
        now = self.last("largest", with_next(self.scores("%largest.j", last=False), now))
        now = with_next(self.scores("%whole", last=True), now)
        most = Vector(code, now[0])
        for distance in (8, 4, 2, 1):
            other = Vector(code, self.moved(most.register, _FLOATS, distance))
            most = code.where("ogt", other, most, other, most)
        return most, Vector(code, now[-1])

    def sum_of_exponentials(self, largest: Vector, out: str | None) -> Vector:
        """Σ e^(z − largest) of a row, in every lane; the terms are left in `out` if there is one."""
        (now,) = self.begin("terms", [(_FLOATS, "zeroinitializer")])
        code = self.code(None)

        def term(column: str, *, last: bool) -> Vector:
            x = self.scores(column, last=last) - largest
            zero = code.constant(0.0)
            e = code.where("olt", x, code.constant(-87.0), zero, code.bounded_exp(x))
            if last:
                kept = f"{_MASK} {self.mask}, {_FLOATS} {e.register}, {_FLOATS} zeroinitializer"
                e = Vector(code, self.text.let("e", f"select {kept}"))
            if out is not None:
                place = self.place(out, column)
                self.store_last(e, place) if last else code.store(e, place)
            return e

        (found,) = self.last("terms", [(Vector(code, now) + term("%terms.j", last=False)).register])
        total = Vector(code, found) + term("%whole", last=True)
        for distance in (8, 4, 2, 1):
            total = total + Vector(code, self.moved(total.register, _FLOATS, distance))
        return total

    def keep(self, value: Vector, array: str) -> None:
        """Store a value that every lane has as the row's entry of an array."""
        place = self.text.let("place", f"getelementptr float, ptr {array}, i64 %i")
        entry = self.text.let("entry", f"extractelement {_FLOATS} {value.register}, i64 0")
        self.text.say(f"store float {entry}, ptr {place}, align 4")


def _softmax(*, masks: bool, sums: bool) -> str:
    """The function (rows, columns, z, a, …): a ← e^(z − max)/Σ, row by row. sums: whether to keep max and Σ, too."""
    rows = _Rows(masks=masks)
    largest = rows.largest()
    total = rows.sum_of_exponentials(largest, "%a")
    if sums:
        rows.keep(largest, "%largest.of")
        rows.keep(total, "%sums")
    code = rows.code(None)
    factor = code.constant(1.0) / total
    rows.begin("scaled", [])
    place = rows.place("%a", "%scaled.j")
    code.store(code.loaded(place) * factor, place)
    rows.last("scaled", [])
    place, masked = rows.place("%a", "%whole"), rows.code(rows.mask)
    rows.store_last(masked.loaded(place) * factor, place)
    if sums:
        return rows.finished(SOFTMAX_SUMS, "ptr %a, ptr %largest.of, ptr %sums")
    return rows.finished(SOFTMAX, "ptr %a")


def _exponentials(*, masks: bool) -> str:
    """The function (rows, columns, z, largest, sums): of each row the largest, and Σ e^(z − largest)."""
    rows = _Rows(masks=masks)
    largest = rows.largest()
    rows.keep(largest, "%largest.of")
    rows.keep(rows.sum_of_exponentials(largest, None), "%sums")
    return rows.finished(EXPONENTIALS, "ptr %largest.of, ptr %sums")


def _best(*, masks: bool) -> str:
    """The function (rows, columns, z, best): the first of the largest of each row; a NaN counts as largest."""
    rows = _Rows(masks=masks)
    t, code = rows.text, rows.code(None)
    largest, spoilt = rows.largest_and_spoilt(spoilt=True)
    some = t.let("nans", f"fcmp uno {_FLOATS} {spoilt.register}, {spoilt.register}")
    any_nan = t.let("any", f"icmp ne {_BITS} {t.let('bits', f'bitcast {_MASK} {some} to {_BITS}')}, 0")
    # No number equals a NaN, and the first NaN is looked for.
    wanted = Vector(code, t.let("v", f"select i1 {any_nan}, {_FLOATS} {_NOT_A_NUMBER}, {_FLOATS} {largest.register}"))

    def hits(column: str, *, last: bool) -> str:
        v = rows.scores(column, last=last).register
        equal = t.let("equal", f"fcmp oeq {_FLOATS} {v}, {wanted.register}")
        nan = t.let("nan", f"fcmp uno {_FLOATS} {v}, {v}")
        return t.let("bits", f"bitcast {_MASK} {t.let('hit', f'or {_MASK} {equal}, {nan}')} to {_BITS}")

    t.say("br i1 %short, label %search.last, label %search")
    t.label("search")
    t.say("%j = phi i64 [0, %largest.last], [%j.next, %search.on]")
    here = hits("%j", last=False)
    t.say(f"br i1 {t.let('found', f'icmp ne {_BITS} {here}, 0')}, label %found, label %search.on")
    t.label("search.on")
    t.say(f"%j.next = add nuw i64 %j, {LANES}")
    t.say(f"br i1 {t.let('done', 'icmp eq i64 %j.next, %whole')}, label %search.last, label %search")
    t.label("search.last")
    there = hits("%whole", last=True)
    t.say("br label %found")
    t.label("found")
    at = t.let("at", "phi i64 [%j, %search], [%whole, %search.last]")
    bits = t.let("bits", f"phi {_BITS} [{here}, %search], [{there}, %search.last]")
    lane = t.let("lane", f"call {_BITS} @llvm.cttz.{_BITS}({_BITS} {bits}, i1 true)")
    entry = t.let("entry", f"add i64 {at}, {t.let('lane', f'zext {_BITS} {lane} to i64')}")
    place = t.let("place", "getelementptr i64, ptr %best, i64 %i")
    t.say(f"store i64 {entry}, ptr {place}, align 8")
    return rows.finished(BEST, "ptr %best")
