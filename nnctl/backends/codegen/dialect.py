"""The dialect of a target language, as a table: the text of every primitive, literal and conversion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nnctl.late import dataclass
from nnctl.ops.expression import Expression, Ref

COMPARISONS = ("greater", "less", "equal")
"""Primitives that give a condition: languages tell one from a number."""


@dataclass(frozen=True)
class Dialect:
    """The texts of a target language, arguments as {0}, {1}, …

    primitives: of each name in `nnctl.ops.primitives`; comparisons give a condition, and the first
        argument of "where" is one.
    with_constant: of those that are shorter where an argument is a constant, which is then {0}.
    literal: of a number that is {0} in Python.
    from_condition: a condition as a number, 1 or 0. to_condition: a number as a condition.
    from_integer: an index or a byte as a number.
    one_hot: 1 where the index {0} is the position {1}, else 0.
    """

    primitives: Mapping[str, str]
    with_constant: Mapping[str, str]
    literal: str
    from_condition: str
    to_condition: str
    from_integer: str
    one_hot: str


class Values:
    """The texts of an expression's values, from the inputs on, line by line.

    number: gives the text of a constant. A value has a text once it is bound to one.
    """

    def __init__(self, expression: Expression, dialect: Dialect, number: Callable[[float], str]) -> None:
        self._expression = expression
        self._dialect = dialect
        self._constant = number
        self._texts: dict[int, str] = {}

    def bind(self, value: int, text: str) -> None:
        """Let a value be read as `text`: an input by its position, a line by `value_of`."""
        self._texts[value] = text

    def value_of(self, position: int) -> int:
        """The value that a line computes."""
        return self._expression.arity + position

    def is_condition(self, reference: Ref) -> bool:
        """True for a condition, which is no number."""
        if isinstance(reference, float) or reference < self._expression.arity:
            return False
        return self._expression.lines[reference - self._expression.arity].primitive in COMPARISONS

    def line(self, position: int) -> str:
        """The text that computes a line from bound values."""
        line = self._expression.lines[position]
        arguments = [
            self._condition(a) if line.primitive == "where" and place == 0 else self.number(a)
            for place, a in enumerate(line.arguments)
        ]
        pattern = self._dialect.primitives[line.primitive]
        if line.primitive in self._dialect.with_constant and any(isinstance(a, float) for a in line.arguments):
            pattern = self._dialect.with_constant[line.primitive]
            if isinstance(line.arguments[1], float):
                arguments.reverse()
        return pattern.format(*arguments)

    def number(self, reference: Ref) -> str:
        """A value or constant as a number."""
        if isinstance(reference, float):
            return self._constant(reference)
        text = self._texts[reference]
        return self._dialect.from_condition.format(text) if self.is_condition(reference) else text

    def _condition(self, reference: Ref) -> str:
        if isinstance(reference, float):
            return self._constant(reference)
        text = self._texts[reference]
        return text if self.is_condition(reference) else self._dialect.to_condition.format(text)
