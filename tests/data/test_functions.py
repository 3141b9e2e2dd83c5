from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nnctl.data.sources.functions import CONSTANTS, FUNCTIONS, ExpressionError, FunctionSource, evaluate, parse
from nnctl.errors import DataError

X = np.linspace(0.1, 0.9, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2", np.full(5, 2.0)),
        ("-x", -X),
        ("+x - 1", X - 1),
        ("0.2 + 0.4*x**2", 0.2 + 0.4 * X**2),
        ("2**-x/3", 2**-X / 3),
        ("sin(2*pi*x)*exp(-x)", np.sin(2 * np.pi * X) * np.exp(-X)),
        (" log(e) ", np.ones(5)),
        ("1/2", np.full(5, 0.5)),
    ],
)
def test_values(text, expected):
    np.testing.assert_allclose(evaluate(parse(text), X), expected, rtol=1e-15)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_numpys(name):
    np.testing.assert_array_equal(evaluate(parse(f"{name}(x)"), X), getattr(np, name)(X))


def test_constants():
    assert [float(evaluate(parse(name), X)[0]) for name in CONSTANTS] == [np.e, np.pi]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("x +", "cannot be read: invalid syntax", ""),
        ("x^2", "'^' is not an operator", "powers are written x**2"),
        ("y", "there is no 'y'", "the variable is x"),
        ("sine(x)", "there is no function 'sine'", "did you mean 'sin'?"),
        ("floor(x, 2)", "'floor(x, 2)' is not arithmetic", ""),
        ("x if x else 1", "'x if x else 1' is not arithmetic", ""),
        ("x.real", "'x.real' is not arithmetic", ""),
        ("__import__('os')", "there is no function '__import__'", ""),
        ("1j*x", "1j is not a real number", ""),
        ("True", "True is not a real number", ""),
        ("(lambda: x)()", "is not arithmetic", ""),
    ],
)
def test_what_is_no_expression(text, message, hint):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert hint in caught.value.hint


def test_problems_point_at_the_field():
    assert [p.field for p in FunctionSource(expression="x^2", low=1.0, high=1.0).problems()] == ["expression", "high"]
    assert FunctionSource(expression="y").problems()[0].message == "expression: there is no 'y'"
    assert FunctionSource().problems() == []


def test_a_function_must_be_defined_everywhere():
    with pytest.raises(DataError, match=r"log\(x\) is -inf at x = 0"):
        FunctionSource(expression="log(x)").read(Path(), 0)


def test_examples():
    read = FunctionSource(expression="x**2", low=-1.0, high=3.0, examples=5).read(Path(), 0)
    np.testing.assert_array_equal(read.inputs[:, 0], [-1, 0, 1, 2, 3])
    np.testing.assert_array_equal(read.targets[:, 0], [1, 0, 1, 4, 9])
