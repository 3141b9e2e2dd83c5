"""The sources of kernels: syntax trees whose lines are those of their files."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from pathlib import Path

from nnctl.backends.cpu.compiler.marks import Function


@cache
def tree_of(function: Function) -> ast.FunctionDef:
    """The syntax tree of a function of a module."""
    lines, first = inspect.getsourcelines(function)
    tree = ast.parse(textwrap.dedent("".join(lines))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    return ast.increment_lineno(tree, first - 1)


def file_of(function: Function) -> str:
    """The name of the file that a function is from."""
    return Path(function.__code__.co_filename).name


def assigned_names(tree: ast.FunctionDef) -> frozenset[str]:
    """The names that a function assigns to."""
    stored = (node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return frozenset(node.id for node in stored)


def has_loops(tree: ast.FunctionDef) -> bool:
    """True for a function with a loop of its own."""
    return any(isinstance(node, (ast.For, ast.While)) for node in ast.walk(tree))
