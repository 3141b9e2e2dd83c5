"""Formulas as lines of Python over NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from nnctl.ops.expression import Expression, Ref
from nnctl.ops.notation import logistic_of

_INFIX: Mapping[str, str] = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negative": "-{0}",
    "reciprocal": "1.0 / {0}",
    "square": "{0} ** 2",
    "greater": "{0} > {1}",
    "less": "{0} < {1}",
    "equal": "{0} == {1}",
}
"""Primitives that are signs in Python; all others are functions of NumPy by the same name, but for erf."""


def lines_of(expression: Expression, inputs: Sequence[str], output: str) -> list[str]:
    """Lines that give `output` the expression's only result; what is used more than once has a line of its own."""
    used = Counter(a for line in expression.lines for a in line.arguments if isinstance(a, int))
    used.update(r for r in expression.results if isinstance(r, int))
    texts = list(inputs)
    lines: list[str] = []
    for place, line in enumerate(expression.lines, expression.arity):
        weighted_input = logistic_of(expression, line)
        if weighted_input is not None:
            text = f"sigmoid({bare(_text(texts, weighted_input))})"
        else:
            arguments = [_text(texts, argument) for argument in line.arguments]
            if line.primitive in _INFIX:
                text = f"({_INFIX[line.primitive].format(*arguments)})"
            else:
                function = "erf" if line.primitive == "erf" else f"np.{line.primitive}"
                text = f"{function}({', '.join(map(bare, arguments))})"
        if used[place] > 1 and _needed(expression, place):
            name = f"{output}_{len(lines) + 1}"
            lines.append(f"{name} = {bare(text)}")
            text = name
        texts.append(text)
    return [*lines, f"{output} = {bare(_text(texts, expression.results[0]))}"]


def _needed(expression: Expression, place: int) -> bool:
    """True where a value is read by a line that is not swallowed by a sigmoid."""
    return any(place in line.arguments and logistic_of(expression, line) is None for line in expression.lines)


def _text(texts: Sequence[str], reference: Ref) -> str:
    return texts[reference] if isinstance(reference, int) else repr(reference)


def bare(text: str) -> str:
    """A text without parentheses around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:-1] if position == len(text) - 1 else text
    return text
