"""The expressions of a kernel, turned into instructions and values."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.literals import constant, literal
from nnctl.backends.cpu.compiler.marks import Function, is_kernel, lowering_of
from nnctl.backends.cpu.compiler.primitives import CONVERSIONS, PRIMITIVES
from nnctl.backends.cpu.compiler.types import (
    BOOL,
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
    named,
    rebuilt,
    result_of,
    type_of,
)
from nnctl.backends.cpu.compiler.unasked import BUILTINS, MODULES, harmless


class Translated(Protocol):
    """The translator of the functions that are called."""

    def called(self, function: Function, arguments: Sequence[Value]) -> tuple[str, Type]:
        """(name, type of the result) of a kernel for arguments like these."""


class Expressions:
    """The expressions of one function. What is not of the language is a TypeError.

    names: what free names mean. values: what parameters hold that nothing assigns to. assigned: names that the
    function assigns to.
    """

    def __init__(
        self,
        translator: Translated,
        emission: Emission,
        names: Mapping[str, Any],
        values: Mapping[str, Value],
        assigned: frozenset[str],
    ) -> None:
        self.translator = translator
        self.emission = emission
        self.names = names
        self.values: dict[str, Value] = dict(values)
        self.assigned = assigned
        self.variables: dict[str, tuple[list[str], Type]] = {}
        """The slots of variables, and their types."""
        self.fresh: dict[str, tuple[int, Value]] = {}
        """Values that variables were last given, and in which stretch: within it no load is needed."""

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
                return emission.inverted(self.value(node.operand))
            case ast.Compare():
                return self._compared(self.value(node.left), list(zip(node.ops, node.comparators)))
            case ast.BoolOp():
                return self._combined(node.values, isinstance(node.op, ast.And))
            case ast.IfExp():
                return self._either(node)
            case ast.Call():
                return self._call(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript():
                return self._subscript(node)
        raise TypeError(f"{ast.unparse(node)} is no expression of the kernel language")

    # -- names and arrays ------------------------------------------------------------

    def _name(self, name: str) -> Value:
        if name in self.values:
            return self.values[name]
        if name in self.variables:
            stretch, value = self.fresh.get(name, (-1, Known(None)))
            if stretch == self.emission.stretch:
                return value
            slots, kind = self.variables[name]
            return self.emission.get(slots, kind)
        if name in self.assigned:
            raise TypeError(f"{name} is read before it is assigned to")
        if name in self.names:
            return _object(self.names[name])
        if name in BUILTINS:
            return Known(BUILTINS[name])
        raise TypeError(f"{name} is not known here")

    def array(self, node: ast.expr) -> Array:
        """An expression that is an array."""
        value = self.value(node)
        if not isinstance(value, Array):
            raise TypeError(f"{ast.unparse(node)} is no array")
        return value

    def indices(self, node: ast.expr) -> list[Value]:
        """The indices between brackets."""
        return [self.value(item) for item in (node.elts if isinstance(node, ast.Tuple) else [node])]

    def _subscript(self, node: ast.Subscript) -> Value:
        value = self.value(node.value)
        if isinstance(value, Tuple):
            place = self.value(node.slice)
            if not isinstance(place, Known) or not isinstance(place.value, int):
                raise TypeError(f"{ast.unparse(node)}: which item of a tuple has to be known")
            item: Value = value.items[place.value]
            return item
        if not isinstance(value, Array):
            raise TypeError(f"{ast.unparse(node.value)} is no array")
        return self.emission.loaded(value, self.indices(node.slice))

    def _attribute(self, node: ast.Attribute) -> Value:
        value = self.value(node.value)
        if isinstance(value, Known):
            if any(value.value is module for module in MODULES) and hasattr(value.value, node.attr):
                return _object(getattr(value.value, node.attr))
            raise TypeError(f"{ast.unparse(node)} is nothing that a kernel names")
        if isinstance(value, Array) and node.attr == "shape":
            return Tuple(tuple(Scalar(I64, length) for length in value.lengths))
        if isinstance(value, Array) and node.attr == "size":
            size: Value = Scalar(I64, value.lengths[0])
            for length in value.lengths[1:]:
                size = self.emission.binary("Mult", size, Scalar(I64, length))
            return size
        raise TypeError(f"{ast.unparse(node)} is no attribute of the kernel language")

    # -- conditions ------------------------------------------------------------------

    def _compared(self, left: Value, links: Sequence[tuple[ast.cmpop, ast.expr]]) -> Value:
        """left < a < b …: each link is evaluated where those before it hold."""
        (operation, node), *rest = links
        right = self.value(node)
        first = self._relation(operation, left, right)
        if not rest:
            return first
        eager = all(harmless(each, self.names) for _, each in rest)
        return self._decided(first, lambda: self._compared(right, rest), eager, all_of=True)

    def _relation(self, operation: ast.cmpop, left: Value, right: Value) -> Value:
        if not isinstance(operation, (ast.Is, ast.IsNot)):
            return self.emission.compared(type(operation).__name__, left, right)
        if not isinstance(right, Known) or right.value is not None:
            raise TypeError("`is` asks for None alone")
        absent = isinstance(left, Known) and left.value is None
        return Known(absent == isinstance(operation, ast.Is))

    def _combined(self, nodes: Sequence[ast.expr], all_of: bool) -> Value:
        """`and` or `or`: what follows is evaluated only where it decides, unless it may be evaluated unasked."""
        first, *rest = nodes
        if not rest:
            return self.value(first)
        eager = all(harmless(each, self.names) for each in rest)
        return self._decided(self.value(first), lambda: self._combined(rest, all_of), eager, all_of)

    def _decided(self, first: Value, more: Callable[[], Value], eager: bool, all_of: bool) -> Value:
        """Two conditions: all of them, or any. Its text is one stretch where it is `eager`, known or not."""
        emission = self.emission
        a = _condition(first)
        if isinstance(a, bool):
            if not eager:
                emission.divide()
            result = Known(a) if a is not all_of else _as_value(_condition(more()))
            if not eager:
                emission.divide()
            return result
        if not eager:
            return self._lazily(a, more, all_of)
        b = _condition(more())
        if isinstance(b, bool):
            return Known(b) if b is not all_of else a
        # A choice, not `and`: what the second is where the first decides may be poison.
        return emission.chosen(a, b, Known(False)) if all_of else emission.chosen(a, Known(True), b)

    def _lazily(self, first: Scalar, more: Callable[[], Value], all_of: bool) -> Value:
        emission = self.emission
        slot = emission.slot("i1")
        emission.put([slot], first)
        inside, end = emission.block("more"), emission.block("end")
        emission.branch(first, *((inside, end) if all_of else (end, inside)))
        emission.begin(inside)
        emission.put([slot], _as_value(_condition(more())))
        emission.begin(end)
        return emission.get([slot], BOOL)

    def _either(self, node: ast.IfExp) -> Value:
        emission = self.emission
        condition = emission.truth(self.value(node.test))
        eager = harmless(node.body, self.names) and harmless(node.orelse, self.names)
        if isinstance(condition, bool):
            if not eager:
                emission.divide()
            value = self.value(node.body if condition else node.orelse)
            if not eager:
                emission.divide()
            return Scalar(value.type, value.text) if isinstance(value, Scalar) else value
        if eager:
            return emission.chosen(condition, self.value(node.body), self.value(node.orelse))
        yes, no, end = (emission.block(name) for name in ("then", "else", "end"))
        emission.branch(condition, yes, no)
        emission.begin(yes)
        first = self.value(node.body)
        emission.jump(end)
        place = len(emission.lines) - 1
        emission.begin(no)
        second = self.value(node.orelse)
        kind = emission.shared(first, second)
        slots = emission.slots(kind)
        with emission.at(place):
            emission.put(slots, self._in(kind, first))
        emission.put(slots, self._in(kind, second))
        emission.begin(end)
        return emission.get(slots, kind)

    def _in(self, kind: Type, value: Value) -> Value:
        return self.emission.converted(value, kind) if isinstance(kind, Number) else value

    # -- calls -----------------------------------------------------------------------

    def _call(self, node: ast.Call) -> Value:
        if node.keywords:
            raise TypeError("arguments have no keywords")
        arguments = [self.value(a) for a in node.args]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "reshape":
            array = self.array(node.func.value)
            return self.emission.shaped(array, array.pointer, arguments)
        function = self.value(node.func)
        if not isinstance(function, Known) or not callable(function.value):
            raise TypeError(f"{ast.unparse(node.func)} is no function of the kernel language")
        return self._result(function.value, arguments)

    def _result(self, called: Any, arguments: Sequence[Value]) -> Value:
        """The result of a function: of the language, of the processor, or a kernel."""
        lowering = lowering_of(called)
        if lowering is not None:
            wanted = len(inspect.signature(called).parameters)
            if wanted != len(arguments):
                raise TypeError(f"{called.__name__} takes {wanted} arguments, not {len(arguments)}")
            lowered: Value = lowering(self.emission, arguments)
            return lowered
        if called in CONVERSIONS and len(arguments) == 1:
            return self.emission.converted(arguments[0], CONVERSIONS[called])
        if called is len and len(arguments) == 1:
            return _length(arguments[0])
        if called in PRIMITIVES:
            return PRIMITIVES[called](self.emission, arguments)
        if not is_kernel(called):
            raise TypeError(f"{getattr(called, '__name__', called)} is no kernel")
        return self._called(called, arguments)

    def _called(self, function: Function, arguments: Sequence[Value]) -> Value:
        emission = self.emission
        # A literal is passed by value: one function serves all of them.
        passed = [settled(argument) for argument in arguments]
        name, result = self.translator.called(function, passed)
        types = [ir for argument in passed for ir in leaves(type_of(argument))]
        texts = [text for argument in passed for text in flattened(argument, literal)]
        call = f"call {result_of(result)} @{name}({', '.join(f'{ir} {t}' for ir, t in zip(types, texts))})"
        made = leaves(result)
        if not made:
            emission.say(call)
            return rebuilt(result, [])
        register = emission.let(call)
        if len(made) == 1:
            return rebuilt(result, [register])
        parts = [emission.let(f"extractvalue {result_of(result)} {register}, {i}") for i in range(len(made))]
        return rebuilt(result, parts)


def settled(value: Value) -> Value:
    """A value as a variable, a parameter or a result holds it: a literal as a number."""
    if isinstance(value, Tuple):
        return Tuple(tuple(settled(item) for item in value.items))
    return literal(value) if isinstance(value, Known) and value.value is not None else value


def _object(value: Any) -> Value:
    """An object of a module's names as a value."""
    if isinstance(value, tuple):
        return Tuple(tuple(_object(item) for item in value))
    for kind, number in CONVERSIONS.items():
        if kind is not float and isinstance(value, kind):
            return constant(number, value.item())
    return Known(value)


def _length(value: Value) -> Value:
    if isinstance(value, Tuple):
        return Known(len(value.items))
    if isinstance(value, Array):
        return Scalar(I64, value.lengths[0])
    raise TypeError(f"{named(type_of(value))} has no length")


def _condition(value: Value) -> Scalar | bool:
    """A condition of `and` and `or`, which in Python give back a number where they are given one."""
    if isinstance(value, Known) and isinstance(value.value, bool):
        return value.value
    if isinstance(value, Scalar) and value.type is BOOL:
        return value
    raise TypeError("`and` and `or` join conditions: compare first")


def _as_value(truth: Scalar | bool) -> Value:
    return Known(truth) if isinstance(truth, bool) else truth
