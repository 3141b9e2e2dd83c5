"""Biases of layers with weights, and the fields that only biases need."""

from __future__ import annotations

from typing import Any, Protocol

from nnctl.components.base import Initializer, Regularizer
from nnctl.components.builder import Builder
from nnctl.components.registry import Problem


class Biased(Protocol):
    """A layer whose units may have a bias."""

    @property
    def bias(self) -> bool: ...
    @property
    def bias_initializer(self) -> Initializer | None: ...
    @property
    def bias_regularizer(self) -> Regularizer | None: ...


def with_bias(layer: Biased, builder: Builder, z: Any, fans: tuple[int, int]) -> Any:
    """z (…, units) plus the layer's `bias` (units,), if it has one."""
    if not layer.bias:
        return z
    return z + builder.parameter(
        "bias",
        (z.shape[-1],),
        kind="bias",
        fans=fans,
        initializer=layer.bias_initializer,
        regularizer=layer.bias_regularizer,
    )


def bias_problems(layer: Biased) -> list[Problem]:
    """Fields of a bias that is not there."""
    if layer.bias:
        return []
    given = [f for f in ("bias_initializer", "bias_regularizer") if getattr(layer, f) is not None]
    return [Problem(f, f"{f} has nothing to act on: bias is false", "remove one of the two") for f in given]
