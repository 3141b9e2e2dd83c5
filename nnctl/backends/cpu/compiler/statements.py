"""The statements of a kernel, turned into blocks of instructions."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.cpu.compiler.arithmetic import common
from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.expressions import Expressions, Translated, settled
from nnctl.backends.cpu.compiler.literals import literal
from nnctl.backends.cpu.compiler.loops import Loop, bounds_of
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
    named,
    result_of,
    type_of,
)
from nnctl.errors import KernelError


class Statements(Expressions):
    """The statements of one function. result: the type of what it returns, once it is known.

    file: what messages say that the function is from.
    """

    def __init__(
        self,
        translator: Translated,
        emission: Emission,
        names: Mapping[str, Any],
        values: Mapping[str, Value],
        assigned: frozenset[str],
        file: str,
    ) -> None:
        super().__init__(translator, emission, names, values, assigned)
        self.result: Type | None = None
        self._file = file
        self._loops: list[Loop] = []
        """The loops around."""
        self._depth = 0
        # Parameters that are assigned to are variables: a loop reads what its last turn has written.
        for name in assigned & self.values.keys():
            self._bind(name, self.values[name])

    def write(self, statements: Sequence[ast.stmt]) -> None:
        """Statements in their order, up to one that ends the block. Raises KernelError with the line."""
        for statement in statements:
            if self.emission.ended:
                return
            try:
                self._statement(statement)
            except KernelError:
                raise
            except (TypeError, ValueError, IndexError, ArithmeticError) as error:
                text = ast.unparse(statement).splitlines()[0]
                raise KernelError(f"{self._file}, line {statement.lineno}, {text}: {error}") from error

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target]):
                self._assign(target, self.value(node.value))
            case ast.AugAssign():
                self._augment(node)
            case ast.For(orelse=[]):
                self._for(node)
            case ast.While(orelse=[]):
                self._while(node)
            case ast.If():
                self._if(node)
            case ast.Return():
                self._return(Known(None) if node.value is None else self.value(node.value))
            case ast.Continue():
                self.emission.jump(self._loops[-1].following)
            case ast.Break():
                self._loops[-1].left = True
                self.emission.jump(self._loops[-1].end)
            case ast.Expr():
                if not isinstance(node.value, ast.Constant):
                    self.value(node.value)
            case ast.Pass():
                pass
            case _:
                raise TypeError("is no statement of the kernel language")

    # -- assignments -----------------------------------------------------------------

    def _assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name():
                self._bind(target.id, value)
            case ast.Subscript():
                array = self.array(target.value)
                self.emission.stored(array, self.indices(target.slice), value)
            case ast.Tuple():
                if not isinstance(value, Tuple) or len(value.items) != len(target.elts):
                    raise TypeError(f"unpacks {named(type_of(value))} into {len(target.elts)}")
                for place, item in zip(target.elts, value.items):
                    self._assign(place, item)
            case _:
                raise TypeError(f"assigns to {ast.unparse(target)}: nothing of the kernel language")

    def _bind(self, name: str, value: Value) -> None:
        """Let a variable hold a value. Within a loop or a branch it keeps the type that it has."""
        known = self.variables.get(name)
        inside = self._depth > 0
        if isinstance(value, Known) and not isinstance(value.value, (bool, int, float, type(None))):
            # A function by another name is no variable.
            if inside or known is not None:
                raise TypeError(f"gives {name} what is no number, array or tuple")
            self.values[name] = value
            return
        value = self._fitting(value, known[1]) if inside and known is not None else settled(value)
        kind = type_of(value)
        if known is None or known[1] != kind:
            if inside and (known is not None or name in self.values):
                before = named(known[1]) if known is not None else "a function"
                raise TypeError(f"makes {name}, {before}, {named(kind)} in a loop or a branch")
            known = self.variables[name] = (self.emission.slots(kind), kind)
        self.values.pop(name, None)
        self.emission.put(known[0], value)
        self.fresh[name] = (self.emission.stretch, value)

    def _fitting(self, value: Value, kind: Type) -> Value:
        """A value for a variable of a type: a literal takes it."""
        if isinstance(value, Known) and value.value is not None and isinstance(kind, Number):
            return self.emission.converted(value, common(value, Scalar(kind, "")))
        return settled(value)

    def _augment(self, node: ast.AugAssign) -> None:
        operation = type(node.op).__name__
        if isinstance(node.target, ast.Subscript):
            array, indices = self.array(node.target.value), self.indices(node.target.slice)
            old = self.emission.loaded(array, indices)
            self.emission.stored(array, indices, self.emission.binary(operation, old, self.value(node.value)))
            return
        if not isinstance(node.target, ast.Name):
            raise TypeError(f"assigns to {ast.unparse(node.target)}: nothing of the kernel language")
        old = self.value(ast.Name(node.target.id, ast.Load()))
        self._bind(node.target.id, self.emission.binary(operation, old, self.value(node.value)))

    # -- branches and loops ----------------------------------------------------------

    def _if(self, node: ast.If) -> None:
        emission = self.emission
        condition = emission.truth(self.value(node.test))
        if isinstance(condition, bool):
            emission.divide()
            self.write(node.body if condition else node.orelse)
            emission.divide()
            return
        yes, no, end = (emission.block(name) for name in ("then", "else", "end"))
        emission.branch(condition, yes, no)
        reached = False
        self._depth += 1
        for name, statements in ((yes, node.body), (no, node.orelse)):
            emission.begin(name)
            self.write(statements)
            if not emission.ended:
                reached = True
                emission.jump(end)
        self._depth -= 1
        if reached:
            emission.begin(end)

    def _for(self, node: ast.For) -> None:
        emission = self.emission
        if not isinstance(node.target, ast.Name):
            raise TypeError("loops over range, with one variable")
        first, last, step, apart = bounds_of(node.iter, self.value, emission)
        counter = emission.slot("i64")
        emission.put([counter], first)
        loop = Loop(emission.block("next"), emission.block("end"))
        head, inside = emission.block("head"), emission.block("inside")
        emission.begin(head)
        now = emission.get([counter], I64)
        down = isinstance(step, Known) and step.value < 0
        emission.branch(emission.relation("Gt" if down else "Lt", now, last), inside, loop.end)
        emission.begin(inside)
        if apart:
            emission.groups.append(emission.module.node("distinct !{}"))
        self._turn(node.body, loop, (node.target.id, now))
        emission.begin(loop.following)
        emission.put([counter], emission.binary("Add", emission.get([counter], I64), step))
        emission.jump(head, self._looped() if apart else "")
        emission.begin(loop.end)

    def _turn(self, body: Sequence[ast.stmt], loop: Loop, counted: tuple[str, Value] | None = None) -> None:
        """The statements of a loop. counted: its variable and what that holds."""
        self._depth += 1
        if counted is not None:
            self._bind(*counted)
        self._loops.append(loop)
        self.write(body)
        self._loops.pop()
        self._depth -= 1

    def _looped(self) -> str:
        """The metadata of a loop of independent turns, for its last instruction."""
        module, group = self.emission.module, self.emission.groups.pop()
        accesses = module.node(f'!{{!"llvm.loop.parallel_accesses", {group}}}')
        return f", !llvm.loop {module.loop(accesses)}"

    def _while(self, node: ast.While) -> None:
        emission = self.emission
        head, inside = emission.block("head"), emission.block("inside")
        loop = Loop(head, emission.block("end"))
        emission.begin(head)
        condition = emission.truth(self.value(node.test))
        if condition is False:
            return
        if isinstance(condition, Scalar):
            emission.branch(condition, inside, loop.end)
            loop.left = True
        emission.begin(inside)
        self._turn(node.body, loop)
        if not emission.ended:
            emission.jump(head)
        if loop.left:
            emission.begin(loop.end)

    def _return(self, value: Value) -> None:
        value = settled(value)
        kind = type_of(value)
        if self.result is not None and self.result != kind:
            raise TypeError(f"returns {named(kind)}, and {named(self.result)} elsewhere")
        self.result = kind
        types, texts = leaves(kind), flattened(value, literal)
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
