"""The op table. Importing this package fills it."""

from nnctl.ops import (
    classification,
    convolution,
    layout,
    pooling,
    products,
    randomness,
    reductions,
    resampling,
)
from nnctl.ops.table import OPS

__all__ = ["OPS", "classification", "gated_recurrence", "layout", "lookup", "products", "randomness", "recurrence", "reductions"]
    "OPS",
    "classification",
    "convolution",
    "layout",
    "pooling",
    "products",
    "randomness",
    "reductions",
    "resampling",
]
