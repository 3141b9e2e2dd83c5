"""A function of one variable, given by an expression: what a net of one hidden layer can approximate.

The expression is read as Python's grammar has it and evaluated by walking its tree:
numbers, x, pi, e, + − * / **, and the functions listed below. Nothing else is run.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nnctl.components.fields import NonEmptyStr, NonNegativeFloat, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.examples import Description
from nnctl.data.sources.generated import GeneratedSource
from nnctl.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FUNCTIONS = ("abs", "arctan", "cos", "cosh", "exp", "floor", "log", "sign", "sin", "sinh", "sqrt", "tan", "tanh")
CONSTANTS = ("e", "pi")
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Pow: "power",
    ast.USub: "negative",
    ast.UAdd: "positive",
}


MAX_LENGTH, MAX_DEPTH = 1000, 100
"""Characters of an expression, and levels of its tree: formulas that anybody reads are far below."""


class ExpressionError(ValueError):
    """An expression that is not allowed, with the likely fix."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def parse(text: str) -> ast.expr:
    """The tree of an expression in x. Raises ExpressionError."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"has {len(text):,} characters", f"at most {MAX_LENGTH}")
    try:
        with warnings.catch_warnings():
            # Such as that a number is called: what is no arithmetic is refused anyway.
            warnings.simplefilter("ignore")
            tree = ast.parse(text.strip(), mode="eval").body
        _check(tree, 0)
    except ExpressionError:
        raise
    except (SyntaxError, ValueError) as error:
        raise ExpressionError(f"cannot be read: {getattr(error, 'msg', error)}") from error
    except (RecursionError, MemoryError):
        # Python's own parser, and what quotes a part of the tree, say so of parts nested too deep.
        raise _too_deep() from None
    return tree


def _too_deep() -> ExpressionError:
    return ExpressionError(f"is nested deeper than {MAX_DEPTH} levels", "a sum of n terms has n − 1 levels")


def _check(node: ast.expr, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep()
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex()):
            raise ExpressionError(f"{ast.unparse(node)} is not a real number")
        case ast.Constant(value=int() | float() as number):
            if not _is_double(number):
                raise ExpressionError("has a number outside the range of a double-precision number")
        case ast.Name(id=name):
            if name not in ("x", *CONSTANTS):
                raise ExpressionError(
                    f"there is no '{name}'", f"the variable is x; constants are {', '.join(CONSTANTS)}"
                )
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _check(left, depth + 1)
            _check(right, depth + 1)
        case ast.BinOp(op=ast.BitXor()):
            raise ExpressionError("'^' is not an operator", "powers are written x**2")
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            _check(operand, depth + 1)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            if name not in FUNCTIONS:
                close = get_close_matches(name, FUNCTIONS, 1)
                hint = f"did you mean '{close[0]}'?" if close else f"functions are {', '.join(FUNCTIONS)}"
                raise ExpressionError(f"there is no function '{name}'", hint)
            _check(argument, depth + 1)
        case _:
            raise ExpressionError(f"'{ast.unparse(node)}' is not arithmetic", f"functions are {', '.join(FUNCTIONS)}")


def _is_double(number: int | float) -> bool:
    try:
        return math.isfinite(float(number))
    except OverflowError:
        return False


def evaluate(tree: ast.expr, x: NDArray[Any]) -> NDArray[Any]:
    """The values of a parsed expression, float64 of x's shape; not finite where it is not defined."""
    import numpy as np

    def value(node: Any) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id="x"):
                return x
            case ast.Name(id=name):
                return getattr(np, name)
            case ast.BinOp(left=left, op=op, right=right):
                return _function(op)(value(left), value(right))
            case ast.UnaryOp(op=op, operand=operand):
                return _function(op)(value(operand))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return getattr(np, name)(value(argument))
        raise TypeError(f"{ast.dump(node)} is no checked expression")

    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(value(tree), np.float64), x.shape)


def _function(op: ast.AST) -> Callable[..., Any]:
    import numpy as np

    function: Callable[..., Any] = getattr(np, _OPERATORS[type(op)])
    return function


@register("data", "function")
class FunctionSource(GeneratedSource):
    """Regression: a function of x at evenly spaced points from `low` to `high`."""

    example = "{type: function, expression: sin(2*pi*x), low: 0, high: 1, examples: 200}"

    expression: Annotated[NonEmptyStr, "in x, e.g. 0.2 + 0.4*x**2 + 0.3*x*sin(15*x)"] = "sin(2*pi*x)"
    low: Annotated[float, "the first x"] = 0.0
    high: Annotated[float, "the last x"] = 1.0
    examples: Annotated[PositiveInt, "how many points"] = 200
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on y"] = 0.0

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return Description((1,), target_shape=(1,), examples=self.examples)

    def make(self, rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
        """x and y, each (n, 1). Raises DataError where the function is not defined at a point."""
        import numpy as np

        x = np.linspace(self.low, self.high, self.examples)[:, None]
        y = evaluate(parse(self.expression), x)
        undefined = ~np.isfinite(y)
        if undefined.any():
            raise DataError(
                f"{self.expression} is {y[undefined][0]} at x = {x[undefined][0]:g}\n"
                f"  choose low and high so that it is a number at every point between them"
            )
        return x, y + self.noise * rng.standard_normal(x.shape)

    def problems(self) -> list[Problem]:
        """An expression that cannot be evaluated, and bounds that are not in order."""
        problems = super().problems()
        try:
            parse(self.expression)
        except ExpressionError as error:
            problems.append(Problem("expression", f"expression: {error}", error.hint))
        if not self.low < self.high:
            problems.append(Problem("high", f"high must be above low, {self.low:g}"))
        return problems
