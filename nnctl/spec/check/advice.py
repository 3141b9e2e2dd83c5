"""Advice on a spec: no errors, but doubts worth a sentence before training begins."""

from __future__ import annotations

from collections.abc import Iterator

from nnctl.components.base import Layer
from nnctl.spec.check.wiring import layer_names
from nnctl.spec.document import Spec


def advice(spec: Spec) -> tuple[str, ...]:
    """A sentence for each doubt, in the order of the layers."""
    return tuple(_flat(spec.layers, ""))


def _flat(layers: tuple[Layer, ...], above: str) -> Iterator[str]:
    """Layers that are trained through an activation without slope."""
    for layer, name in zip(layers, layer_names(layers), strict=True):
        for inner in layer.children.values():
            yield from _flat(inner, f"{above}{name}.")
        activation = layer.output_activation
        if activation is not None and not activation.learns and not layer.frozen:
            yield (
                f"layer '{above}{name}' ends in '{activation.type}', whose derivative is 0: neither it nor what only "
                "it reads will learn; train with sigmoid, or say frozen: true"
            )
