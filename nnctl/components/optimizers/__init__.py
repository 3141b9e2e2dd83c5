"""Update rules, first and second order: importing this package registers them."""

from nnctl.components.optimizers import first_order, ridge, second_order

__all__ = ["first_order", "ridge", "second_order"]
