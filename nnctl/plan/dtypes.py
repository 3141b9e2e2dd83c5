"""The table of dtypes: the numbers that "real", "index" and "uint8" stand for."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from nnctl.late import dataclass
from nnctl.ops.shapes import DType

Precision: TypeAlias = Literal["float32", "float64", "complex128"]
"""The meaning of "real" in a plan."""


@dataclass(frozen=True)
class Element:
    """One number in memory.

    name: in messages and listings. bytes: of one. host: the NumPy dtype that holds it on the host, which
    may be wider than `bytes` where NumPy has no such number.
    """

    name: str
    bytes: int
    host: np.dtype[np.generic]


_REAL: dict[Precision, Element] = {
    "float32": Element("float32", 4, np.dtype(np.float32)),
    "float64": Element("float64", 8, np.dtype(np.float64)),
    "complex128": Element("complex128", 16, np.dtype(np.complex128)),
}
_OTHER: dict[DType, Element] = {
    "index": Element("int64", 8, np.dtype(np.int64)),
    "uint8": Element("uint8", 1, np.dtype(np.uint8)),
}


def element(dtype: DType, precision: Precision = "float32") -> Element:
    """The number that a value of `dtype` consists of, in a plan of that precision."""
    return _REAL[precision] if dtype == "real" else _OTHER[dtype]


REAL = element("real").host
"""Real numbers on the host as training keeps and feeds them."""
INDEX = element("index").host
"""Indices on the host."""
