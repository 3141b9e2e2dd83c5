"""Expressions: formulas as data, traced from elementwise bodies, to evaluate, differentiate and print.

An `Expression` is a straight line of primitives without branches: argument
references are ints (the inputs come first, then one value a line) or Python
floats. Equal lines are written once, and what constants decide is decided
while tracing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from types import FrameType
from typing import Any, TypeAlias

from nnctl.errors import FormulaError
from nnctl.late import dataclass
from nnctl.ops.primitives import PRIMITIVES

Ref: TypeAlias = int | float
"""An int names a value, a float is a constant."""


@dataclass(frozen=True, eq=False)
class Line:
    """One primitive applied to earlier values."""

    primitive: str
    arguments: tuple[Ref, ...]


@dataclass(frozen=True, eq=False)
class Expression:
    """`arity` inputs, the lines that compute with them, and which values are the results.

    It is called as the body that it was traced from.
    """

    arity: int
    lines: tuple[Line, ...]
    results: tuple[Ref, ...]

    @cached_property
    def identity(self) -> str:
        """A key, equal for equal expressions. A text, for the value 1 and the constant 1.0 are equal as numbers."""
        lines = [f"{line.primitive}{line.arguments!r}" for line in self.lines]
        return f"{self.arity}: {'; '.join(lines)}; {self.results!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __call__(self, xp: Any, *inputs: Any) -> Any:
        results = self.evaluate(xp, *inputs)
        return results if len(results) > 1 else results[0]

    def evaluate(self, xp: Any, *inputs: Any) -> tuple[Any, ...]:
        """The results, line by line, with the functions of `xp`."""
        values = list(inputs)
        for line in self.lines:
            values.append(getattr(xp, line.primitive)(*(_value(values, a) for a in line.arguments)))
        return tuple(_value(values, r) for r in self.results)

    @cached_property
    def used_inputs(self) -> tuple[int, ...]:
        """Numbers of the inputs that the results depend on."""
        needed = {r for r in self.results if isinstance(r, int)}
        for index in range(len(self.lines) - 1, -1, -1):
            if self.arity + index in needed:
                needed.update(a for a in self.lines[index].arguments if isinstance(a, int))
        return tuple(i for i in range(self.arity) if i in needed)

    @lru_cache(maxsize=4096)  # noqa: B019 — by value: equal layers have equal formulas, and thousands of layers few
    def gradient(self, argument: int) -> Expression:
        """Σ_r g_r · ∂result_r/∂argument as an expression of (g_0, …, inputs…): reverse mode over the lines."""
        recorder = Recorder(len(self.results) + self.arity)
        gradients = [recorder.value(i) for i in range(len(self.results))]
        inputs = [recorder.value(len(self.results) + i) for i in range(self.arity)]
        values: list[Any] = list(inputs)
        for line in self.lines:
            values.append(recorder.call(line.primitive, *(_value(values, a) for a in line.arguments)))
        adjoints: list[Any] = [0.0] * len(values)
        for result, gradient in zip(self.results, gradients, strict=True):
            if isinstance(result, int):
                adjoints[result] = adjoints[result] + gradient
        for index in range(len(self.lines) - 1, -1, -1):
            line, output = self.lines[index], values[self.arity + index]
            adjoint = adjoints[self.arity + index]
            if isinstance(adjoint, float):
                continue
            arguments = [_value(values, a) for a in line.arguments]
            for reference, partial in zip(line.arguments, PRIMITIVES[line.primitive].partials, strict=True):
                if partial is None or not isinstance(reference, int):
                    continue
                adjoints[reference] = adjoints[reference] + adjoint * partial(recorder, output, *arguments)
        return recorder.finish([adjoints[argument]])


def _value(values: Sequence[Any], reference: Ref) -> Any:
    return values[reference] if isinstance(reference, int) else reference


class Traced:
    """A value of an expression under construction."""

    __slots__ = ("recorder", "reference")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, recorder: Recorder, reference: int) -> None:
        self.recorder = recorder
        self.reference = reference

    def __add__(self, other: Any) -> Any:
        return self.recorder.call("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return self.recorder.call("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return self.recorder.call("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return self.recorder.call("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return self.recorder.call("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return self.recorder.call("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return self.recorder.call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self.recorder.call("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return self.recorder.call("power", self, other)

    def __neg__(self) -> Any:
        return self.recorder.call("negative", self)

    def _refuse(self, *_: Any) -> bool:
        frame = sys._getframe(1)
        raise _misuse(
            frame, "branches on an array or compares one\n  use xp.where, xp.greater, xp.less, xp.equal in its formula"
        )

    __bool__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = _refuse


class Recorder:
    """The namespace `xp` under which a body's calls become lines."""

    def __init__(self, arity: int) -> None:
        self.arity = arity
        self.lines: list[Line] = []
        self._known: dict[tuple[Any, ...], int] = {}

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in PRIMITIVES:
            frame = sys._getframe(1)
            raise _misuse(frame, f"calls xp.{name}, which formulas have not\n  there are {', '.join(PRIMITIVES)}")

        def function(*arguments: Any) -> Any:
            arity = PRIMITIVES[name].arity
            if len(arguments) != arity:
                raise _misuse(sys._getframe(1), f"calls xp.{name} with {len(arguments)} arguments: it takes {arity}")
            return self.call(name, *arguments)

        return function

    def value(self, reference: int) -> Traced:
        """The input or line `reference`."""
        return Traced(self, reference)

    def call(self, name: str, *arguments: Any) -> Any:
        """Record a primitive, or decide it at once where constants allow."""
        references = tuple(a.reference if isinstance(a, Traced) else float(a) for a in arguments)
        folded = _fold(name, references)
        if folded is not None:
            return self.value(folded) if isinstance(folded, int) else folded
        # repr tells -0.0 from 0.0, which are equal as keys but not as numbers.
        key = (name, *(repr(r) for r in references))
        if key not in self._known:
            self.lines.append(Line(name, references))
            self._known[key] = self.arity + len(self.lines) - 1
        return self.value(self._known[key])

    def finish(self, results: Iterable[Any]) -> Expression:
        """The expression of `results`, without the lines that none of them needs."""
        references = [r.reference if isinstance(r, Traced) else float(r) for r in results]
        needed = {r for r in references if isinstance(r, int)}
        for index in range(len(self.lines) - 1, -1, -1):
            if self.arity + index in needed:
                needed.update(a for a in self.lines[index].arguments if isinstance(a, int))
        renumbered: dict[int, int] = {i: i for i in range(self.arity)}
        kept: list[Line] = []
        for index, line in enumerate(self.lines):
            if self.arity + index in needed:
                renumbered[self.arity + index] = self.arity + len(kept)
                kept.append(
                    Line(line.primitive, tuple(renumbered[a] if isinstance(a, int) else a for a in line.arguments))
                )
        return Expression(
            self.arity, tuple(kept), tuple(renumbered[r] if isinstance(r, int) else r for r in references)
        )


def trace(body: Callable[..., Any], arity: int) -> Expression:
    """The expression of `body(xp, *inputs)`; a tuple gives several results.

    Raises FormulaError where the body does what a formula may not.
    """
    if isinstance(body, Expression):
        return body
    recorder = Recorder(arity)
    results = body(recorder, *(recorder.value(i) for i in range(arity)))
    return recorder.finish(results if isinstance(results, tuple) else (results,))


def _misuse(frame: FrameType, message: str) -> FormulaError:
    """The error for what a body does in this frame."""
    return FormulaError(message, frame.f_globals["__name__"], frame.f_code.co_qualname)


def _fold(name: str, arguments: tuple[Ref, ...]) -> Ref | None:
    """The value of a call that its constants alone decide, else None.

    0·x is taken as 0: such products only arise from derivatives of parts that do not matter.
    """
    constants = [a for a in arguments if isinstance(a, float)]
    if len(constants) == len(arguments):
        match name:
            case "add":
                return constants[0] + constants[1]
            case "subtract":
                return constants[0] - constants[1]
            case "multiply":
                return constants[0] * constants[1]
            case "divide" if constants[1] != 0.0:
                return constants[0] / constants[1]
            case "negative":
                return -constants[0]
            case "square":
                return constants[0] * constants[0]
        return None
    a, b = (*arguments, None)[:2]
    match name:
        case "add" if a == 0.0 and isinstance(a, float):
            return b
        case "add" | "subtract" if b == 0.0 and isinstance(b, float):
            return a
        case "multiply" if 0.0 in constants:
            return 0.0
        case "multiply" if a == 1.0 and isinstance(a, float):
            return b
        case "multiply" | "divide" if b == 1.0 and isinstance(b, float):
            return a
    return None
