"""Formulas are traced once where they are alike, and anew where anything that they depend on is another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnctl.components.activations import LeakyRelu, Relu, Tanh
from nnctl.graph.formulas import formula_of, key_of, op_of


def _value(function: Callable[..., Any], *numbers: float) -> float:
    """What the formula of a function of one unknown, and of numbers, gives for 2."""
    formula = formula_of("f", function, [None, *numbers])
    assert formula.op is not None
    return float(formula.op.expression.evaluate(np, 2.0)[0])


def _scaled(by: object) -> Callable[..., Any]:
    return lambda xp, x: x * by


def _shifted(by: float) -> Callable[..., Any]:
    def body(xp: Any, x: Any, by: float = by) -> Any:
        return x + by

    return body


def _named(by: float) -> Callable[..., Any]:
    def body(xp: Any, x: Any, *, by: float = by) -> Any:
        return x - by

    return body


class _Power:
    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def body(self, xp: Any, x: Any) -> Any:
        return xp.power(x, self.exponent)


def test_what_a_function_depends_on_decides():
    functions = [_scaled(3.0), _scaled(5.0), _shifted(3.0), _shifted(5.0), _named(1.0), _named(2.0), _Power(7.0).body]
    assert [_value(function) for function in functions] == [6.0, 10.0, 5.0, 7.0, 1.0, 0.0, 128.0]
    assert [_value(lambda xp, x, y: x * y, number) for number in (3.0, 5.0)] == [6.0, 10.0]


@pytest.mark.parametrize(
    "made", [_scaled(3.0), _shifted(3.0), _named(1.0), Tanh().body, LeakyRelu(slope=0.5).body, lambda xp, x: xp.exp(x)]
)
def test_what_is_alike_is_traced_once(made: Callable[..., Any]):
    assert formula_of("f", made, [None]) is formula_of("f", made, [None])
    assert key_of(made) is not None


def test_functions_made_anew_of_the_same_values_are_alike():
    assert formula_of("f", _scaled(3.0), [None]) is formula_of("f", _scaled(3.0), [None])
    assert formula_of("f", _scaled(3.0), [None]) is not formula_of("g", _scaled(3.0), [None])
    assert formula_of("f", _scaled(3.0), [None]) is not formula_of("f", _scaled(3.0), [None], [0])
    assert op_of(LeakyRelu(slope=0.5), 1) is op_of(LeakyRelu(slope=0.5), 1)
    assert op_of(LeakyRelu(slope=0.5), 1) is not op_of(LeakyRelu(slope=0.25), 1)
    assert op_of(Tanh(), 1) is not op_of(Relu(), 1)


def test_equal_numbers_that_are_not_the_same_are_told_apart():
    assert [math.copysign(1.0, _value(lambda xp, x, y: xp.minimum(y, x), zero)) for zero in (0.0, -0.0)] == [1.0, -1.0]
    assert [math.copysign(1.0, _value(lambda xp, x, by=zero: xp.minimum(by, x))) for zero in (0.0, -0.0)] == [1.0, -1.0]
    assert _scaled_key(1) != _scaled_key(1.0) != _scaled_key(True)


def _scaled_key(by: object) -> object:
    return key_of(_scaled(by))


def test_a_variable_that_becomes_another_is_looked_at_anew():
    factor = 3.0

    def scaled(xp: Any, x: Any) -> Any:
        return x * factor

    assert _value(scaled) == 6.0
    factor = 5.0
    assert _value(scaled) == 10.0


def test_what_may_change_within_is_looked_at_anew():
    factors = [3.0]

    def scaled(xp: Any, x: Any) -> Any:
        return x * factors[0]

    power = _Power(2.0)
    assert (_value(scaled), _value(power.body)) == (6.0, 4.0)
    factors[0], power.exponent = 5.0, 3.0
    assert (_value(scaled), _value(power.body)) == (10.0, 8.0)
