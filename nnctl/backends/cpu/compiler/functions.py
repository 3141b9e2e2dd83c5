"""The translation of functions: Python's syntax trees become LLVM functions, one for each combination of types."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from nnctl.backends.cpu.compiler.blocks import Module
from nnctl.backends.cpu.compiler.emission import Emission
from nnctl.backends.cpu.compiler.marks import Function, is_apart
from nnctl.backends.cpu.compiler.sources import assigned_names, file_of, has_loops, tree_of
from nnctl.backends.cpu.compiler.statements import Statements
from nnctl.backends.cpu.compiler.types import Known, NoneType, Type, Value, leaves, named, rebuilt, result_of, type_of
from nnctl.errors import KernelError


class Translator:
    """The functions of one module: each is translated once for the types that it is called with."""

    def __init__(self) -> None:
        self.module = Module()
        self._made: dict[tuple[Function, tuple[Type, ...]], tuple[str, Type] | None] = {}
        """None for what is being translated."""

    def called(self, function: Function, arguments: Sequence[Value]) -> tuple[str, Type]:
        """(name, type of the result) of a kernel for arguments like these, translated now or before."""
        key = (function, tuple(type_of(argument) for argument in arguments))
        if key not in self._made:
            self._made[key] = None
            self._made[key] = self.define(
                f"{function.__name__}.{len(self._made)}",
                tree_of(function),
                function.__globals__,
                arguments,
                file=file_of(function),
                apart=is_apart(function),
            )
        made = self._made[key]
        if made is None:
            raise TypeError(f"{function.__name__} calls itself")
        return made

    def define(
        self,
        name: str,
        tree: ast.FunctionDef,
        names: Mapping[str, Any],
        arguments: Sequence[Value],
        *,
        file: str,
        apart: bool = False,
    ) -> tuple[str, Type]:
        """(name, type of the result) of a function with parameters like `arguments`, of which literals stay known.

        names: what the tree's free names mean. file: where messages say that it stands. apart: see `marks.apart`.
        Raises KernelError.
        """
        emission = Emission(self.module)
        types = [ir for argument in arguments for ir in leaves(type_of(argument))]
        registers = [f"%a{i}" for i in range(len(types))]
        values = _parameters(tree, arguments, list(registers))
        body = Statements(self, emission, names, values, assigned_names(tree), file)
        body.write(tree.body)
        result = body.result or NoneType()
        if not emission.ended:
            if not isinstance(result, NoneType):
                raise KernelError(f"{file}, line {tree.lineno}: {tree.name} returns {named(result)}, and ends without")
            emission.say("ret void")
        head = ", ".join(f"{ir} {register}" for ir, register in zip(types, registers))
        inlining = " noinline" if apart else "" if has_loops(tree) else " alwaysinline"
        first = f"define internal {result_of(result)} @{name}({head}) nounwind{inlining} {{"
        self.module.functions.append("\n".join([first, "entry:", *emission.entry, *emission.lines, "}"]))
        return name, result


def _parameters(tree: ast.FunctionDef, arguments: Sequence[Value], registers: list[str]) -> dict[str, Value]:
    """The values of a function's parameters in registers. Raises TypeError where arguments do not fit them."""
    taken = tree.args
    if taken.posonlyargs or taken.kwonlyargs or taken.vararg or taken.kwarg or taken.defaults:
        raise TypeError(f"{tree.name} has other parameters than plain ones")
    if len(taken.args) != len(arguments):
        raise TypeError(f"{tree.name} takes {len(taken.args)} arguments, not {len(arguments)}")
    return {
        parameter.arg: argument if isinstance(argument, Known) else rebuilt(type_of(argument), registers)
        for parameter, argument in zip(taken.args, arguments)
    }
