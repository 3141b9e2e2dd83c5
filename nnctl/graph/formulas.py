"""Ops of formulas. By value: equal layers have equal formulas, each of which is traced once in a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any, TypeAlias

from nnctl.components.base import ElementwiseActivation, ElementwiseCost, Regularizer
from nnctl.components.registry import Component
from nnctl.late import dataclass
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression

_MOST = 4096
"""Ops that are kept, at most."""


@dataclass(frozen=True, eq=False)
class Formula:
    """The outcome of `function(xp, *inputs)`, of which some inputs are numbers.

    op: of the inputs `used`. result: instead of an op, the number of the input that it gives as it is, or None
    where that is the constant 0.
    """

    op: ElementwiseOp | None
    used: tuple[int, ...] = ()
    result: int | None = None


_formulas: dict[Any, Formula] = {}
_of_components: dict[Any, ElementwiseOp] = {}
_components: dict[int, tuple[Component, str]] = {}
"""Keys of components, by their identity while they are kept here: they never change."""


def formula_of(
    name: str, function: Callable[..., Any], inputs: Sequence[float | None], settled: Sequence[int] = ()
) -> Formula:
    """The formula. inputs: the numbers among them, None for each other. settled: see `Builder.formula`.

    Raises FormulaError where the function does what a formula may not.
    """
    content = key_of(function)
    if content is None:
        return _made(name, function, inputs, settled)
    # A text, for numbers that are equal need not be the same: -0.0 and 0.0.
    numbers = len(inputs) if inputs.count(None) == len(inputs) else repr(inputs)
    key = name, content, numbers, tuple(settled)
    known = _formulas.get(key)
    if known is None:
        _make_room(_formulas)
        known = _formulas[key] = _made(name, function, inputs, settled)
    return known


def op_of(component: Any, arity: int) -> ElementwiseOp:
    """The op of a component's `body` and `derivative`."""
    made = ElementwiseOp(component.type, arity, component.body, _rules(component), component)
    content = _key_of_value(component)
    if content is None:
        return made
    _make_room(_of_components)
    return _of_components.setdefault((content, arity), made)


def _rules(component: Any) -> tuple[Callable[..., Any], ...]:
    if isinstance(component, ElementwiseActivation):
        return (lambda xp, g, a, z: g * component.derivative(xp, z, a),)
    if isinstance(component, ElementwiseCost):
        return (lambda xp, g, c, a, y: g * component.derivative(xp, a, y),)
    if isinstance(component, Regularizer):
        return (lambda xp, g, c, w: g * component.derivative(xp, w),)
    return ()


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= _MOST:
        kept.clear()


def _made(name: str, function: Callable[..., Any], inputs: Sequence[float | None], settled: Sequence[int]) -> Formula:
    op = ElementwiseOp(name, len(inputs), function)
    used = tuple(i for i in op.expression.used_inputs if inputs[i] is None)
    results = op.expression.results
    # The reference 0 is the first input; only the float is the number.
    if len(results) == 1 and isinstance(results[0], float) and results[0] == 0.0:
        return Formula(None)
    if not op.expression.lines and len(results) == 1 and isinstance(results[0], int) and results[0] in used:
        return Formula(None, result=results[0])
    if len(used) < len(inputs):
        positions = {index: position for position, index in enumerate(used)}
        rest = [0.0 if number is None else number for number in inputs]

        def of_used(xp: Any, *given: Any) -> Any:
            return function(xp, *(given[positions[i]] if i in positions else n for i, n in enumerate(rest)))

        op = ElementwiseOp(name, len(used), of_used)
    if settled:
        op = replace(op, rules=tuple(_no_gradient if i in settled else None for i in used))
    return Formula(op, used)


def _no_gradient(xp: Any, *_: Any) -> float:
    """The rule of an input that nothing depends on."""
    return 0.0


_Key: TypeAlias = tuple[object, ...]


def key_of(function: Callable[..., Any]) -> _Key | None:
    """A key of a function that decides what it computes; None where it may be another the next time.

    Functions have one whose defaults, and variables of outer functions, are plain values, components and such
    functions; methods of such values, too.
    """
    if isinstance(function, Expression):
        return (function,)
    if isinstance(function, MethodType):
        return _together(function.__func__, function.__self__)
    if not isinstance(function, FunctionType):
        return None
    if not (function.__closure__ or function.__defaults__ or function.__kwdefaults__):
        return function.__code__, function.__module__
    try:
        outer = tuple(cell.cell_contents for cell in function.__closure__ or ())
    except ValueError:  # a variable that has no value yet
        return None
    contents = _together(*outer, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    return None if contents is None else (function.__code__, function.__module__, contents)


def _together(*values: object) -> _Key | None:
    keys = tuple(map(_key_of_value, values))
    return None if None in keys else keys


def _key_of_component(component: Component) -> _Key | None:
    known = _components.get(id(component))
    if known is not None and known[0] is component:
        return known
    try:
        hash(component)
    except TypeError:
        return None
    _make_room(_components)
    key = _components[id(component)] = component, repr(component)
    return key


def _key_of_value(value: object) -> _Key | None:
    if value is None or isinstance(value, bool | int | float | str):
        return type(value), repr(value)
    if isinstance(value, Component):
        return _key_of_component(value)
    if isinstance(value, tuple):
        return _together(*value)
    return key_of(value) if callable(value) else None
