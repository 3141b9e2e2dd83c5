"""Formulas on vectors of float32 as LLVM IR: arithmetic, sigmoid, tanh, and arrays of a cell's units.

A formula is Python that is run twice, for whole vectors and for what is left of the units
behind them. Multiply-adds may be fused; nothing is reordered.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from nnctl.backends.cpu.gemm.ir_text import IrText
from nnctl.late import dataclass

_MAGIC = 12582912.0
"""1.5·2²³: added to a small number, its last bits are the nearest integer."""
_EXPONENT_LARGEST = 87.0
"""|x| to which e^x is a normal float32; beyond it 1 + e^x is 1, or its reciprocal as good as 0."""


@dataclass(frozen=True)
class Vector:
    """A register of the formula being written."""

    code: VectorCode
    register: str

    def __add__(self, other: Vector) -> Vector:
        return self.code.of_two("fadd", self, other)

    def __sub__(self, other: Vector) -> Vector:
        return self.code.of_two("fsub", self, other)

    def __mul__(self, other: Vector) -> Vector:
        return self.code.of_two("fmul", self, other)

    def __truediv__(self, other: Vector) -> Vector:
        return self.code.of_two("fdiv", self, other)


@dataclass(frozen=True)
class Units:
    """An array argument: for each gate its units, side by side; an index is a gate."""

    code: VectorCode
    pointer: str
    ahead: str | None
    """Elements to what the next step reads or writes here, which is asked for; None where that is not needed."""

    def __getitem__(self, gate: int) -> Vector:
        place = self._place(gate)
        self._fetch(place, writing=False)
        return self.code.loaded(place)

    def __setitem__(self, gate: int, value: Vector) -> None:
        place = self._place(gate)
        self._fetch(place, writing=True)
        self.code.store(value, place)

    def made(self, gate: int) -> Vector:
        """The value that an earlier formula of the pass has stored: asked for when it was."""
        return self.code.loaded(self._place(gate))

    def _fetch(self, place: str, *, writing: bool) -> None:
        if self.ahead is None or self.code.mask is not None:
            return
        next_place = self.code.text.let("next", f"getelementptr float, ptr {place}, i64 {self.ahead}")
        self.code.text.say(f"call void @llvm.prefetch.p0(ptr {next_place}, i32 {int(writing)}, i32 2, i32 1)")

    def _place(self, gate: int) -> str:
        t = self.code.text
        first = t.let("gate", f"mul i64 %units, {gate}")
        index = t.let("index", f"add i64 {first}, {self.code.position}")
        return t.let("place", f"getelementptr float, ptr {self.pointer}, i64 {index}")


class VectorCode:
    """The code of a formula at units `position` … of vectors with so many lanes, under `mask` if there is one."""

    def __init__(self, text: IrText, lanes: int, position: str, mask: str | None) -> None:
        self.text, self.lanes, self.position, self.mask = text, lanes, position, mask
        self._type = f"<{lanes} x float>"

    def constant(self, value: float) -> Vector:
        """The float32 in every lane."""
        # LLVM writes a float as the float64 of the same value.
        bits = struct.pack(">d", struct.unpack("f", struct.pack("f", value))[0]).hex()
        return Vector(self, f"<{', '.join([f'float 0x{bits}'] * self.lanes)}>")

    def spread(self, scalar: str) -> Vector:
        """A float argument in every lane."""
        first = self.text.let("first", f"insertelement {self._type} poison, float {scalar}, i64 0")
        same = f"<{self.lanes} x i32> zeroinitializer"
        return self._let(f"shufflevector {self._type} {first}, {self._type} poison, {same}")

    def of_two(self, operation: str, a: Vector, b: Vector) -> Vector:
        """An arithmetic operation."""
        return self._let(f"{operation} contract {self._type} {a.register}, {b.register}")

    def where(self, comparison: str, a: Vector, b: Vector, then: Vector, otherwise: Vector) -> Vector:
        """`then` where the comparison holds of a and b."""
        held = self.text.let("held", f"fcmp {comparison} {self._type} {a.register}, {b.register}")
        kind = f"<{self.lanes} x i1>"
        return self._let(f"select {kind} {held}, {self._type} {then.register}, {self._type} {otherwise.register}")

    def sigmoid(self, z: Vector) -> Vector:
        """σ(z) = 1/(1 + e^−z)."""
        one = self.constant(1.0)
        return one / (one + self.bounded_exp(self.constant(-1.0) * z))

    def tanh(self, z: Vector) -> Vector:
        """tanh |z| = (1 − e^−2|z|)/(1 + e^−2|z|), by e^x − 1 so that small ones keep their digits; the sign is z's."""
        size = self._let(f"call {self._type} @llvm.fabs.v{self.lanes}f32({self._type} {z.register})")
        low, one, two = self.constant(-_EXPONENT_LARGEST), self.constant(1.0), self.constant(2.0)
        x = self.constant(-2.0) * size
        power, rest = self._exp_parts(self.where("olt", x, low, low, x))
        less_one = power * rest + (power - one)
        ratio = less_one / (less_one + two)
        signed = f"{self._type} {ratio.register}, {self._type} {z.register}"
        return self._let(f"call {self._type} @llvm.copysign.v{self.lanes}f32({signed})")

    def bounded_exp(self, x: Vector) -> Vector:
        """e^x for |x| ≤ 87, of what lies beyond e^±87."""
        low, high = self.constant(-_EXPONENT_LARGEST), self.constant(_EXPONENT_LARGEST)
        # A NaN passes both.
        x = self.where("olt", x, low, low, x)
        x = self.where("ogt", x, high, high, x)
        power, rest = self._exp_parts(x)
        return power * (rest + self.constant(1.0))

    def _exp_parts(self, x: Vector) -> tuple[Vector, Vector]:
        """(2ⁿ, e^r − 1) of x = n·ln 2 + r, |x| ≤ 87, with the polynomial of `codegen.mathematics`."""
        moved = x * self.constant(1.44269504088896341) + self.constant(_MAGIC)
        n = moved - self.constant(_MAGIC)
        r = x - n * self.constant(0.693359375)
        r = r - n * self.constant(-2.12194440e-4)
        p = self.constant(1.9875691500e-4)
        for coefficient in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
            p = p * r + self.constant(coefficient)
        kind = f"<{self.lanes} x i32>"
        bits = self.text.let("bits", f"bitcast {self._type} {moved.register} to {kind}")
        places, bias = (f"<{', '.join([f'i32 {number}'] * self.lanes)}>" for number in (23, 127 << 23))
        shifted = self.text.let("bits", f"shl {kind} {bits}, {places}")
        biased = self.text.let("bits", f"add {kind} {shifted}, {bias}")
        return self._let(f"bitcast {kind} {biased} to {self._type}"), p * (r * r) + r

    def loaded(self, place: str) -> Vector:
        """The vector at a place; 0 in lanes that the mask leaves out."""
        if self.mask is None:
            return self._let(f"load {self._type}, ptr {place}, align 4")
        masked = f"ptr {place}, i32 4, <{self.lanes} x i1> {self.mask}, {self._type} zeroinitializer"
        return self._let(f"call {self._type} @llvm.masked.load.v{self.lanes}f32.p0({masked})")

    def store(self, value: Vector, place: str) -> None:
        """Store a vector, of the lanes that the mask has."""
        if self.mask is None:
            self.text.say(f"store {self._type} {value.register}, ptr {place}, align 4")
            return
        masked = f"{self._type} {value.register}, ptr {place}, i32 4, <{self.lanes} x i1> {self.mask}"
        self.text.say(f"call void @llvm.masked.store.v{self.lanes}f32.p0({masked})")

    def _let(self, instruction: str) -> Vector:
        return Vector(self, self.text.let("v", instruction))


Formula = Callable[..., None]
"""A formula's writer: of its code and of each array, which it indexes by gates."""


def function_of(
    symbol: str, formulas: Sequence[Formula], arrays: Mapping[str, int], scalars: tuple[str, ...], lanes: int
) -> str:
    """The function (units, ahead, scalars…, arrays…) that applies formulas at every unit, one after the other.

    arrays: of each, how many units lie between steps, 0 where all steps have the same memory. ahead: 1 or −1, the
    way of the scan.
    """
    t = IrText()
    parameters = [
        "i64 %units",
        "i64 %ahead",
        *(f"float %{name}" for name in scalars),
        *(f"ptr %{name}" for name in arrays),
    ]

    def apply(formula: Formula, position: str, mask: str | None) -> None:
        code = VectorCode(t, lanes, position, mask)
        units = (Units(code, f"%{name}", ahead[gates] if gates else None) for name, gates in arrays.items())
        formula(code, *(code.spread(f"%{name}") for name in scalars), *units)

    t.label("entry")
    t.say("%step = mul i64 %ahead, %units")
    ahead = {gates: t.let("ahead", f"mul i64 %step, {gates}") for gates in sorted({*arrays.values()} - {0})}
    t.say(f"%left = urem i64 %units, {lanes}")
    t.say("%whole = sub i64 %units, %left")
    t.say("%none = icmp eq i64 %whole, 0")
    t.say("br i1 %none, label %rest, label %loop.0")
    for number, formula in enumerate(formulas):
        loop, before = f"loop.{number}", f"loop.{number - 1}" if number else "entry"
        behind = f"loop.{number + 1}" if number + 1 < len(formulas) else "rest"
        t.label(loop)
        t.say(f"%j.{number} = phi i64 [0, %{before}], [%next.{number}, %{loop}]")
        apply(formula, f"%j.{number}", None)
        t.say(f"%next.{number} = add nuw i64 %j.{number}, {lanes}")
        t.say(f"%done.{number} = icmp eq i64 %next.{number}, %whole")
        t.say(f"br i1 %done.{number}, label %{behind}, label %{loop}")
    t.label("rest")
    t.say("%nothing = icmp eq i64 %left, 0")
    t.say("br i1 %nothing, label %exit, label %part")
    t.label("part")
    wide = f"<{lanes} x i64>"
    one = t.let("one", f"insertelement {wide} poison, i64 %left, i64 0")
    same = t.let("same", f"shufflevector {wide} {one}, {wide} poison, <{lanes} x i32> zeroinitializer")
    numbers = ", ".join(f"i64 {i}" for i in range(lanes))
    mask = t.let("mask", f"icmp ult {wide} <{numbers}>, {same}")
    for formula in formulas:
        apply(formula, "%whole", mask)
    t.say("br label %exit")
    t.label("exit")
    t.say("ret void")
    body = "\n".join(t.lines)
    return f"define void @{symbol}({', '.join(parameters)}) nounwind {{\n{body}\n}}"


def declarations(lanes: int) -> str:
    """The declarations that the functions need."""
    v, m = f"<{lanes} x float>", f"<{lanes} x i1>"
    return "\n".join([
        f"declare {v} @llvm.masked.load.v{lanes}f32.p0(ptr, i32, {m}, {v})",
        f"declare void @llvm.masked.store.v{lanes}f32.p0({v}, ptr, i32, {m})",
        "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)",
        f"declare {v} @llvm.fabs.v{lanes}f32({v})",
        f"declare {v} @llvm.copysign.v{lanes}f32({v}, {v})",
    ])  # fmt: skip
