"""Expressions that may be evaluated unasked, where Python would go around them: nothing is lost by it."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from nnctl.backends.cpu.compiler.marks import Function, is_kernel, is_pure, lowering_of
from nnctl.backends.cpu.compiler.primitives import CONVERSIONS, PRIMITIVES
from nnctl.backends.cpu.compiler.sources import tree_of

BUILTINS: Mapping[str, Any] = {
    "range": range, "len": len, "float": float, "min": min, "max": max, "abs": abs, "math": math, "np": np,
}  # fmt: skip
"""Names that nothing else defines."""
MODULES = (math, np)
"""Modules whose members a kernel names."""
_PLAIN = (
    ast.Constant, ast.Name, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call,
    ast.Attribute, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context,
    ast.Assign, ast.AugAssign, ast.If, ast.Return, ast.Pass,
)  # fmt: skip


def harmless(node: ast.expr, names: Mapping[str, Any]) -> bool:
    """True for an expression that reads no array, divides nothing, and calls only functions that do neither.

    names: what free names mean.
    """
    return _plain(node, names)


def _plain(tree: ast.AST, names: Mapping[str, Any]) -> bool:
    if isinstance(tree, ast.Subscript):
        return isinstance(tree.value, ast.Attribute) and tree.value.attr == "shape"
    if not isinstance(tree, _PLAIN) or isinstance(tree, (ast.FloorDiv, ast.Mod)):
        return False
    if isinstance(tree, ast.Call) and not _does_nothing(object_of(tree.func, names)):
        return False
    return all(_plain(part, names) for part in ast.iter_child_nodes(tree))


def object_of(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """The object that a name, or a name in a module, stands for; None for anything else."""
    match node:
        case ast.Name():
            return names.get(node.id, BUILTINS.get(node.id))
        case ast.Attribute(value=ast.Name(id=owner)):
            module = names.get(owner, BUILTINS.get(owner))
            return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
    return None


def _does_nothing(function: Any) -> bool:
    """True for a function that only computes, of any arguments."""
    if not callable(function):
        return False
    if function in CONVERSIONS or function in PRIMITIVES or function is len:
        return True
    if lowering_of(function) is not None:
        return is_pure(function)
    return is_kernel(function) and _computes(function)


@cache
def _computes(function: Function) -> bool:
    """True for a kernel without loops whose every expression is harmless."""
    return all(_plain(statement, function.__globals__) for statement in _body(function))


def _body(function: Function) -> list[ast.stmt]:
    """The statements of a function without its docstring."""
    return [s for s in tree_of(function).body if not isinstance(s, ast.Expr) or not isinstance(s.value, ast.Constant)]
