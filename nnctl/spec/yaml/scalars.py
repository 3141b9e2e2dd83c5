"""Values of plain scalars: the core schema of YAML 1.2 (chapter 10.3.2 of its specification).

PyYAML follows YAML 1.1, where `1e-3` is a string, `no` is false, `010` is 8 and
`1:30` is 90. Reading and writing both use the table below instead.
"""

from __future__ import annotations

import math
import re

from nnctl.spec.yaml.tree import ScalarValue

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?(\.inf|\.Inf|\.INF)")
_NAN = re.compile(r"\.nan|\.NaN|\.NAN")

# Longer numbers are no hyper-parameters, and Python refuses to read them above 4,300 digits.
MAX_DIGITS = 400
_WHOLE = range(-(2**63), 2**63)
"""Whole numbers that arrays can count by."""


def resolve(text: str) -> ScalarValue:
    """The value of a plain (unquoted) scalar.

    Raises ValueError, with words for the user, on a number outside float64's range.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if len(text) > MAX_DIGITS and (_FLOAT.fullmatch(text) or _HEXADECIMAL.fullmatch(text) or _OCTAL.fullmatch(text)):
        raise ValueError(f"a number of {len(text)} digits is too long")
    if _DECIMAL.fullmatch(text):
        return _whole(int(text), text)
    if _OCTAL.fullmatch(text):
        return _whole(int(text[2:], 8), text)
    if _HEXADECIMAL.fullmatch(text):
        return _whole(int(text[2:], 16), text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if math.isinf(value):
            raise ValueError(f"{text} is outside the range of a double-precision number")
        return value
    if _INFINITY.fullmatch(text):
        return -math.inf if text.startswith("-") else math.inf
    if _NAN.fullmatch(text):
        return math.nan
    return text


def _whole(value: int, text: str) -> int:
    if value not in _WHOLE:
        shown = text if len(text) < 40 else f"{text[:20]}… ({len(text)} digits)"
        raise ValueError(f"{shown} is outside the range of a whole number of 64 bits")
    return value


def is_string(text: str) -> bool:
    """True where a plain scalar of this text reads as a string."""
    try:
        return isinstance(resolve(text), str)
    except ValueError:
        return False


def write_float(value: float) -> str:
    """The shortest text that `resolve` reads back as the same double."""
    if math.isnan(value):
        return ".nan"
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return repr(value)
