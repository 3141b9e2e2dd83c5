"""Numbers of the kernel language: their types beside one another, operations, comparisons, conversions."""

from __future__ import annotations

from nnctl.backends.cpu.compiler.blocks import Blocks
from nnctl.backends.cpu.compiler.literals import constant, folded, literal
from nnctl.backends.cpu.compiler.types import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    U64,
    Known,
    Number,
    Scalar,
    Value,
    named,
    number_of,
    type_of,
)

_FLOATING = {"Add": "fadd", "Sub": "fsub", "Mult": "fmul", "Div": "fdiv"}
_WHOLE = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "BitAnd": "and", "BitOr": "or", "BitXor": "xor", "LShift": "shl",
}  # fmt: skip
_OF_BITS = ("BitAnd", "BitOr", "BitXor")
_COMPARED = {"Eq": "eq", "NotEq": "ne", "Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge"}


def common(a: Value, b: Value) -> Number:
    """The type in which two numbers meet: a literal takes that of the other. Raises TypeError where there is none."""
    x, y = _beside(a, b), _beside(b, a)
    if x == y:
        return x
    kinds = {x, y}
    if any(kind.floating for kind in kinds) or U64 in kinds:
        raise TypeError(f"{x.name} and {y.name} stand in one expression: one of them has to be converted")
    return I32 if I64 not in kinds else I64


def _beside(value: Value, other: Value) -> Number:
    """The type of a number beside another one."""
    kind = type_of(value)
    if not isinstance(kind, Number):
        raise TypeError(f"{named(kind)} stands where a number is needed")
    beside = other.type if isinstance(value, Known) and isinstance(other, Scalar) else kind
    if beside.floating and kind.floating and beside is not kind and beside is not F64:
        raise TypeError(f"a number with a fraction beside a {beside.name}: F(…)?")
    return beside if beside.floating == kind.floating and BOOL not in (kind, beside) else kind


class Arithmetic(Blocks):
    """Instructions on numbers."""

    def number(self, value: Value) -> Scalar:
        """A value as a number; a literal in its own type. Raises TypeError for what is no number."""
        if isinstance(value, Scalar):
            return value
        if not isinstance(value, Known):
            raise TypeError(f"{named(value.type)} stands where a number is needed")
        return literal(value)

    def pair(self, a: Value, b: Value) -> tuple[Scalar, Scalar]:
        """Two numbers of one type. Raises TypeError where they have none."""
        kind = common(a, b)
        return self.converted(a, kind), self.converted(b, kind)

    def whole(self, value: Value) -> Scalar:
        """A whole number as an int64: an index, a length, a bound. Raises TypeError for any other."""
        kind = type_of(value)
        if not isinstance(kind, Number) or kind.floating:
            raise TypeError("a whole number is needed: np.int64(…)?")
        return self.converted(value, I64)

    def converted(self, value: Value, to: Number) -> Scalar:
        """A number in another type, by the rules of C."""
        if isinstance(value, Known):
            return constant(to, value.value)
        x = self.number(value)
        of = x.type
        if of == to:
            return x
        if of.ir == to.ir:
            return Scalar(to, x.text)
        if of.floating and to.floating:
            instruction = "fpext" if to.bits > of.bits else "fptrunc"
        elif of.floating:
            instruction = "fptosi" if to.signed else "fptoui"
        elif to.floating:
            instruction = "sitofp" if of.signed else "uitofp"
        elif to.bits < of.bits:
            instruction = "trunc"
        else:
            instruction = "sext" if of.signed else "zext"
        return Scalar(to, self.let(f"{instruction} {of.ir} {x.text} to {to.ir}"))

    def truth(self, value: Value) -> Scalar | bool:
        """The truth of a value: a condition, or True or False where it is known."""
        if isinstance(value, Known):
            return bool(value.value)
        x = self.number(value)
        if x.type is BOOL:
            return x
        instruction = f"fcmp une {x.type.ir} {x.text}, 0.0" if x.type.floating else f"icmp ne {x.type.ir} {x.text}, 0"
        return Scalar(BOOL, self.let(instruction))

    def binary(self, name: str, a: Value, b: Value) -> Value:
        """An operation, called as Python's syntax tree calls it."""
        if isinstance(a, Known) and isinstance(b, Known):
            return folded(name, a, b)
        x, y = self.pair(a, b)
        if x.type.floating:
            return self._floating(name, x, y)
        if x.type is BOOL and name not in _OF_BITS:
            x, y = self.converted(x, I64), self.converted(y, I64)
        return self._whole(name, x, y)

    def _whole(self, name: str, x: Scalar, y: Scalar) -> Scalar:
        kind = x.type
        if name == "RShift":
            return Scalar(kind, self.let(f"{'ashr' if kind.signed else 'lshr'} {kind.ir} {x.text}, {y.text}"))
        if name in ("FloorDiv", "Mod"):
            return self._divided(name, x, y)
        if name == "Div":
            raise TypeError("whole numbers are divided by //, or converted first")
        if name not in _WHOLE:
            raise TypeError(f"{name} of {kind.name} is no operation of the kernel language")
        return Scalar(kind, self.let(f"{_WHOLE[name]}{_wraps(name, kind)} {kind.ir} {x.text}, {y.text}"))

    def _floating(self, name: str, x: Scalar, y: Scalar) -> Scalar:
        kind = x.type
        if name not in _FLOATING:
            raise TypeError(f"{name} of {kind.name} is no operation of the kernel language")
        if name == "Add" and y.product:
            return self._fused(kind, *y.product, x.text)
        if name == "Add" and x.product:
            return self._fused(kind, *x.product, y.text)
        if name == "Sub" and y.product:
            a, b = y.product
            return self._fused(kind, self.let(f"fneg {kind.ir} {a}"), b, x.text)
        if name == "Sub" and x.product:
            return self._fused(kind, *x.product, self.let(f"fneg {kind.ir} {y.text}"))
        text = self.let(f"{_FLOATING[name]} {kind.ir} {x.text}, {y.text}")
        return Scalar(kind, text, (x.text, y.text) if name == "Mult" and kind is F32 else None)

    def _fused(self, kind: Number, a: str, b: str, c: str) -> Scalar:
        terms = [(kind.ir, a), (kind.ir, b), (kind.ir, c)]
        return Scalar(kind, self.call(f"llvm.fmuladd.f{kind.bits}", kind.ir, terms))

    def _divided(self, name: str, x: Scalar, y: Scalar) -> Scalar:
        """Quotient or remainder, rounded down as in Python."""
        kind = x.type
        if not kind.signed:
            return Scalar(kind, self.let(f"{'udiv' if name == 'FloorDiv' else 'urem'} {kind.ir} {x.text}, {y.text}"))
        rest = self.let(f"srem {kind.ir} {x.text}, {y.text}")
        signs = self.let(f"xor {kind.ir} {rest}, {y.text}")
        differ = self.let(f"icmp slt {kind.ir} {signs}, 0")
        some = self.let(f"icmp ne {kind.ir} {rest}, 0")
        below = self.let(f"and i1 {differ}, {some}")
        if name == "Mod":
            moved = self.let(f"add {kind.ir} {rest}, {y.text}")
            return Scalar(kind, self.let(f"select i1 {below}, {kind.ir} {moved}, {kind.ir} {rest}"))
        quotient = self.let(f"sdiv {kind.ir} {x.text}, {y.text}")
        lower = self.let(f"sub {kind.ir} {quotient}, 1")
        return Scalar(kind, self.let(f"select i1 {below}, {kind.ir} {lower}, {kind.ir} {quotient}"))

    def negated(self, value: Value) -> Value:
        """The number with the other sign."""
        if isinstance(value, Known):
            number_of(value.value)
            return Known(-value.value)
        x = self.number(value)
        if x.type.floating:
            return Scalar(x.type, self.let(f"fneg {x.type.ir} {x.text}"))
        x = self.converted(x, I64) if x.type is BOOL else x
        return Scalar(x.type, self.let(f"sub{_wraps('Sub', x.type)} {x.type.ir} 0, {x.text}"))

    def inverted(self, value: Value) -> Value:
        """True where the value counts as false."""
        truth = self.truth(value)
        return Known(not truth) if isinstance(truth, bool) else self.opposite(truth)

    def opposite(self, condition: Scalar) -> Scalar:
        """The other truth."""
        return Scalar(BOOL, self.let(f"xor i1 {condition.text}, true"))

    def compared(self, name: str, a: Value, b: Value) -> Value:
        """A comparison, called as Python's syntax tree calls it."""
        if isinstance(a, Known) and isinstance(b, Known):
            return folded(name, a, b)
        if name not in _COMPARED:
            raise TypeError(f"{name} is no comparison of the kernel language")
        return self.relation(name, a, b)

    def relation(self, name: str, a: Value, b: Value) -> Scalar:
        """A comparison that is made when the kernel runs."""
        x, y = self.pair(a, b)
        word = _COMPARED[name]
        if x.type.floating:
            # NaN differs from everything, and is neither above nor below anything.
            instruction = f"fcmp {'une' if word == 'ne' else f'o{word}'}"
        else:
            instruction = f"icmp {word if word in ('eq', 'ne') else ('s' if x.type.signed else 'u') + word}"
        return Scalar(BOOL, self.let(f"{instruction} {x.type.ir} {x.text}, {y.text}"))

    def select(self, condition: Scalar, ir: str, a: str, b: str) -> str:
        """One of two registers."""
        return self.let(f"select i1 {condition.text}, {ir} {a}, {ir} {b}")


def _wraps(name: str, kind: Number) -> str:
    """The flag of an int64: indices do not wrap, which lets LLVM see how a loop walks through memory; bits may."""
    return " nsw" if name in ("Add", "Sub", "Mult") and kind is I64 else ""
