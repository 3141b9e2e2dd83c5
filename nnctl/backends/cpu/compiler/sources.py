"""The sources of kernels: syntax trees whose lines are those of their files."""

from __future__ import annotations

import ast
import linecache
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from nnctl.backends.cpu.compiler.marks import Function

_parsing = threading.Lock()


def parsed(text: str) -> ast.Module:
    """The syntax tree of a text.

    One thread at a time: Python 3.11 counts the depth of all threads' trees as one, and where garbage is collected
    meanwhile another has its turn (SystemError: AST constructor recursion depth mismatch).
    """
    with _parsing:
        return ast.parse(text)


@cache
def tree_of(function: Function) -> ast.FunctionDef:
    """The syntax tree of a function of a module. Raises OSError where the module's file cannot be read."""
    code = function.__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)
    if not lines:
        raise OSError(f"{code.co_filename} cannot be read, which has the text of {function.__name__}")
    return _trees("".join(lines))[code.co_firstlineno]


@cache
def _trees(text: str) -> Mapping[int, ast.FunctionDef]:
    """The functions of a file by their first lines, which are those of their decorators."""
    found = (node for node in _statements(parsed(text).body) if isinstance(node, ast.FunctionDef))
    return {min([node.lineno, *(mark.lineno for mark in node.decorator_list)]): node for node in found}


def file_of(function: Function) -> str:
    """The name of the file that a function is from."""
    return Path(function.__code__.co_filename).name


def assigned_names(tree: ast.FunctionDef) -> frozenset[str]:
    """The names that a function assigns to."""
    found: list[str] = []
    for statement in _statements(tree.body):
        match statement:
            case ast.Assign(targets=targets):
                pass
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target) | ast.For(target=target):
                targets = [target]
            case _:
                continue
        for part in targets:
            stored = [part] if isinstance(part, ast.Name) else ast.walk(part)
            found += [node.id for node in stored if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return frozenset(found)


def has_loops(tree: ast.FunctionDef) -> bool:
    """True for a function with a loop of its own."""
    return any(isinstance(statement, (ast.For, ast.While)) for statement in _statements(tree.body))


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements, and those within them."""
    for statement in body:
        yield statement
        for name in ("body", "orelse"):
            yield from _statements(getattr(statement, name, ()))
