"""The core schema of YAML 1.2, against its specification and against YAML 1.1's surprises."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.spec.yaml.scalars import is_string, resolve, write_float

VALUES = [
    ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
    ("0", 0), ("-0", 0), ("+12", 12), ("-19", -19), ("010", 10), ("0o10", 8), ("0o7", 7), ("0x3A", 58), ("0xff", 255),
    ("1e-3", 0.001), ("1E3", 1000.0), ("-2e05", -2e5), ("+12e03", 12000.0), ("0.", 0.0), ("-0.0", -0.0), (".5", 0.5),
    ("12.5e-7", 12.5e-7), (".inf", math.inf), ("-.Inf", -math.inf), ("+.INF", math.inf),
]  # fmt: skip

STRINGS = [
    "no", "No", "NO", "off", "on", "yes", "y", "n", "tRUE", "nULL", "1:30", "190:20:30", "2024-01-02",
    "2001-12-14t21:59:43.10-05:00", "1_000", "0b11", "-0x10", "0o8", "0xg", "1e", "e3", ".", "-", "+", "..5", "1.2.3",
    "inf", "nan", "-inf", ".Nan", "=", "<<", "0,5", "１",
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text, value):
    found = resolve(text)
    assert type(found) is type(value)
    assert found == value
    assert math.copysign(1, found or 0) == math.copysign(1, value or 0)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_nan(text):
    assert math.isnan(resolve(text))


@pytest.mark.parametrize("text", STRINGS)
def test_string(text):
    assert resolve(text) == text
    assert is_string(text)


@pytest.mark.parametrize("text", ["1e999", "-1e400", "9" * 5000, "0x" + "f" * 5000])
def test_number_that_no_double_holds(text):
    with pytest.raises(ValueError, match=r"range|too long"):
        resolve(text)
    assert not is_string(text)


@given(st.floats(allow_nan=False))
def test_floats_keep_every_bit(value):
    found = resolve(write_float(value))
    assert isinstance(found, float)
    assert found.hex() == value.hex()


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers(value):
    assert resolve(str(value)) == value


@pytest.mark.parametrize(
    "text", [str(2**63), str(-(2**63) - 1), "0x8000000000000000", "0o1000000000000000000000", "9" * 99]
)
def test_integers_that_arrays_cannot_count_by(text):
    with pytest.raises(ValueError, match="is outside the range of a whole number of 64 bits"):
        resolve(text)
