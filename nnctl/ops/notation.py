"""Expressions as people write them: one formula, with a name for what the texts name."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.ops.expression import Expression, Line, Ref
from nnctl.ops.primitives import PRIMITIVES


def render(expression: Expression, names: Sequence[str]) -> str:
    """The results as one formula over the inputs' names, shared parts repeated."""
    texts = list(names)
    for line in expression.lines:
        weighted_input = logistic_of(expression, line)
        if weighted_input is not None:
            texts.append(f"σ({_bare(_text(texts, weighted_input))})")
            continue
        arguments = [_text(texts, a) for a in line.arguments]
        text = PRIMITIVES[line.primitive].notation.format(*arguments)
        texts.append(f"({text})" if PRIMITIVES[line.primitive].notation[0] in "{-1" else text)
    return ", ".join(_bare(_text(texts, r)) for r in expression.results)


def logistic_of(expression: Expression, line: Line) -> Ref | None:
    """The z of a line that is ½·tanh(½·z) + ½, as the logistic function σ(z) is computed; else None."""
    half = _operand(line, "add")
    inner = None if half is None else _operand(_line(expression, half), "multiply")
    tanh = None if inner is None else _line(expression, inner)
    if tanh is None or tanh.primitive != "tanh":
        return None
    return _operand(_line(expression, tanh.arguments[0]), "multiply")


def _operand(line: Line | None, primitive: str) -> Ref | None:
    """The other argument of a line that applies a primitive to ½ and a value; None of any other line."""
    if line is None or line.primitive != primitive:
        return None
    first, second = line.arguments
    if isinstance(second, float):
        first, second = second, first
    return second if isinstance(first, float) and first == 0.5 and isinstance(second, int) else None


def _line(expression: Expression, reference: Ref) -> Line | None:
    """The line that computes a value; None of an input and of a number."""
    if isinstance(reference, int) and reference >= expression.arity:
        return expression.lines[reference - expression.arity]
    return None


def _bare(text: str) -> str:
    """A text without parentheses around all of it."""
    return text[1:-1] if _enclosed(text) else text


def _enclosed(text: str) -> bool:
    """True where the first parenthesis closes at the very end."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position == len(text) - 1
    return False


def _text(texts: Sequence[str], reference: Ref) -> str:
    return texts[reference] if isinstance(reference, int) else f"{reference:.10g}"
