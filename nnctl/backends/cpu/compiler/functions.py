"""The translation of functions: Python's syntax trees become LLVM functions, one for each combination of types."""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from nnctl.backends.cpu.compiler.emission import Emission, Module, constant
from nnctl.backends.cpu.codegen.decorators import Function, independent, is_kernel, is_reordered, lowering_of
from nnctl.backends.cpu.compiler.primitives import CONVERSIONS, PRIMITIVES
from nnctl.backends.cpu.compiler.types import (
    I64,
    Array,
    Known,
    NoneType,
    Number,
    Scalar,
    Tuple,
    Type,
    Value,
    flattened,
    leaves,
    rebuilt,
    type_of,
)

_BUILTINS = {"range": range, "len": len, "float": float, "min": min, "max": max, "abs": abs, "math": math, "np": np}


class KernelError(TypeError):
    """Something in a kernel that is not of the language, or not of fitting types. The message names the line."""


class Translator:
    """The functions of one module: each is translated once for the types that it is called with."""

    def __init__(self) -> None:
        self.module = Module()
        self._made: dict[tuple[Function, tuple[Any, ...]], tuple[str, Type]] = {}

    def called(self, function: Function, arguments: Sequence[Value]) -> tuple[str, Type]:
        """(name, type of the result) of a kernel for arguments like these, translated now or before."""
        key = (function, tuple(type_of(argument) for argument in arguments))
        if key not in self._made:
            tree = _tree(function)
            name = f"{function.__name__}.{len(self._made)}"
            self._made[key] = self.define(name, tree, function.__globals__, arguments, is_reordered(function))
        return self._made[key]

    def define(
        self,
        name: str,
        tree: ast.FunctionDef,
        names: Mapping[str, Any],
        arguments: Sequence[Value],
        reordered: bool = False,
    ) -> tuple[str, Type]:
        """(name, type of the result) of a function with parameters like `arguments`, of which literals stay known.

        names: what the tree's free names mean.
        """
        emission = Emission(self.module, " reassoc" if reordered else "")
        parameters = [a.arg for a in tree.args.args]
        if len(parameters) != len(arguments):
            raise KernelError(f"{tree.name} takes {len(parameters)} arguments, not {len(arguments)}")
        types = [ir for argument in arguments for ir in _leaves(argument)]
        registers = [f"%a{i}" for i in range(len(types))]
        taken = list(registers)
        values = {
            parameter: argument if isinstance(argument, Known) else rebuilt(type_of(argument), taken)
            for parameter, argument in zip(parameters, arguments)
        }
        body = Body(self, emission, names, values)
        body.keep(assigned_names(tree))
        body.write(tree.body)
        result = body.result or NoneType()
        if not emission.ended:
            if not isinstance(result, NoneType):
                raise KernelError(f"{tree.name} ends without a result that it has elsewhere")
            emission.say("ret void")
        head = ", ".join(f"{ir} {register}" for ir, register in zip(types, registers))
        small = "" if any(isinstance(node, (ast.For, ast.While)) for node in ast.walk(tree)) else " alwaysinline"
        self.module.functions.append(
            "\n".join(
                [f"define internal {_result(result)} @{name}({head}) nounwind{small} {{", "entry:", *emission.entry,
                 *emission.lines, "}"]  # fmt: skip
            )
        )
        return name, result


class Body:
    """The statements of one function, turned into instructions one by one."""

    def __init__(
        self, translator: Translator, emission: Emission, names: Mapping[str, Any], values: Mapping[str, Value]
    ) -> None:
        self.translator = translator
        self.emission = emission
        self.names = names
        self.values: dict[str, Value] = dict(values)
        """What parameters hold: they need no variable until they are assigned to."""
        self.variables: dict[str, tuple[list[str], Type]] = {}
        self.fresh: dict[str, tuple[int, Value]] = {}
        """What variables were last given, and in which block: within it no load is needed."""
        self.result: Type | None = None
        self._loops: list[tuple[str, str]] = []
        self._depth = 0

    def keep(self, names: set[str]) -> None:
        """Let those parameters that are assigned to be variables: a loop reads what its last turn has written."""
        for name in names & self.values.keys():
            self._bind(name, self.values[name])

    # -- statements ------------------------------------------------------------------

    def write(self, statements: Sequence[ast.stmt]) -> None:
        """Statements in their order, up to one that ends the block."""
        for statement in statements:
            if self.emission.ended:
                return
            try:
                self._statement(statement)
            except (TypeError, KeyError, ValueError, IndexError) as error:
                if isinstance(error, KernelError):
                    raise
                raise KernelError(f"{ast.unparse(statement).splitlines()[0]}: {error}") from error

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target]):
                self._assign(target, self.value(node.value))
            case ast.AugAssign():
                self._augment(node)
            case ast.For():
                self._for(node)
            case ast.While():
                self._while(node)
            case ast.If():
                self._if(node)
            case ast.Return():
                self._return(node)
            case ast.Continue():
                self.emission.jump(self._loops[-1][0])
            case ast.Break():
                self.emission.jump(self._loops[-1][1])
            case ast.Expr():
                if not isinstance(node.value, ast.Constant):
                    self.value(node.value)
            case _:
                raise KernelError(f"{ast.unparse(node).splitlines()[0]}: no statement of the kernel language")

    def _assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name():
                self._bind(target.id, value)
            case ast.Subscript():
                array = self._array(target.value)
                self.emission.stored(array, self._indices(target.slice), value)
            case ast.Tuple():
                if not isinstance(value, Tuple) or len(value.items) != len(target.elts):
                    raise KernelError(f"{ast.unparse(target)}: what is unpacked is no tuple of {len(target.elts)}")
                for place, item in zip(target.elts, value.items):
                    self._assign(place, item)
            case _:
                raise KernelError(f"{ast.unparse(target)}: nothing can be assigned to")

    def _bind(self, name: str, value: Value) -> None:
        """Let a variable hold a value."""
        if isinstance(value, Known) and value.value is not None:
            if not isinstance(value.value, (bool, int, float)):
                self.values[name] = value
                return
            value = self.emission.literal(value)
        kind = type_of(value)
        known = self.variables.get(name)
        if known is not None and known[1] != kind and isinstance(kind, type(known[1])) and isinstance(value, Scalar):
            if not known[1].floating and not kind.floating:  # type: ignore[union-attr]
                value = self.emission.converted(value, known[1])  # type: ignore[arg-type]
                kind = known[1]
        if known is None or known[1] != kind:
            if known is not None and self._depth:
                raise KernelError(f"{name} changes its type in a loop or a branch")
            known = self.variables[name] = (self.emission.slots(kind), kind)
        self.values.pop(name, None)
        self.emission.put(known[0], value)
        self.fresh[name] = (self.emission.blocks, value)

    def _augment(self, node: ast.AugAssign) -> None:
        operation = type(node.op).__name__
        if isinstance(node.target, ast.Subscript):
            array, indices = self._array(node.target.value), self._indices(node.target.slice)
            old = self.emission.loaded(array, indices)
            self.emission.stored(array, indices, self.emission.binary(operation, old, self.value(node.value)))
            return
        assert isinstance(node.target, ast.Name)
        old = self._name(node.target.id)
        self._bind(node.target.id, self.emission.binary(operation, old, self.value(node.value)))

    def _if(self, node: ast.If) -> None:
        condition = self.emission.truth(self.value(node.test))
        if isinstance(condition, bool):
            self.write(node.body if condition else node.orelse)
            return
        yes, no, end = (self.emission.block(name) for name in ("then", "else", "end"))
        self.emission.branch(condition, yes, no)
        self._depth += 1
        for name, statements in ((yes, node.body), (no, node.orelse)):
            self.emission.begin(name)
            self.write(statements)
            if not self.emission.ended:
                self.emission.jump(end)
        self._depth -= 1
        self.emission.begin(end)
        # Where both branches have left, nothing reaches the end, and LLVM takes it away.

    def _for(self, node: ast.For) -> None:
        call = node.iter
        assert isinstance(call, ast.Call) and isinstance(node.target, ast.Name) and not node.orelse
        function = self.value(call.func)
        apart = isinstance(function, Known) and function.value is independent
        if not apart and not (isinstance(function, Known) and function.value is range):
            raise KernelError(f"{ast.unparse(call)}: loops run over range")
        emission = self.emission
        bounds = [self.value(a) for a in call.args]
        first, last = (Known(0), bounds[0]) if len(bounds) == 1 else bounds[:2]
        step = bounds[2] if len(bounds) == 3 else Known(1)
        if not isinstance(step, Known) and len(bounds) == 3:
            step = emission.converted(step, I64)
        counter = emission.slot("i64")
        end_value = emission.converted(last, I64)
        emission.put([counter], emission.converted(first, I64))
        head, inside, following, end = (emission.block(name) for name in ("head", "inside", "next", "end"))
        emission.begin(head)
        now = emission.get([counter], I64)
        down = isinstance(step, Known) and step.value < 0
        going = emission.compared("Gt" if down else "Lt", now, end_value)
        assert isinstance(going, Scalar)
        emission.branch(going, inside, end)
        emission.begin(inside)
        if apart:
            emission.groups.append(emission.module.node("distinct !{}"))
        self._depth += 1
        self._bind(node.target.id, now)
        self._loops.append((following, end))
        self.write(node.body)
        self._loops.pop()
        self._depth -= 1
        emission.begin(following)
        emission.put([counter], emission.binary("Add", emission.get([counter], I64), step))
        emission.say(f"br label %{head}{self._looped(apart)}")
        emission.ended = True
        emission.begin(end)

    def _looped(self, apart: bool) -> str:
        """What a loop's last instruction says of it."""
        if not apart:
            return ""
        module, group = self.emission.module, self.emission.groups.pop()
        accesses = module.node(f'!{{!"llvm.loop.parallel_accesses", {group}}}')
        return f", !llvm.loop {module.loop(accesses)}"

    def _while(self, node: ast.While) -> None:
        emission = self.emission
        head, inside, end = (emission.block(name) for name in ("head", "inside", "end"))
        emission.begin(head)
        condition = emission.truth(self.value(node.test))
        assert isinstance(condition, Scalar)
        emission.branch(condition, inside, end)
        emission.begin(inside)
        self._depth += 1
        self._loops.append((head, end))
        self.write(node.body)
        self._loops.pop()
        self._depth -= 1
        if not emission.ended:
            emission.jump(head)
        emission.begin(end)

    def _return(self, node: ast.Return) -> None:
        value = Known(None) if node.value is None else self.value(node.value)
        if isinstance(value, Known) and value.value is not None:
            value = self.emission.literal(value)
        if isinstance(value, Tuple):
            value = Tuple(tuple(self._settled(item) for item in value.items))
        kind = type_of(value)
        if self.result is not None and self.result != kind:
            raise KernelError("a function returns values of two types")
        self.result = kind
        types, texts = leaves(kind), flattened(value, self.emission.literal)
        if not types:
            self.emission.say("ret void")
        elif len(types) == 1:
            self.emission.say(f"ret {types[0]} {texts[0]}")
        else:
            made = "poison"
            for place, (ir, text) in enumerate(zip(types, texts)):
                made = self.emission.let(f"insertvalue {_result(kind)} {made}, {ir} {text}, {place}")
            self.emission.say(f"ret {_result(kind)} {made}")
        self.emission.ended = True

    def _settled(self, item: Value) -> Value:
        if isinstance(item, Known) and item.value is not None:
            return self.emission.literal(item)
        return item

    # -- expressions -----------------------------------------------------------------

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
        if isinstance(node.value, ast.Attribute) and node.value.attr == "shape":
            lengths = self.value(node.value)
            assert isinstance(lengths, Tuple)
            place = self.value(node.slice)
            if not isinstance(place, Known):
                raise KernelError(f"{ast.unparse(node)}: which axis has to be known")
            return lengths.items[place.value]
        value = self.value(node.value)
        if isinstance(value, Tuple):
            place = self.value(node.slice)
            if not isinstance(place, Known):
                raise KernelError(f"{ast.unparse(node)}: which item of a tuple has to be known")
            return value.items[place.value]
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
                return (Known(known) if known is not all_of else _condition(other))
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
            made: Value = lowering(self.emission, arguments)
            return made
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
        types = [ir for argument in passed for ir in _leaves(argument)]
        texts = [text for argument in passed for text in flattened(argument, emission.literal)]
        call = f"call {_result(result)} @{name}({', '.join(f'{ir} {t}' for ir, t in zip(types, texts))})"
        made = leaves(result)
        if not made:
            emission.say(call)
            return Known(None)
        register = emission.let(call)
        if len(made) == 1:
            return rebuilt(result, [register])
        parts = [emission.let(f"extractvalue {_result(result)} {register}, {i}") for i in range(len(made))]
        return rebuilt(result, parts)

    def _reshaped(self, array: Array, lengths: Sequence[Value]) -> Value:
        return Array(array.element, array.pointer, tuple(self.emission.converted(n, I64).text for n in lengths))


def assigned_names(tree: ast.FunctionDef) -> set[str]:
    """The names that a function assigns to."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


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
    """True for an expression that may be evaluated though it is not asked for: it reads no array and divides nothing."""
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and not (
            isinstance(part.value, ast.Attribute) and part.value.attr == "shape"
        ):
            return False
        if isinstance(part, (ast.FloorDiv, ast.Mod)):
            return False
    return True


def _leaves(argument: Value) -> list[str]:
    return leaves(type_of(argument))


def _result(kind: Type) -> str:
    types = leaves(kind)
    return "void" if not types else types[0] if len(types) == 1 else f"{{{', '.join(types)}}}"


@cache
def _tree(function: Function) -> ast.FunctionDef:
    """The syntax tree of a function of a module."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree
