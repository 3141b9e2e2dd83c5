"""The statements of a kernel, turned into instructions one by one."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.expressions import Expressions, KernelError, Translated
from nnctl.backends.cpu.compiler.marks import independent
from nnctl.backends.cpu.compiler.types import (
    I64,
    Known,
    Number,
    Scalar,
    Tuple,
    Type,
    Value,
    flattened,
    leaves,
    result_of,
    type_of,
)


class Statements(Expressions):
    """The statements of one function. result: the type of what it returns, once it is known."""

    def __init__(
        self, translator: Translated, emission: Emission, names: Mapping[str, Any], values: Mapping[str, Value]
    ) -> None:
        super().__init__(translator, emission, names, values)
        self.result: Type | None = None
        self._loops: list[tuple[str, str]] = []
        """(block of the next turn, block behind) of the loops around."""
        self._depth = 0

    def keep(self, names: set[str]) -> None:
        """Let those parameters that are assigned to be variables: a loop reads what its last turn has written."""
        for name in names & self.values.keys():
            self._bind(name, self.values[name])

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
        if known is not None and isinstance(value, Scalar) and _whole(known[1]) and _whole(kind):
            # A variable keeps the width that it began with.
            assert isinstance(known[1], Number)
            value, kind = self.emission.converted(value, known[1]), known[1]
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
        assert isinstance(call, ast.Call)
        assert isinstance(node.target, ast.Name)
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
        """The metadata of a loop, for its last instruction."""
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
                made = self.emission.let(f"insertvalue {result_of(kind)} {made}, {ir} {text}, {place}")
            self.emission.say(f"ret {result_of(kind)} {made}")
        self.emission.ended = True


def _whole(kind: Type) -> bool:
    return isinstance(kind, Number) and not kind.floating
