"""The op table. Importing this package fills it."""

from nnctl.ops import (
    classification,
    convolution,
    gated_recurrence,
    layout,
    lookup,
    pooling,
    products,
    randomness,
    recurrence,
    reductions,
    resampling,
    reservoir,
)
from nnctl.ops.table import OPS

__all__ = [
    "OPS",
    "classification",
    "convolution",
    "gated_recurrence",
    "layout",
    "lookup",
    "pooling",
    "products",
    "randomness",
    "recurrence",
    "reductions",
    "resampling",
    "reservoir",
]
