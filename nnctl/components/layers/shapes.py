"""Checks of the shapes that layers are given, and the errors where these are others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.errors import ShapeError


def show(shape: Sequence[Any]) -> str:
    """A shape as people write it: (batch, 784)."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def one(layer: str, inputs: Sequence[Any]) -> Any:
    """The only input of a layer. Raises ShapeError where there are more."""
    if len(inputs) != 1:
        raise ShapeError(
            f"{layer} takes one input, found {len(inputs)}",
            "join them first with a layer of type add or concatenate",
        )
    return inputs[0]


def numbers(layer: str, inputs: Sequence[Any]) -> Any:
    """The only input of a layer that computes with it. Raises ShapeError where there are more, or it holds indices."""
    x = one(layer, inputs)
    check_numbers(layer, x)
    return x


def check_numbers(layer: str, x: Any) -> None:
    """Raises ShapeError where x holds indices: their order and size say nothing."""
    if x.dtype == "index":
        raise ShapeError(
            f"{layer} computes with numbers, and its input {show(x.shape)} holds indices",
            "put an embedding or a one_hot layer before it; a mask is the second input of a recurrent layer",
        )


def several(layer: str, inputs: Sequence[Any]) -> Sequence[Any]:
    """The inputs of a layer that joins. Raises ShapeError where there is nothing to join."""
    if len(inputs) < 2:
        raise ShapeError(
            f"{layer} joins two or more inputs, found {len(inputs)}",
            "name them: inputs: [first, second]",
        )
    return inputs
