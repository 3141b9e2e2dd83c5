"""The text of an LLVM function while it is written: instructions, blocks, slots of variables, conversions."""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nnctl.backends.cpu.compiler.types import (
    BOOL,
    F32,
    F64,
    I32,
    I64,
    U64,
    Array,
    Known,
    Number,
    Scalar,
    Tuple,
    Type,
    Value,
    flattened,
    leaves,
    number_of,
    rebuilt,
    type_of,
)

_FLOATING = {"Add": "fadd", "Sub": "fsub", "Mult": "fmul", "Div": "fdiv"}
_WHOLE = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "BitAnd": "and", "BitOr": "or", "BitXor": "xor", "LShift": "shl",
}  # fmt: skip
_FOLDED: dict[str, Callable[[Any, Any], Any]] = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Pow": operator.pow, "LShift": operator.lshift,
    "RShift": operator.rshift, "BitAnd": operator.and_, "BitOr": operator.or_, "BitXor": operator.xor,
    "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt, "LtE": operator.le, "Gt": operator.gt,
    "GtE": operator.ge,
}  # fmt: skip
_COMPARED = {"Eq": "eq", "NotEq": "ne", "Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge"}


class Module:
    """The functions and declarations of a module of IR, each once."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.declared: dict[str, str] = {}
        self.metadata: list[str] = []

    def declare(self, name: str, result: str, arguments: Sequence[str], attributes: str = "") -> None:
        """An external function."""
        self.declared[name] = f"declare {result} @{name}({', '.join(arguments)}){attributes}"

    def node(self, text: str) -> str:
        """A node of metadata."""
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text}")
        return name

    def loop(self, properties: str) -> str:
        """The node of a loop, which begins with itself."""
        return self.node(f"distinct !{{!{len(self.metadata)}, {properties}}}")

    def text(self) -> str:
        """The module."""
        return "\n".join([*self.declared.values(), *self.functions, *self.metadata])


class Emission:
    """The instructions of one function. Slots lie in its entry block, so that no loop grows the stack."""

    def __init__(self, module: Module, flags: str = "") -> None:
        self.module = module
        self.flags = flags
        """Flags of sums: what LLVM may do with them."""
        self.entry: list[str] = []
        self.lines: list[str] = []
        self.ended = False
        """True where the present block has its last instruction."""
        self.blocks = 0
        """Blocks begun so far: what is known of registers holds within one."""
        self.groups: list[str] = []
        """Access groups of the loops around whose turns are independent."""
        self._count = 0

    # -- lines -----------------------------------------------------------------------

    def let(self, text: str) -> str:
        """A register for an instruction's result."""
        self._count += 1
        register = f"%r{self._count}"
        self.say(f"{register} = {text}")
        return register

    def say(self, text: str) -> None:
        """An instruction without a result."""
        if not self.ended:
            self.lines.append(f"  {text}")

    def block(self, name: str) -> str:
        """A fresh name of a block."""
        self._count += 1
        return f"{name}.{self._count}"

    def begin(self, block: str) -> None:
        """Begin a block; the one before goes on to it where it has no other end."""
        if not self.ended:
            self.say(f"br label %{block}")
        self.lines.append(f"{block}:")
        self.ended = False
        self.blocks += 1

    def jump(self, block: str) -> None:
        """End the present block."""
        self.say(f"br label %{block}")
        self.ended = True

    def branch(self, condition: Scalar, yes: str, no: str) -> None:
        """End the present block, going on by a condition."""
        self.say(f"br i1 {condition.text}, label %{yes}, label %{no}")
        self.ended = True

    def slot(self, ir: str) -> str:
        """A variable on the stack."""
        self._count += 1
        register = f"%s{self._count}"
        self.entry.append(f"  {register} = alloca {ir}, align 8")
        return register

    def slots(self, kind: Type) -> list[str]:
        """Variables for each register of a type."""
        return [self.slot(ir) for ir in leaves(kind)]

    def put(self, slots: Sequence[str], value: Value) -> None:
        """Store a value in variables."""
        for slot, ir, text in zip(slots, leaves(type_of(value)), flattened(value, self.literal), strict=True):
            self.say(f"store {ir} {text}, ptr {slot}, align 8")

    def get(self, slots: Sequence[str], kind: Type) -> Value:
        """The value that variables hold."""
        return rebuilt(kind, [self.let(f"load {ir}, ptr {slot}, align 8") for slot, ir in zip(slots, leaves(kind))])

    # -- numbers ---------------------------------------------------------------------

    def literal(self, known: Known) -> Scalar:
        """A literal as a number of its own type."""
        return constant(number_of(known.value), known.value)

    def number(self, value: Value, beside: Value | None = None) -> Scalar:
        """A value as a number; a literal in the type of what stands beside it.

        Raises TypeError for what is no number, and for a literal with a fraction beside a float32: `F` decides.
        """
        if isinstance(value, Scalar):
            return value
        if not isinstance(value, Known):
            raise TypeError("an array or a tuple stands where a number is needed")
        kind = number_of(value.value)
        if isinstance(beside, Scalar):
            if beside.type.floating and kind.floating and beside.type is not F64:
                raise TypeError(f"{value.value!r} beside a float32: F({value.value!r})?")
            if beside.type.floating == kind.floating and kind is not BOOL:
                kind = beside.type
        return constant(kind, value.value)

    def pair(self, a: Value, b: Value) -> tuple[Scalar, Scalar]:
        """Two numbers of one type. Raises TypeError where they have none."""
        x, y = self.number(a, b), self.number(b, a)
        if x.type == y.type:
            return x, y
        kinds = {x.type, y.type}
        if not any(kind.floating for kind in kinds) and U64 not in kinds:
            # Bytes in registers, conditions and narrow integers count among the integers.
            wide = I32 if I64 not in kinds and I32 in kinds and all(kind.bits <= 32 for kind in kinds) else I64
            return self.converted(x, wide), self.converted(y, wide)
        raise TypeError(f"{x.type.name} and {y.type.name} stand in one expression: one of them has to be converted")

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
            return Scalar(to, self.let(f"{'fpext' if to.bits > of.bits else 'fptrunc'} {of.ir} {x.text} to {to.ir}"))
        if of.floating:
            return Scalar(to, self.let(f"{'fptosi' if to.signed else 'fptoui'} {of.ir} {x.text} to {to.ir}"))
        if to.floating:
            return Scalar(to, self.let(f"{'sitofp' if of.signed else 'uitofp'} {of.ir} {x.text} to {to.ir}"))
        if to.bits < of.bits:
            return Scalar(to, self.let(f"trunc {of.ir} {x.text} to {to.ir}"))
        return Scalar(to, self.let(f"{'sext' if of.signed else 'zext'} {of.ir} {x.text} to {to.ir}"))

    def truth(self, value: Value) -> Scalar | bool:
        """A condition; True or False where it is known."""
        if isinstance(value, Known):
            return bool(value.value)
        x = self.number(value)
        if x.type is BOOL:
            return x
        if x.type.floating:
            return Scalar(BOOL, self.let(f"fcmp une {x.type.ir} {x.text}, 0.0"))
        return Scalar(BOOL, self.let(f"icmp ne {x.type.ir} {x.text}, 0"))

    def binary(self, name: str, a: Value, b: Value) -> Value:
        """An operation, called as Python's syntax tree calls it."""
        if isinstance(a, Known) and isinstance(b, Known):
            return Known(_FOLDED[name](a.value, b.value))
        x, y = self.pair(a, b)
        if x.type.floating:
            return self._floating(name, x, y)
        kind = x.type
        if name == "RShift":
            return Scalar(kind, self.let(f"{'ashr' if kind.signed else 'lshr'} {kind.ir} {x.text}, {y.text}"))
        if name in ("FloorDiv", "Mod"):
            return self._divided(name, x, y)
        if name == "Div":
            raise TypeError("whole numbers are divided by //, or converted first")
        # Indices do not wrap, which lets LLVM see how a loop walks through memory; bits of words may.
        wraps = " nsw" if name in ("Add", "Sub", "Mult") and kind is I64 else ""
        return Scalar(kind, self.let(f"{_WHOLE[name]}{wraps} {kind.ir} {x.text}, {y.text}"))

    def _floating(self, name: str, x: Scalar, y: Scalar) -> Scalar:
        kind = x.type
        if name == "Add" and (y.product or x.product):
            (a, b), c = (y.product, x) if y.product else (x.product, y)  # type: ignore[misc]
            return self._fused(kind, a, b, c.text)
        if name == "Sub" and y.product:
            a, b = y.product
            return self._fused(kind, self.let(f"fneg {kind.ir} {a}"), b, x.text)
        if name == "Sub" and x.product:
            a, b = x.product
            return self._fused(kind, a, b, self.let(f"fneg {kind.ir} {y.text}"))
        text = self.let(f"{_FLOATING[name]}{self.flags} {kind.ir} {x.text}, {y.text}")
        return Scalar(kind, text, (x.text, y.text) if name == "Mult" and kind is F32 else None)

    def _fused(self, kind: Number, a: str, b: str, c: str) -> Scalar:
        return Scalar(
            kind, self.call(f"llvm.fmuladd.f{kind.bits}", kind.ir, [(kind.ir, a), (kind.ir, b), (kind.ir, c)])
        )

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
            return Known(-value.value)
        x = self.number(value)
        instruction = f"fneg {x.type.ir} {x.text}" if x.type.floating else f"sub nsw {x.type.ir} 0, {x.text}"
        return Scalar(x.type, self.let(instruction))

    def compared(self, name: str, a: Value, b: Value) -> Value:
        """A comparison, called as Python's syntax tree calls it."""
        if isinstance(a, Known) and isinstance(b, Known):
            return Known(_FOLDED[name](a.value, b.value))
        x, y = self.pair(a, b)
        word = _COMPARED[name]
        if x.type.floating:
            # NaN differs from everything, and is neither above nor below anything.
            instruction = f"fcmp {'une' if word == 'ne' else f'o{word}'}"
        else:
            instruction = f"icmp {word if word in ('eq', 'ne') else ('s' if x.type.signed else 'u') + word}"
        return Scalar(BOOL, self.let(f"{instruction} {x.type.ir} {x.text}, {y.text}"))

    def chosen(self, condition: Scalar, yes: Value, no: Value) -> Value:
        """One of two values, both of which exist."""
        if isinstance(yes, Tuple) and isinstance(no, Tuple):
            return Tuple(tuple(self.chosen(condition, a, b) for a, b in zip(yes.items, no.items, strict=True)))
        if isinstance(yes, Array) and isinstance(no, Array):
            both = zip(leaves(yes.type), flattened(yes, self.literal), flattened(no, self.literal), strict=True)
            return rebuilt(yes.type, [self._select(condition, ir, a, b) for ir, a, b in both])
        x, y = self.pair(yes, no)
        return Scalar(x.type, self._select(condition, x.type.ir, x.text, y.text))

    def _select(self, condition: Scalar, ir: str, a: str, b: str) -> str:
        return self.let(f"select i1 {condition.text}, {ir} {a}, {ir} {b}")

    def call(self, name: str, result: str, arguments: Sequence[tuple[str, str]], attributes: str = "") -> str:
        """A call of an external function, which is declared by it; the register of its result."""
        self.module.declare(name, result, [ir for ir, _ in arguments], attributes)
        flags = self.flags if result in ("float", "double") else ""
        text = f"call{flags} {result} @{name}({', '.join(f'{ir} {text}' for ir, text in arguments)})"
        if result == "void":
            self.say(text)
            return ""
        return self.let(text)

    # -- arrays ----------------------------------------------------------------------

    def element(self, array: Array, indices: Sequence[Value]) -> str:
        """The address of an element, or of what the first indices choose."""
        position: Value = Known(0)
        for axis, length in enumerate(array.lengths):
            if axis:
                position = self.binary("Mult", position, Scalar(I64, length))
            if axis < len(indices):
                position = self.binary("Add", position, self.converted(indices[axis], I64))
        return self.offset(array, position)

    def offset(self, array: Array, position: Value) -> str:
        """The address of an element by its position in the flat array."""
        at = self.converted(position, I64).text
        return self.let(f"getelementptr inbounds {array.element.stored}, ptr {array.pointer}, i64 {at}")

    def loaded(self, array: Array, indices: Sequence[Value]) -> Value:
        """An element, or the array that fewer indices than axes choose."""
        address = self.element(array, indices)
        if len(indices) < len(array.lengths):
            return Array(array.element, address, array.lengths[len(indices) :])
        kind = array.element
        register = self.let(f"load {kind.stored}, ptr {address}, align {_alignment(kind)}{self._access()}")
        if kind.memory:
            register = self.let(f"zext {kind.memory} {register} to {kind.ir}")
        return Scalar(I64 if kind.memory else kind, register)

    def stored(self, array: Array, indices: Sequence[Value], value: Value) -> None:
        """Put a number into an array. Raises TypeError for one of another type."""
        kind = array.element
        if isinstance(value, Scalar) and value.type.floating != kind.floating:
            raise TypeError(f"a {value.type.name} is put into an array of {kind.name}")
        x = self.converted(value, I64 if kind.memory else kind)
        text = self.let(f"trunc {kind.ir} {x.text} to {kind.memory}") if kind.memory else x.text
        address = self.element(array, indices)
        self.say(f"store {kind.stored} {text}, ptr {address}, align {_alignment(kind)}{self._access()}")

    def _access(self) -> str:
        return f", !llvm.access.group {self.groups[-1]}" if self.groups else ""


def constant(kind: Number, literal: Any) -> Scalar:
    """A literal as a number of a type. Raises TypeError where it would lose its fraction."""
    if not kind.floating:
        if isinstance(literal, float) and not literal.is_integer():
            raise TypeError(f"{literal!r} is no whole number")
        if kind is BOOL:
            return Scalar(kind, "true" if literal else "false")
        value = int(literal)
        limit = 1 << kind.bits
        return Scalar(kind, str(value - limit if value >= limit >> 1 else value))
    # LLVM writes a float as the double that equals it.
    with np.errstate(over="ignore"):
        value_of = float(np.float32(literal)) if kind is F32 else float(literal)
    return Scalar(kind, f"0x{struct.pack('>d', value_of).hex().upper()}")


def _alignment(kind: Number) -> int:
    return 1 if kind.memory else kind.bits // 8
