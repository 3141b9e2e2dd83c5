"""Rows of classes in vectors: softmax, the sums of its exponentials, the best class.

Always in sixteen lanes, which LLVM makes of as many registers as they take: so a row's sum has one
order on every processor, sixteen sums side by side that are then added in pairs.
"""

from __future__ import annotations

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.backends.cpu.vectors.formulas_ir import Vector, VectorCode, declarations

LANES = 16
SOFTMAX, EXPONENTIALS, BEST = SYMBOLS = ("nnctl_softmax", "nnctl_exponentials", "nnctl_best")
_FLOATS, _INDICES, _MASK = f"<{LANES} x float>", f"<{LANES} x i32>", f"<{LANES} x i1>"
_COUNTED = ", ".join(f"i32 {lane}" for lane in range(LANES))
_LOWEST = f"<{', '.join(['float 0xFFF0000000000000'] * LANES)}>"
"""−∞ in every lane."""


def module_text() -> str:
    """The module of all functions of rows."""
    return "\n".join([declarations(LANES), _softmax(), _exponentials(), _best()])


class _Rows:
    """The text of a function (rows, columns, z, …): a loop over rows, in it loops over vectors of a row.

    A row's last vector, of 1 to 16 lanes, is apart and under a mask.
    """

    def __init__(self) -> None:
        self.text = t = IrText()
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

    def moved(self, value: str, kind: str, distance: int) -> str:
        """A vector whose lanes are those `distance` further on, around the end."""
        lanes = ", ".join(f"i32 {(lane + distance) % LANES}" for lane in range(LANES))
        return self.text.let("moved", f"shufflevector {kind} {value}, {kind} poison, {_INDICES} <{lanes}>")

    def largest(self) -> Vector:
        """The largest of a row, in every lane. A NaN is passed over: its difference to anything is one."""
        (now,) = self.begin("largest", [(_FLOATS, _LOWEST)])
        code = self.code(None)
        v, old = self.scores("%largest.j", last=False), Vector(code, now)
        (found,) = self.last("largest", [code.where("ogt", v, old, v, old).register])
        v, old = self.scores("%whole", last=True), Vector(code, found)
        most = code.where("ogt", v, old, v, old)
        for distance in (8, 4, 2, 1):
            other = Vector(code, self.moved(most.register, _FLOATS, distance))
            most = code.where("ogt", other, most, other, most)
        return most

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
                self.code(self.mask if last else None).store(e, self.place(out, column))
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


def _softmax() -> str:
    """The function (rows, columns, z, a): a ← e^(z − max)/Σ, row by row."""
    rows = _Rows()
    total = rows.sum_of_exponentials(rows.largest(), "%a")
    code = rows.code(None)
    factor = code.constant(1.0) / total
    rows.begin("scaled", [])
    place = rows.place("%a", "%scaled.j")
    code.store(code.loaded(place) * factor, place)
    rows.last("scaled", [])
    place, masked = rows.place("%a", "%whole"), rows.code(rows.mask)
    masked.store(masked.loaded(place) * factor, place)
    return rows.finished(SOFTMAX, "ptr %a")


def _exponentials() -> str:
    """The function (rows, columns, z, largest, sums): of each row the largest, and Σ e^(z − largest)."""
    rows = _Rows()
    largest = rows.largest()
    rows.keep(largest, "%largest.of")
    rows.keep(rows.sum_of_exponentials(largest, None), "%sums")
    return rows.finished(EXPONENTIALS, "ptr %largest.of, ptr %sums")


def _best() -> str:
    """The function (rows, columns, z, best): the first of the largest of each row; a NaN counts as largest."""
    rows = _Rows()
    t = rows.text

    def better(value: str, index: str, than: str, at: str) -> tuple[str, str]:
        """The better of two, lane by lane: the greater, of equal ones and of two NaNs the one that comes first."""
        greater = t.let("c", f"fcmp ugt {_FLOATS} {value}, {than}")
        sound = t.let("c", f"fcmp ord {_FLOATS} {than}, {than}")
        greater = t.let("c", f"and {_MASK} {greater}, {sound}")
        less = t.let("c", f"fcmp olt {_FLOATS} {value}, {than}")
        numbers = t.let("c", f"fcmp ord {_FLOATS} {value}, {value}")
        worse = t.let("c", f"select {_MASK} {sound}, {_MASK} {less}, {_MASK} {numbers}")
        earlier = t.let("c", f"icmp ult {_INDICES} {index}, {at}")
        tied = t.let("c", f"select {_MASK} {worse}, {_MASK} zeroinitializer, {_MASK} {earlier}")
        taken = t.let("c", f"or {_MASK} {greater}, {tied}")
        return (
            t.let("value", f"select {_MASK} {taken}, {_FLOATS} {value}, {_FLOATS} {than}"),
            t.let("index", f"select {_MASK} {taken}, {_INDICES} {index}, {_INDICES} {at}"),
        )

    def indices(column: str) -> str:
        """Columns of a vector."""
        narrow = t.let("column", f"trunc i64 {column} to i32")
        one = t.let("column", f"insertelement {_INDICES} poison, i32 {narrow}, i64 0")
        same = t.let("column", f"shufflevector {_INDICES} {one}, {_INDICES} poison, {_INDICES} zeroinitializer")
        return t.let("column", f"add {_INDICES} {same}, <{_COUNTED}>")

    # No column has the number that the search begins with: even −∞ is better.
    nowhere = f"<{', '.join(['i32 -1'] * LANES)}>"
    value, index = rows.begin("search", [(_FLOATS, _LOWEST), (_INDICES, nowhere)])
    found = better(rows.scores("%search.j", last=False).register, indices("%search.j"), value, index)
    value, index = rows.last("search", list(found))
    value, index = better(rows.scores("%whole", last=True).register, indices("%whole"), value, index)
    for distance in (8, 4, 2, 1):
        value, index = better(rows.moved(value, _FLOATS, distance), rows.moved(index, _INDICES, distance), value, index)
    entry = t.let("entry", f"extractelement {_INDICES} {index}, i64 0")
    wide = t.let("entry", f"zext i32 {entry} to i64")
    place = t.let("place", "getelementptr i64, ptr %best, i64 %i")
    t.say(f"store i64 {wide}, ptr {place}, align 8")
    return rows.finished(BEST, "ptr %best")
