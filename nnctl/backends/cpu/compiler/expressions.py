"""The expressions of a kernel, turned into instructions and values."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from nnctl.backends.cpu.compiler.emission import Emission, constant
from nnctl.backends.cpu.compiler.marks import Function, is_kernel, lowering_of
from nnctl.backends.cpu.compiler.primitives import CONVERSIONS, PRIMITIVES
from nnctl.backends.cpu.compiler.types import (
    I64,
    Array,
    Known,
    Number,
    Scalar,
    Tuple,
    Type,
    Value,
    flattened,
    leaves,
    rebuilt,
    result_of,
    type_of,
)

_BUILTINS = {"range": range, "len": len, "float": float, "min": min, "max": max, "abs": abs, "math": math, "np": np}


class KernelError(TypeError):
    """Something in a kernel that is not of the language, or not of fitting types. The message names the line."""


class Translated(Protocol):
    """The translator of the functions that are called."""

    def called(self, function: Function, arguments: Sequence[Value]) -> tuple[str, Type]:
        """(name, type of the result) of a kernel for arguments like these."""


class Expressions:
    """The expressions of one function.

    names: what free names mean. values: what parameters hold that nothing assigns to.
    """

    def __init__(
        self, translator: Translated, emission: Emission, names: Mapping[str, Any], values: Mapping[str, Value]
    ) -> None:
        self.translator = translator
        self.emission = emission
        self.names = names
        self.values: dict[str, Value] = dict(values)
        self.variables: dict[str, tuple[list[str], Type]] = {}
        """The slots of variables, and their types."""
        self.fresh: dict[str, tuple[int, Value]] = {}
        """Values that variables were last given, and in which block: within it no load is needed."""

    def value(self, node: ast.expr) -> Value:
        """The value of an expression."""
        emission = self.emission
        match node:
            case ast.Constant():
                return Known(node.value)
            case ast.Name():
                return self._name(node.id)
            case ast.Tuple():
                return Tuple(tuple(self.value(item) for item in node.elts))
            case ast.BinOp():
                return emission.binary(type(node.op).__name__, self.value(node.left), self.value(node.right))
            case ast.UnaryOp(op=ast.USub()):
                return emission.negated(self.value(node.operand))
            case ast.UnaryOp(op=ast.Not()):
                truth = emission.truth(self.value(node.operand))
                return Known(not truth) if isinstance(truth, bool) else _inverted(emission, truth)
            case ast.Compare():
                return self._compared(node)
            case ast.BoolOp():
                return self._combined(node)
            case ast.IfExp():
                return self._either(node)
            case ast.Call():
                return self._call(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._subscript(node)
        raise KernelError(f"{ast.unparse(node)}: no expression of the kernel language")

    def _name(self, name: str) -> Value:
        if name in self.values:
            return self.values[name]
        if name in self.variables:
            block, value = self.fresh.get(name, (-1, Known(None)))
            if block == self.emission.blocks:
                return value
            slots, kind = self.variables[name]
            return self.emission.get(slots, kind)
        if name in self.names:
            return _object(self.names[name])
        if name in _BUILTINS:
            return Known(_BUILTINS[name])
        raise KernelError(f"{name} is not known here")

    def _array(self, node: ast.expr) -> Array:
        value = self.value(node)
        if not isinstance(value, Array):
            raise KernelError(f"{ast.unparse(node)} is no array")
        return value

    def _indices(self, node: ast.expr) -> list[Value]:
        return [self.value(item) for item in (node.elts if isinstance(node, ast.Tuple) else [node])]

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        if isinstance(value, Tuple):
            place = self.value(node.slice)
            if not isinstance(place, Known):
                raise KernelError(f"{ast.unparse(node)}: which item of a tuple has to be known")
            item: Value = value.items[place.value]
            return item
        if not isinstance(value, Array):
            raise KernelError(f"{ast.unparse(node.value)} is no array")
        return self.emission.loaded(value, self._indices(node.slice))

    def _attribute(self, node: ast.Attribute) -> Value:
        value = self.value(node.value)
        if isinstance(value, Known):
            return _object(getattr(value.value, node.attr))
        if isinstance(value, Array):
            if node.attr == "shape":
                return Tuple(tuple(Scalar(I64, length) for length in value.lengths))
            if node.attr == "size":
                size: Value = Scalar(I64, value.lengths[0])
                for length in value.lengths[1:]:
                    size = self.emission.binary("Mult", size, Scalar(I64, length))
                return size
        raise KernelError(f"{ast.unparse(node)}: no attribute of the kernel language")

    def _compared(self, node: ast.Compare) -> Value:
        left = self.value(node.left)
        parts: list[Value] = []
        for operation, right_node in zip(node.ops, node.comparators):
            right = self.value(right_node)
            if isinstance(operation, (ast.Is, ast.IsNot)):
                absent = isinstance(left, Known) and left.value is None
                parts.append(Known(absent == isinstance(operation, ast.Is)))
            else:
                parts.append(self.emission.compared(type(operation).__name__, left, right))
            left = right
        result = parts[0]
        for part in parts[1:]:
            result = self._both(result, part, all_of=True)
        return result

    def _both(self, a: Value, b: Value, *, all_of: bool) -> Value:
        """Both conditions, or one of them, where both may be evaluated."""
        x, y = self.emission.truth(a), self.emission.truth(b)
        for known, other in ((x, y), (y, x)):
            if isinstance(known, bool):
                return Known(known) if known is not all_of else _condition(other)
        return Scalar(
            self.emission.truth(a).type,  # type: ignore[union-attr]
            self.emission.let(f"{'and' if all_of else 'or'} i1 {x.text}, {y.text}"),  # type: ignore[union-attr]
        )

    def _combined(self, node: ast.BoolOp) -> Value:
        """`and` or `or`: the second is evaluated only where it decides, unless it reads nothing."""
        all_of = isinstance(node.op, ast.And)
        result = self.value(node.values[0])
        for operand in node.values[1:]:
            truth = self.emission.truth(result)
            if isinstance(truth, bool):
                if truth is not all_of:
                    return Known(truth)
                result = self.value(operand)
            elif _reads_nothing(operand):
                result = self._both(truth, self.value(operand), all_of=all_of)
            else:
                result = self._lazily(truth, operand, all_of)
        return result

    def _lazily(self, first: Scalar, operand: ast.expr, all_of: bool) -> Value:
        emission = self.emission
        slot = emission.slot("i1")
        emission.put([slot], first)
        more, end = emission.block("more"), emission.block("end")
        emission.branch(first, *((more, end) if all_of else (end, more)))
        emission.begin(more)
        emission.put([slot], _settle(emission, emission.truth(self.value(operand))))
        emission.begin(end)
        return emission.get([slot], first.type)

    def _either(self, node: ast.IfExp) -> Value:
        emission = self.emission
        condition = emission.truth(self.value(node.test))
        if isinstance(condition, bool):
            return self.value(node.body if condition else node.orelse)
        if _reads_nothing(node.body) and _reads_nothing(node.orelse):
            return emission.chosen(condition, self.value(node.body), self.value(node.orelse))
        body, other = node.body, node.orelse
        if isinstance(body, ast.Constant):
            # A literal takes the type of the other branch, which is therefore first.
            condition, body, other = _inverted(emission, condition), other, body
        yes, no, end = (emission.block(name) for name in ("then", "else", "end"))
        emission.branch(condition, yes, no)
        emission.begin(yes)
        first = self._settled(self.value(body))
        kind = type_of(first)
        slots = emission.slots(kind)
        emission.put(slots, first)
        emission.jump(end)
        emission.begin(no)
        second = self.value(other)
        if isinstance(second, Known) and isinstance(kind, Number):
            second = emission.converted(second, kind)
        emission.put(slots, second)
        emission.begin(end)
        return emission.get(slots, kind)

    def _call(self, node: ast.Call) -> Value:
        if isinstance(node.func, ast.Attribute):
            owner = self.value(node.func.value)
            if isinstance(owner, Array) and node.func.attr == "reshape":
                return self._reshaped(owner, [self.value(a) for a in node.args])
        function = self.value(node.func)
        arguments = [self.value(a) for a in node.args]
        if not isinstance(function, Known) or node.keywords:
            raise KernelError(f"{ast.unparse(node)}: no call of the kernel language")
        called = function.value
        lowering = lowering_of(called)
        if lowering is not None:
            lowered: Value = lowering(self.emission, arguments)
            return lowered
        if called in CONVERSIONS:
            (given,) = arguments
            return self.emission.converted(given, CONVERSIONS[called])
        if called is len:
            (given,) = arguments
            assert isinstance(given, Tuple)
            return Known(len(given.items))
        if called in PRIMITIVES:
            return PRIMITIVES[called](self.emission, arguments)
        if not is_kernel(called):
            raise KernelError(f"{ast.unparse(node)}: {getattr(called, '__name__', called)} is no kernel")
        return self._called(called, arguments)

    def _called(self, function: Function, arguments: Sequence[Value]) -> Value:
        emission = self.emission
        # A literal is passed by value: one function serves all of them.
        passed = [self._settled(argument) for argument in arguments]
        name, result = self.translator.called(function, passed)
        types = [ir for argument in passed for ir in leaves(type_of(argument))]
        texts = [text for argument in passed for text in flattened(argument, emission.literal)]
        call = f"call {result_of(result)} @{name}({', '.join(f'{ir} {t}' for ir, t in zip(types, texts))})"
        made = leaves(result)
        if not made:
            emission.say(call)
            return Known(None)
        register = emission.let(call)
        if len(made) == 1:
            return rebuilt(result, [register])
        parts = [emission.let(f"extractvalue {result_of(result)} {register}, {i}") for i in range(len(made))]
        return rebuilt(result, parts)

    def _reshaped(self, array: Array, lengths: Sequence[Value]) -> Value:
        return Array(array.element, array.pointer, tuple(self.emission.converted(n, I64).text for n in lengths))

    def _settled(self, item: Value) -> Value:
        if isinstance(item, Known) and item.value is not None:
            return self.emission.literal(item)
        return item


def _object(value: Any) -> Value:
    """An object of a module's names as a value."""
    if isinstance(value, tuple):
        return Tuple(tuple(_object(item) for item in value))
    for kind, number in CONVERSIONS.items():
        if kind is not float and isinstance(value, kind):
            return constant(number, value)
    return Known(value)


def _condition(truth: Scalar | bool) -> Value:
    return Known(truth) if isinstance(truth, bool) else truth


def _settle(emission: Emission, truth: Scalar | bool) -> Scalar:
    return emission.literal(Known(truth)) if isinstance(truth, bool) else truth


def _inverted(emission: Emission, truth: Scalar) -> Scalar:
    return Scalar(truth.type, emission.let(f"xor i1 {truth.text}, true"))


def _reads_nothing(node: ast.expr) -> bool:
    """True for an expression that may be evaluated unasked: it reads no array and divides nothing."""
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and not (
            isinstance(part.value, ast.Attribute) and part.value.attr == "shape"
        ):
            return False
        if isinstance(part, (ast.FloorDiv, ast.Mod)):
            return False
    return True
