"""Formulas as nodes of ONNX, primitive by primitive.

Where ONNX has no function of that name, it is put together of others so that no digits are lost near 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from nnctl.exchange.onnx.writer import Given, Operand, Writer
from nnctl.ops.expression import Expression, Ref
from nnctl.ops.notation import logistic_of

BOOL, FLOAT = 9, 1
"""ONNX's numbers for types of elements."""

_NAMES: Mapping[str, str] = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "reciprocal": "Reciprocal",
    "exp": "Exp",
    "log": "Log",
    "tanh": "Tanh",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "arctan": "Atan",
    "erf": "Erf",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "sign": "Sign",
    "floor": "Floor",
    "power": "Pow",
    "minimum": "Min",
}
"""Primitives that ONNX has."""
_COMPARISONS: Mapping[str, str] = {"greater": "Greater", "less": "Less", "equal": "Equal"}


def number(value: float) -> Any:
    """A number as a node's input."""
    return np.array(value, np.float32)


def _maximum(w: Writer, a: Given, b: Given) -> str:
    for zero, other in ((a, b), (b, a)):
        if isinstance(zero, np.ndarray) and zero.shape == () and zero == 0.0:
            return w.add("Relu", other)
    return w.add("Max", a, b)


def _expm1(w: Writer, x: Given) -> str:
    # e^x − 1 = tanh(x/2)·(e^x + 1)
    half = w.add("Tanh", w.add("Mul", x, number(0.5)))
    return w.add("Mul", half, w.add("Add", w.add("Exp", x), number(1.0)))


def _log1p(w: Writer, x: Given) -> str:
    # With u = 1 + x rounded, ln u · x/(u − 1) has all digits, and x itself where u is 1 (Kahan).
    u = w.add("Add", x, number(1.0))
    over = w.add("Sub", u, number(1.0))
    same = w.add("Equal", u, number(1.0))
    ratio = w.add("Div", x, w.add("Where", same, number(1.0), over))
    # ln u is ∞ where x is, and ∞·(∞/∞) would be no number.
    infinite = w.add("Equal", u, number(float("inf")))
    ratio = w.add("Where", infinite, number(1.0), ratio)
    return w.add("Where", same, x, w.add("Mul", w.add("Log", u), ratio))


def _logaddexp(w: Writer, a: Given, b: Given) -> str:
    apart = w.add("Neg", w.add("Abs", w.add("Sub", a, b)))
    return w.add("Add", w.add("Max", a, b), _log1p(w, w.add("Exp", apart)))


_MADE: Mapping[str, Callable[..., str]] = {
    "maximum": _maximum,
    "expm1": _expm1,
    "log1p": _log1p,
    "logaddexp": _logaddexp,
    "square": lambda w, x: w.add("Mul", x, x),
}
"""Primitives that are made of several nodes, or of one of a special name."""

PRIMITIVES_SAID = frozenset((*_NAMES, *_COMPARISONS, *_MADE, "where"))

Made: TypeAlias = tuple[Given, bool]
"""An operand, and whether it is true or false and no number."""


def formula(w: Writer, expression: Expression, inputs: Sequence[Operand]) -> list[Given]:
    """The results of a formula. Raises KeyError for a primitive that nothing is known of."""
    known: dict[int, Made] = {}

    def value(reference: Ref) -> Made:
        if not isinstance(reference, int):
            return number(reference), False
        if reference not in known:
            known[reference] = line(reference) if reference >= expression.arity else entering(inputs[reference])
        return known[reference]

    def entering(operand: Operand) -> Made:
        return (operand if operand.dtype == "real" else w.add("Cast", operand, to=FLOAT)), False

    def real(reference: Ref) -> Given:
        operand, is_truth = value(reference)
        return w.add("Cast", operand, to=FLOAT) if is_truth else operand

    def truth(reference: Ref) -> Given:
        operand, is_truth = value(reference)
        return operand if is_truth else w.add("Cast", operand, to=BOOL)

    def line(reference: int) -> Made:
        found = expression.lines[reference - expression.arity]
        weighted_input = logistic_of(expression, found)
        if weighted_input is not None:
            return w.add("Sigmoid", real(weighted_input)), False
        name = found.primitive
        if name == "where":
            condition, *branches = found.arguments
            return w.add("Where", truth(condition), *map(real, branches)), False
        operands = [real(argument) for argument in found.arguments]
        if name in _COMPARISONS:
            return w.add(_COMPARISONS[name], *operands), True
        if name in _MADE:
            return _MADE[name](w, *operands), False
        return w.add(_NAMES[name], *operands), False

    return [real(result) for result in expression.results]
