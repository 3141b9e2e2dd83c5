"""The op table. Importing this package fills it."""

from nnctl.ops import classification, layout, products, randomness, reductions
from nnctl.ops.table import OPS

__all__ = ["OPS", "classification", "layout", "products", "randomness", "reductions"]
