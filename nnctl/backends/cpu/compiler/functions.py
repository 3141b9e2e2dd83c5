"""The translation of functions: Python's syntax trees become LLVM functions, one for each combination of types."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from nnctl.backends.cpu.compiler.emission import Emission, Module
from nnctl.backends.cpu.compiler.expressions import KernelError
from nnctl.backends.cpu.compiler.marks import Function, is_reordered
from nnctl.backends.cpu.compiler.statements import Statements
from nnctl.backends.cpu.compiler.types import Known, NoneType, Type, Value, leaves, rebuilt, result_of, type_of


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
        types = [ir for argument in arguments for ir in leaves(type_of(argument))]
        registers = [f"%a{i}" for i in range(len(types))]
        taken = list(registers)
        values = {
            parameter: argument if isinstance(argument, Known) else rebuilt(type_of(argument), taken)
            for parameter, argument in zip(parameters, arguments)
        }
        body = Statements(self, emission, names, values)
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
                [
                    f"define internal {result_of(result)} @{name}({head}) nounwind{small} {{",
                    "entry:",
                    *emission.entry,
                    *emission.lines,
                    "}",
                ]
            )
        )
        return name, result


def assigned_names(tree: ast.FunctionDef) -> set[str]:
    """The names that a function assigns to."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


@cache
def _tree(function: Function) -> ast.FunctionDef:
    """The syntax tree of a function of a module."""
    source = textwrap.dedent(inspect.getsource(function))
    tree = ast.parse(source).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return tree
