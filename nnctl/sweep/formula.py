"""Formulas over the settings and the results of trials: conditions, derived values, constraints.

    depth >= 3 and optimizer.type == 'sgd'
    layers.0.units // 2
    parameters <= 100000

Python's operators and a few functions; a name is a path, as `--set` takes it without selections.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from nnctl.errors import UsageError
from nnctl.late import dataclass


def _power(base: float, exponent: float) -> float:
    # Whole numbers of any length would take any time.
    if abs(exponent) > 1_000 or abs(base) > 1e100:
        raise OverflowError("the power is too large")
    result: float = base**exponent
    return result


_TOKEN: Final = re.compile(
    r"""(?P<text>'[^']*'|"[^"]*")"""
    r"|(?P<number>\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*(?:\.(?:[A-Za-z_]\w*|-?\d+))*)"
)
_WORDS: Final = frozenset({"and", "or", "not", "in", "if", "else", "True", "False"})
_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs, "ceil": math.ceil, "exp": math.exp, "floor": math.floor, "int": int, "log": math.log, "max": max,
    "min": min, "round": round, "sqrt": math.sqrt,
}  # fmt: skip
_BINARY: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: _power,
}  # fmt: skip
_UNARY: Final[Mapping[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_,
}  # fmt: skip
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge, ast.Eq: operator.eq,
    ast.NotEq: operator.ne, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_MOST_NODES: Final = 1_000


@dataclass(frozen=True)
class Formula:
    """A formula that was read. names: the paths in it, in the order in which they come."""

    text: str
    names: tuple[str, ...]
    _tree: ast.expr
    _paths: Mapping[str, str]

    def value(self, values: Mapping[str, Any]) -> Any:
        """Its value. values: of every path in it. Raises UsageError where they do not go together."""
        try:
            return _evaluate(self._tree, {name: values[path] for name, path in self._paths.items()})
        except (TypeError, ValueError, ArithmeticError) as error:
            raise UsageError(f"'{self.text}' has no value{self.where(values)}: {error}") from error

    def where(self, values: Mapping[str, Any]) -> str:
        """The words " where …" for the values of its paths; empty where it has none."""
        known = ", ".join(f"{path} = {values[path]!r}" for path in self.names)
        return known and f" where {known}"

    def require_comparison(self) -> None:
        """Raise UsageError where it is no comparison of two sides by <, <=, > or >=."""
        tree = self._tree
        ordered = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
        if not isinstance(tree, ast.Compare) or len(tree.ops) != 1 or not isinstance(tree.ops[0], ordered):
            raise UsageError(f"'{self.text}' is no comparison by <, <=, > or >=\n  as in 'parameters <= 100000'")

    def excess(self, values: Mapping[str, Any]) -> float:
        """The difference of the sides of a comparison: 0 at most where it holds, infinite where it has no value."""
        tree = self._tree
        assert isinstance(tree, ast.Compare)
        names = {name: values[path] for name, path in self._paths.items()}
        try:
            difference = float(_evaluate(tree.left, names) - _evaluate(tree.comparators[0], names))
        except (TypeError, ValueError, ArithmeticError):
            return math.inf
        if isinstance(tree.ops[0], ast.Gt | ast.GtE):
            difference = -difference
        return math.inf if math.isnan(difference) else difference


def read(text: str) -> Formula:
    """The formula in a text. Raises UsageError where it is none."""
    paths: dict[str, str] = {}

    def named(match: re.Match[str]) -> str:
        word = match[0]
        if match.lastgroup != "name" or word in _WORDS or word in _FUNCTIONS:
            return word
        name = next((name for name, path in paths.items() if path == word), None) or _add(paths, word)
        return f" {name} "  # A number before it stays one.

    try:
        tree = ast.parse(_TOKEN.sub(named, text).strip(), mode="eval").body
        _check(tree, paths)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else str(error)
        raise UsageError(
            f"'{text}' cannot be read as a formula: {why}\n"
            f"  it has numbers, 'words', paths, the operators of Python and {', '.join(_FUNCTIONS)}"
        ) from error
    return Formula(text, tuple(paths.values()), tree, paths)


def _add(paths: dict[str, str], path: str) -> str:
    name = f"_{len(paths)}"
    paths[name] = path
    return name


def _check(tree: ast.expr, paths: Mapping[str, str]) -> None:
    """Raise ValueError with the first part that a formula does not have."""
    nodes = list(ast.walk(tree))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    if len(nodes) > _MOST_NODES:
        raise ValueError("it is too long")
    for node in nodes:
        match node:
            case ast.Constant(value=bool() | int() | float() | str()) | ast.IfExp() | ast.BoolOp():
                continue
            case ast.Name(id=name) if name in paths or id(node) in called:
                continue
            case ast.BinOp(op=op) if type(op) in _BINARY:
                continue
            case ast.UnaryOp(op=op) if type(op) in _UNARY:
                continue
            case ast.Compare(ops=ops) if all(type(op) in _COMPARISONS for op in ops):
                continue
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
                continue
            case ast.List() | ast.Tuple() | ast.expr_context():
                continue
            case ast.operator() | ast.unaryop() | ast.cmpop() | ast.boolop():
                continue
        for part in ast.walk(node):
            if isinstance(part, ast.Name):
                part.id = paths.get(part.id, part.id)  # As it was written.
        raise ValueError(f"{ast.unparse(node)!r} is no part of one")


def _evaluate(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_evaluate(left, names), _evaluate(right, names))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_evaluate(operand, names))
        case ast.BoolOp(op=op, values=parts):
            decisive = isinstance(op, ast.Or)
            for part in parts[:-1]:
                if bool(found := _evaluate(part, names)) is decisive:
                    return found
            return _evaluate(parts[-1], names)
        case ast.Compare(left=first, ops=ops, comparators=others):
            sides = [_evaluate(side, names) for side in (first, *others)]
            return all(_COMPARISONS[type(op)](a, b) for op, a, b in zip(ops, sides, sides[1:], strict=False))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluate(body if _evaluate(test, names) else orelse, names)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _FUNCTIONS[name](*(_evaluate(argument, names) for argument in arguments))
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_evaluate(item, names) for item in items]
    raise ValueError(f"{ast.unparse(node)!r} is no part of a formula")
