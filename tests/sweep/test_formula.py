"""Formulas: Python's arithmetic over paths, and nothing of Python besides."""

from __future__ import annotations

import math
from typing import Any

import pytest

from nnctl.errors import UsageError
from nnctl.sweep.formula import read

VALUES = {"depth": 3, "layers.0.units": 64, "optimizer.type": "sgd", "rate": 0.5, "on": True, "layers.-1.units": 10} | {
    "absent": math.nan
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("depth >= 3", True),
        ("depth >= 3 and optimizer.type == 'sgd'", True),
        ('optimizer.type in ["adam", "sgd"]', True),
        ("not on or depth < 3", False),
        ("layers.0.units // 2", 32),
        ("2 ** depth + 1", 9),
        ("-rate * 1e-1", -0.05),
        ("max(layers.0.units, layers.-1.units, 4)", 64),
        ("round(log(layers.0.units))", 4),
        ("1 if depth > 5 else 2", 2),
        ("(absent if depth > 5 else 0) <= 64", True),
        ("1 < depth <= 3", True),
        ("depth and rate", 0.5),
        ("'depth'", "depth"),
        (".5e1 + 1_000", 1005.0),
    ],
)
def test_values(text: str, value: object) -> None:
    formula = read(text)
    assert formula.value(VALUES) == value
    assert set(formula.names) <= set(VALUES)


def test_names_are_those_of_the_text_each_once() -> None:
    assert read("depth + layers.0.units * depth").names == ("depth", "layers.0.units")


@pytest.mark.parametrize(
    "text",
    ["", "depth +", "a b", "__import__('os')", "depth.__class__()", "[x for x in y]", "lambda: 1", "f'{a}'", "a[0]",
     "max", "a := 1", "print(1)", "max(a, key=b)", "b'1'", "1j", "(" * 500 + ")" * 500, "+".join("a" * 900)],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be read as a formula"):
        read(text)


def test_what_is_no_part_of_a_formula_is_said_as_it_was_written() -> None:
    with pytest.raises(UsageError, match=r"'double\(layers\.0\.units\)' is no part of one"):
        read("1 + double(layers.0.units)")


@pytest.mark.parametrize("text", ["depth + 'a'", "1 / (depth - 3)", "log(0)", "9 ** 9999", "depth < 'a'"])
def test_a_formula_without_a_value_says_where(text: str) -> None:
    with pytest.raises(UsageError, match=r"has no value( where depth = \d+)?: "):
        read(text).value(VALUES)


@pytest.mark.parametrize(
    ("text", "values", "excess"),
    [
        ("a <= 3", {"a": 5}, 2.0),
        ("a < 3", {"a": 1}, -2.0),
        ("a >= b", {"a": 1, "b": 4}, 3.0),
        ("2 * a > 1", {"a": 1}, -1.0),
        ("a <= 3", {"a": math.nan}, math.inf),
        ("1 / a <= 3", {"a": 0}, math.inf),
    ],
)
def test_the_excess_of_a_constraint(text: str, values: dict[str, Any], excess: float) -> None:
    assert read(text).excess(values) == excess


@pytest.mark.parametrize("text", ["a", "a == 3", "1 < a < 3", "a < 3 and b < 4"])
def test_a_constraint_is_one_comparison(text: str) -> None:
    with pytest.raises(UsageError, match="no comparison"):
        read(text).require_comparison()
